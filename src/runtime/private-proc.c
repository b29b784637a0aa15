/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Writes to /proc that matter for security never go through the container's /proc, where a mount may have
 * put another file in the way. They go through a procfs of our own that is attached nowhere.
 */
#include "private-proc.h"

#include <sys/vfs.h>

#include "../basic/fd.h"
#include "kernel-call.h"

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
        if (fd < 0 || fstatfs(fd, &fs) < 0)
                return negative_errno();
        if (fs.f_type != PROC_SUPER_MAGIC)
                return -ENODEV;
        return write(fd, value, strlen(value)) < 0 ? negative_errno() : 0;
}
