/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "label.h"

#include "../basic/fd.h"
#include "../basic/str.h"
#include "error.h"
#include "private-proc.h"

static int write_label(const char *file, const char *value, const char *field) {
        int r = private_proc_write(file, value);

        if (r == -ENOENT || r == -EINVAL)
                return fail_text(EOPNOTSUPP,
                                 "config.json: process.%s: \"%s\" cannot be applied on this host", field,
                                 value);
        return r < 0 ? fail_errno(r, "apply process.%s \"%s\"", field, value) : 0;
}

/** label_apply - the AppArmor profile and the SELinux label that the next execve() takes on. */
int label_apply(const SpecProcess *p) {
        int r;

        if (!isempty(p->apparmor) && !streq(p->apparmor, "unconfined")) {
                _cleanup_free_ char *command = str_concat("exec ", p->apparmor);

                if (!command)
                        return -ENOMEM;
                r = write_label("self/attr/apparmor/exec", command, "apparmorProfile");
                if (r < 0)
                        return r;
        }
        if (isempty(p->selinux))
                return 0;
        return write_label("self/attr/exec", p->selinux, "selinuxLabel");
}
