/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mount(2), for where the descriptor calls are filtered away (a runtime inside another container) and for
 * option values that fsconfig() does not take. The target is still a descriptor, named through
 * /proc/self/fd.
 */
#include "mounts-legacy.h"

#include <stdio.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "../basic/fd.h"
#include "../basic/str.h"
#include "error.h"
#include "kernel-call.h"
#include "root-path.h"

#ifndef PROC_SUPER_MAGIC
#define PROC_SUPER_MAGIC 0x9fa0
#endif

static unsigned long attr_to_flags(uint64_t attr) {
        unsigned long flags = 0;

        flags |= attr & MOUNT_ATTR_RDONLY ? MS_RDONLY : 0;
        flags |= attr & MOUNT_ATTR_NOSUID ? MS_NOSUID : 0;
        flags |= attr & MOUNT_ATTR_NODEV ? MS_NODEV : 0;
        flags |= attr & MOUNT_ATTR_NOEXEC ? MS_NOEXEC : 0;
        flags |= attr & MOUNT_ATTR_NODIRATIME ? MS_NODIRATIME : 0;
        if ((attr & MOUNT_ATTR__ATIME) == MOUNT_ATTR_NOATIME)
                flags |= MS_NOATIME;
        if ((attr & MOUNT_ATTR__ATIME) == MOUNT_ATTR_STRICTATIME)
                flags |= MS_STRICTATIME;
        return flags;
}

/* The path of a descriptor can be trusted only if /proc is procfs. */
static int descriptor_path(int fd, char *ret, size_t size) {
        struct statfs fs;

        if (statfs("/proc", &fs) < 0)
                return negative_errno();
        if (fs.f_type != PROC_SUPER_MAGIC)
                return -ENODEV;
        (void) snprintf(ret, size, "/proc/self/fd/%d", fd);
        return 0;
}

static int legacy_bind(const SpecMount *m, const char *source, const char *target) {
        unsigned long flags = attr_to_flags(m->attr_set);

        if (sys_mount(source, target, NULL, MS_BIND | (m->recursive ? MS_REC : 0), NULL) < 0)
                return negative_errno();
        if (m->rec_attr_set != 0 || m->rec_attr_clear != 0)
                return -EOPNOTSUPP;
        return flags;
}

static int legacy_mount_at(const MountContext *c, const SpecMount *m, const char *source, int target_fd) {
        _cleanup_close_ int mounted = -EBADF;
        char path[64];
        int r;

        r = descriptor_path(target_fd, path, sizeof(path));
        if (r < 0)
                return r;
        if (!m->bind)
                return sys_mount(m->source, path, m->type, attr_to_flags(m->attr_set), m->data) < 0 ?
                               negative_errno() :
                               0;
        r = legacy_bind(m, source, path);
        if (r <= 0)
                return r;
        /* The descriptor names what was covered; look up again to change the flags of the new mount. */
        mounted = root_path_open(c->root_fd, m->destination, 0);
        if (mounted < 0)
                return mounted;
        r = descriptor_path(mounted, path, sizeof(path));
        if (r < 0)
                return r;
        if (sys_mount(NULL, path, NULL, MS_REMOUNT | MS_BIND | attr_to_flags(m->attr_set), NULL) < 0)
                return negative_errno();
        return 0;
}

/** mount_legacy - one mount of the spec by mount(2). Return: 0, or -errno with a message. */
int mount_legacy(const MountContext *c, const SpecMount *m) {
        _cleanup_free_ char *source = NULL;
        _cleanup_close_ int target = -EBADF;
        bool directory = true;
        struct stat st;
        int r;

        if (m->bind) {
                source = m->source[0] == '/' ? strdup(m->source) : str_concat(c->bundle, "/", m->source);
                if (!source)
                        return -ENOMEM;
                if (stat(source, &st) < 0)
                        return fail_errno(errno, "mount %s on %s", source, m->destination);
                directory = S_ISDIR(st.st_mode);
        }
        target = root_path_ensure(c->root_fd, m->destination, directory, m->bind ? 0 : RESOLVE_NO_SYMLINKS);
        if (target < 0)
                return fail_errno(target, "mount %s: destination", m->destination);
        r = legacy_mount_at(c, m, source, target);
        if (r < 0)
                return fail_errno(r, "mount on %s", m->destination);
        if (m->propagation != 0 || m->copy_up)
                return fail_text(EOPNOTSUPP,
                                 "mount on %s: propagation and tmpcopyup need the new mount interface",
                                 m->destination);
        return 0;
}
