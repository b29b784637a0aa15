/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fd-role.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/** fd_identify - remember @fd. Return: 0 or -errno. */
int fd_identify(int fd, FdIdentity *ret) {
        struct stat st;

        if (fstat(fd, &st) < 0)
                return negative_errno();
        *ret = (FdIdentity){ st.st_dev, st.st_ino };
        return 0;
}

/**
 * fd_role - what @fd was.
 * @known: may be NULL when only the special ones are looked for; else the first _FD_ROLE_MAX roles (for an
 * exec: the first three are looked at, a listener cannot match).
 *
 * Return: the role or _FD_ROLE_INVALID.
 */
FdRole fd_role(int fd, const FdIdentity known[]) {
        char path[32], target[128];
        struct stat st;
        ssize_t n;

        (void) snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        n = readlink(path, target, sizeof(target) - 1);
        if (n < 0 || fstat(fd, &st) < 0)
                return _FD_ROLE_INVALID;
        target[n] = 0;
        if (strstr(target, "pidfd"))
                return FD_ROLE_PIDFD;
        if (strstr(target, "memfd:berth-shim"))
                return FD_ROLE_MEMORY;
        if (S_ISCHR(st.st_mode))
                return FD_ROLE_PTY;
        for (int i = 0; known && i < (S_ISSOCK(st.st_mode) ? _FD_ROLE_MAX : FD_ROLE_LISTENER); i++)
                if (known[i].inode == st.st_ino && known[i].device == st.st_dev)
                        return (FdRole) i;
        return _FD_ROLE_INVALID;
}
