/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * AppArmor profiles and SELinux labels. What is asked for and cannot be had is an error: a container that
 * runs without its confinement is worse than one that does not run.
 */
#include "label.h"

#include <fcntl.h>
#include <sys/vfs.h>
#include <unistd.h>

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

/* The policy says what is a context. If it does not let us ask, it is found out later. */
static int check_context(const char *field, const char *label) {
        _cleanup_close_ int fd = open(SELINUX_FS "/context", O_RDWR | O_CLOEXEC | O_NOCTTY);

        /* With the zero byte, as libselinux writes it. */
        if (fd >= 0 && write(fd, label, strlen(label) + 1) < 0 && errno == EINVAL)
                return fail_text(EINVAL, "config.json: %s: \"%s\" is not a context of the SELinux policy",
                                 field, label);
        return 0;
}

static int check_selinux(const char *field, const char *label) {
        if (isempty(label))
                return 0;
        if (!selinux_enabled())
                return fail_text(
                                EOPNOTSUPP,
                                "config.json: %s: selinux label is specified, but selinux is disabled or not "
                                "supported on this host",
                                field);
        return check_context(field, label);
}

/**
 * label_check - whether this host can do what the labels ask for; from outside the container.
 * @mount_label: linux.mountLabel, or NULL.
 *
 * Return: 0, -EOPNOTSUPP or -EINVAL with the field in the message.
 */
int label_check(const SpecProcess *p, const char *mount_label) {
        int r;

        if (!isempty(p->apparmor) && !streq(p->apparmor, "unconfined") && !apparmor_enabled())
                return fail_text(
                                EOPNOTSUPP,
                                "config.json: process.apparmorProfile: \"%s\" is asked for, but apparmor is "
                                "disabled or not supported on this host",
                                p->apparmor);
        r = check_selinux("process.selinuxLabel", p->selinux);
        return r < 0 ? r : check_selinux("linux.mountLabel", mount_label);
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
        if (r == -ENOENT)
                return fail_text(r,
                                 "config.json: process.apparmorProfile: \"%s\" cannot be applied: apply "
                                 "apparmor profile `%s`: profile not loaded",
                                 profile, profile);
        return r < 0 ? fail_errno(r, "config.json: process.apparmorProfile: \"%s\" cannot be applied",
                                  profile)
                     : 0;
}

static int write_label(const SpecProcess *p, const char *file) {
        int r = isempty(p->selinux) ? 0 : private_proc_write(file, p->selinux);

        return r < 0 ? fail_errno(r, "config.json: process.selinuxLabel: \"%s\" cannot be applied",
                                  p->selinux)
                     : 0;
}

/**
 * label_apply - the AppArmor profile and the SELinux label that the next execve() takes on, here and in
 * processes that are forked until then: the hooks inside the container.
 *
 * Return: 0, or -errno with the field in the message.
 */
int label_apply(const SpecProcess *p) {
        int r = isempty(p->apparmor) ? 0 : apply_apparmor(p->apparmor);

        return r < 0 ? r : write_label(p, "self/attr/exec");
}

/** label_apply_to_keys - let keys that are made before execve(), which ends this, be the payload's by their
 * label. Return: 0, or -errno with the field in the message. */
int label_apply_to_keys(const SpecProcess *p) {
        return write_label(p, "self/attr/keycreate");
}
