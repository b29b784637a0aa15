/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The payload must never be able to write to our own program through /proc/PID/exe (CVE-2019-5736). If the
 * mount we were started from is writable, we start again from a detached read-only mount of the same file,
 * which no mount namespace of the container can ever change back; where that is not allowed, from a sealed
 * copy in memory. An ordinary user's containers cannot write to a file of root's anyway. Berth's own units
 * see /usr read-only, so there it costs nothing.
 */
#include "self-protect.h"

#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>

#include "../basic/fd.h"
#include "error.h"
#include "kernel-call.h"
#include "mounts/mounts.h"
#include "namespaces/rootless.h"
#include "process/caps.h"

#define SELF "/proc/self/exe"
#define ALL_SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

/*
 * What an ordinary user starts can get the rights of that user and of its subordinate ids, never those of
 * root, so a file that only root may write is safe from it. That holds where the kernel itself decides, by
 * the host's ids: not on FUSE or over the network, not in a user namespace, not with capabilities.
 */
static bool belongs_to_root(int fd) {
        static const unsigned local[] = { EXT4_SUPER_MAGIC, XFS_SUPER_MAGIC, BTRFS_SUPER_MAGIC,
                                          F2FS_SUPER_MAGIC, OVERLAYFS_SUPER_MAGIC, TMPFS_MAGIC };
        struct statfs fs;
        struct stat st;

        if (geteuid() == 0 || getuid() == 0 || fstat(fd, &st) < 0 || st.st_uid != 0 ||
            (st.st_mode & (S_IWGRP | S_IWOTH)) || caps_any() || rootless_in_user_namespace() ||
            fstatfs(fd, &fs) < 0)
                return false;
        for (size_t i = 0; i < ELEMENTSOF(local); i++)
                if ((unsigned) fs.f_type == local[i])
                        return true;
        return false;
}

static bool is_protected(void) {
        _cleanup_close_ int fd = open(SELF, O_RDONLY | O_CLOEXEC);
        struct statvfs vfs;
        int seals;

        if (fd < 0)
                return false;
        seals = fcntl(fd, F_GET_SEALS);
        if (seals >= 0 && (seals & ALL_SEALS) == ALL_SEALS)
                return true;
        return (fstatvfs(fd, &vfs) >= 0 && (vfs.f_flag & ST_RDONLY)) || belongs_to_root(fd);
}

static int open_readonly_mount(void) {
        _cleanup_close_ int fd = mount_clone(AT_FDCWD, SELF, 0);
        int r;

        if (fd < 0)
                return fd;
        r = mount_set_attr(fd, MOUNT_ATTR_RDONLY, 0, false);
        return r < 0 ? r : TAKE_FD(fd);
}

static int open_sealed_copy(void) {
        _cleanup_close_ int self = open(SELF, O_RDONLY | O_CLOEXEC), fd = -EBADF;
        struct stat st;

        if (self < 0 || fstat(self, &st) < 0)
                return negative_errno();
        fd = memfd_create("berth-runtime", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        if (fd < 0)
                return negative_errno();
        for (off_t left = st.st_size; left > 0;) {
                ssize_t n = sendfile(fd, self, NULL, (size_t) left);

                if (n <= 0)
                        return n < 0 ? negative_errno() : -EIO;
                left -= n;
        }
        if (fcntl(fd, F_ADD_SEALS, ALL_SEALS) < 0)
                return negative_errno();
        return TAKE_FD(fd);
}

/**
 * self_protect - make sure that our program cannot be changed through us; does not return when it has to
 * start again.
 *
 * Return: 0, or -errno with a message.
 */
int self_protect(char **argv) {
        extern char **environ;
        int fd;

        if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
                return fail_errno(errno, "become non-dumpable");
        if (is_protected())
                return 0;
        fd = open_readonly_mount();
        if (fd < 0)
                fd = open_sealed_copy();
        if (fd < 0)
                return fail_errno(fd, "protect the runtime's own program");
        (void) syscall(SYS_execveat, fd, "", argv, environ, AT_EMPTY_PATH);
        return fail_errno(errno, "start again from a protected program");
}
