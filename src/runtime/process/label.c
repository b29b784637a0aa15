/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * AppArmor profiles and SELinux labels. What is asked for and cannot be had is an error: a container that
 * runs without its confinement is worse than one that does not run.
 */
#include "label.h"

#include <fcntl.h>
#include <sys/vfs.h>

#include "../../basic/fd.h"
#include "../../basic/file.h"
#include "../../basic/str.h"
#include "../error.h"
#include "../mounts/private-proc.h"

#define SELINUX_FS "/sys/fs/selinux"
#ifndef SELINUX_MAGIC
#define SELINUX_MAGIC 0xf97cff8c
#endif

static bool apparmor_enabled(void) {
        _cleanup_free_ char *text = NULL;

        return read_file_at(AT_FDCWD, "/sys/module/apparmor/parameters/enabled", 64, &text, NULL) >= 0 &&
               text[0] == 'Y';
}

static bool selinux_enabled(void) {
        struct statfs fs;

        return statfs(SELINUX_FS, &fs) >= 0 && (unsigned) fs.f_type == SELINUX_MAGIC;
}

/**
 * label_check - whether this host can do what the labels ask for; from outside the container.
 * @mount_label: linux.mountLabel, or NULL.
 *
 * Return: 0, or -EOPNOTSUPP with the field in the message.
 */
int label_check(const SpecProcess *p, const char *mount_label) {
        if (!isempty(p->apparmor) && !streq(p->apparmor, "unconfined") && !apparmor_enabled())
                return fail_text(
                                EOPNOTSUPP,
                                "config.json: process.apparmorProfile: \"%s\" is asked for, but apparmor is "
                                "disabled or not supported on this host",
                                p->apparmor);
        if ((!isempty(p->selinux) || !isempty(mount_label)) && !selinux_enabled())
                return fail_text(
                                EOPNOTSUPP,
                                "config.json: %s: selinux label is specified, but selinux is disabled or not "
                                "supported on this host",
                                !isempty(p->selinux) ? "process.selinuxLabel" : "linux.mountLabel");
        return 0;
}

static int apply_apparmor(const char *profile) {
        _cleanup_free_ char *command = str_concat("exec ", profile);
        int r;

        if (!command)
                return -ENOMEM;
        r = private_proc_write("self/attr/apparmor/exec", command);
        if (r == -ENOENT) /* also what a profile is answered that is not loaded; the file is of Linux 5.1 */
                r = private_proc_write("self/attr/exec", command);
        /* Nothing confines us where AppArmor is off. */
        if ((r == -ENOENT || r == -EINVAL) && streq(profile, "unconfined"))
                return 0;
        return r < 0 ? fail_errno(r, "config.json: process.apparmorProfile: \"%s\" cannot be applied",
                                  profile)
                     : 0;
}

/** label_apply - the AppArmor profile and the SELinux label that the next execve() takes on. */
int label_apply(const SpecProcess *p) {
        int r;

        if (!isempty(p->apparmor)) {
                r = apply_apparmor(p->apparmor);
                if (r < 0)
                        return r;
        }
        if (isempty(p->selinux))
                return 0;
        r = private_proc_write("self/attr/exec", p->selinux);
        return r < 0 ? fail_errno(r, "config.json: process.selinuxLabel: \"%s\" cannot be applied",
                                  p->selinux)
                     : 0;
}
