/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Writes to /proc that matter for security never go through the container's /proc, where a mount may have
 * put another file in the way. They go through a procfs of our own that is attached nowhere.
 */
#include "private-proc.h"

#include <limits.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "../../basic/fd.h"
#include "../../basic/str.h"
#include "../kernel-call.h"

#ifndef PROC_SUPER_MAGIC
#define PROC_SUPER_MAGIC 0x9fa0
#endif

static int open_private(void) {
        _cleanup_close_ int fs_fd = sys_fsopen("proc", FSOPEN_CLOEXEC);
        int fd;

        if (fs_fd < 0 || sys_fsconfig(fs_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
                return negative_errno();
        fd = sys_fsmount(fs_fd, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
        return fd < 0 ? negative_errno() : fd;
}

static int mount_id(int fd, uint64_t *ret) {
        struct statx sx;

        if (statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &sx) < 0)
                return negative_errno();
        if (!(sx.stx_mask & STATX_MNT_ID))
                return -EOPNOTSUPP;
        *ret = sx.stx_mnt_id;
        return 0;
}

/* Without openat2(): "self" is the only link on the way, and all must be of one mount. */
static int open_by_hand(int proc, const char *file) {
        _cleanup_close_ int current = fcntl(proc, F_DUPFD_CLOEXEC, 3);
        uint64_t of_proc, of_file;
        char name[NAME_MAX + 1];
        int r;

        if (current < 0)
                return negative_errno();
        for (const char *p = file; *p;) {
                const char *end = strchrnul(p, '/');
                size_t n = (size_t) (end - p);
                ssize_t length;
                int next;

                if (n == 0 || n > NAME_MAX || (n == 2 && strncmp(p, "..", 2) == 0))
                        return -EINVAL;
                memcpy(name, p, n);
                name[n] = 0;
                if (p == file && streq(name, "self")) {
                        length = readlinkat(proc, "self", name, NAME_MAX);
                        if (length < 0)
                                return negative_errno();
                        name[length] = 0;
                }
                next = openat(current, name, O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | (*end ? O_PATH : O_WRONLY));
                if (next < 0)
                        return negative_errno();
                (void) safe_close(current);
                current = next;
                p = end + strspn(end, "/");
        }
        if ((r = mount_id(proc, &of_proc)) < 0 || (r = mount_id(current, &of_file)) < 0)
                return r;
        return of_proc == of_file ? TAKE_FD(current) : -EXDEV;
}

/**
 * private_proc_write - write @value to @file (relative to /proc) in one piece. Where no private procfs can
 * be made (some user namespaces) the visible one is used, if it is a procfs and nothing is mounted in the
 * way.
 */
int private_proc_write(const char *file, const char *value) {
        _cleanup_close_ int proc = open_private(), fd = -EBADF;
        struct statfs fs;

        if (proc < 0)
                proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (proc < 0)
                return negative_errno();
        fd = sys_openat2(proc, file, O_WRONLY | O_CLOEXEC | O_NOCTTY,
                         RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS);
        if (fd < 0 && errno == ENOSYS) {
                fd = open_by_hand(proc, file);
                errno = fd < 0 ? -fd : 0;
        }
        if (fd < 0 || fstatfs(fd, &fs) < 0)
                return negative_errno();
        if (fs.f_type != PROC_SUPER_MAGIC)
                return -ENODEV;
        return write(fd, value, strlen(value)) < 0 ? negative_errno() : 0;
}
