/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rootfs.h"

#include <sys/stat.h>

#include "../../basic/fd.h"
#include "../../basic/str.h"
#include "../error.h"
#include "../kernel-call.h"
#include "hide-host.h"
#include "mount-label.h"
#include "mounts-legacy.h"
#include "root-path.h"

static int mount_of(int fd, uint64_t *ret) {
        struct statx sx;

        if (statx(fd, "", AT_EMPTY_PATH | AT_NO_AUTOMOUNT, STATX_MNT_ID, &sx) < 0)
                return negative_errno();
        if (!(sx.stx_mask & STATX_MNT_ID))
                return -EOPNOTSUPP;
        *ret = sx.stx_mnt_id;
        return 0;
}

/* The mount that @path lies on, by the descriptor of its root: as far up as the mount stays the same. */
static int make_mount_private(const char *path) {
        _cleanup_close_ int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        struct stat a, b;
        uint64_t id, above;
        int r;

        if (fd < 0)
                return negative_errno();
        r = mount_of(fd, &id);
        while (r >= 0) {
                _cleanup_close_ int up = openat(fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);

                if (up < 0 || fstat(fd, &a) < 0 || fstat(up, &b) < 0)
                        return negative_errno();
                r = mount_of(up, &above);
                if (r < 0)
                        return r;
                if (above != id || (a.st_dev == b.st_dev && a.st_ino == b.st_ino))
                        break;
                (void) safe_close(fd);
                fd = TAKE_FD(up);
        }
        if (r < 0)
                return r;
        r = mount_set_propagation(fd, MS_PRIVATE, false);
        return r == -ENOSYS ? legacy_set_propagation(fd, MS_PRIVATE, false) : r;
}

/**
 * rootfs_open - the directory that is to be the root. In a mount namespace that is not the host's, whoever
 * lives there says where paths lead, but not into descriptors and processes.
 *
 * Return: an O_PATH descriptor, or -errno with a message.
 */
int rootfs_open(const Spec *s, const char *path) {
        _cleanup_close_ int fd = -EBADF;
        struct stat st;

        if (!s->ns[NS_MOUNT].path)
                fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        else {
                fd = root_path_open(AT_FDCWD, path, 0);
                errno = fd < 0 ? -fd : 0;
        }
        if (fd < 0)
                return fail_errno(errno, "root file system %s", path);
        if (s->ns[NS_MOUNT].path && (fstat(fd, &st) < 0 || !S_ISDIR(st.st_mode)))
                return fail_errno(ENOTDIR, "root file system %s", path);
        return TAKE_FD(fd);
}

/**
 * rootfs_prepare - cut the new mount namespace off from the host's and make @path a mount of its own.
 *
 * Return: an O_PATH descriptor of the root, or -errno with a message.
 */
int rootfs_prepare(const Spec *s, const char *path) {
        unsigned long propagation = s->rootfs_propagation == MS_PRIVATE ? MS_PRIVATE : MS_SLAVE;
        bool shared = s->rootfs_propagation == MS_SHARED;
        _cleanup_close_ int target = -EBADF, tree = -EBADF, root = -EBADF;
        int r;

        /* What is to be shared stays so; only where the root file system appears the host must not see it.
         */
        if (shared)
                r = make_mount_private(path);
        else
                r = sys_mount(NULL, "/", NULL, MS_REC | propagation, NULL) < 0 ? negative_errno() : 0;
        if (r < 0)
                return fail_errno(r, "propagation of %s", shared ? path : "/");
        target = rootfs_open(s, path);
        if (target < 0)
                return target;
        tree = mount_clone(target, "", AT_EMPTY_PATH | AT_RECURSIVE);
        if (tree == -ENOSYS && !spec_has_new(s, NS_MOUNT))
                return fail_text(EOPNOTSUPP, "mounts without a new mount namespace need open_tree()");
        if (tree == -ENOSYS) {
                if (sys_mount(path, path, NULL, MS_BIND | MS_REC, NULL) < 0)
                        return fail_errno(errno, "mount root file system %s", path);
                root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
                if (root < 0)
                        return fail_errno(errno, "root file system %s", path);
                r = shared ? legacy_set_propagation(root, MS_PRIVATE, true) : 0;
                return r < 0 ? fail_errno(r, "propagation of %s", path) : TAKE_FD(root);
        }
        if (tree < 0)
                return fail_errno(tree, "root file system %s", path);
        r = shared ? mount_set_propagation(tree, MS_PRIVATE, true) : 0;
        if (r < 0)
                return fail_errno(r, "propagation of %s", path);
        r = mount_attach(tree, target);
        return r < 0 ? fail_errno(r, "mount root file system %s", path) : TAKE_FD(tree);
}

#define MASK_DATA "size=0k,nr_inodes=2,mode=0755"
#define MASK_ATTR (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)

/* Directories are covered by one empty read-only tmpfs, shared by all of them. */
static int mask_directory(const char *label, int target, int *empty_fd, const char *path) {
        _cleanup_close_ int copy = -EBADF;
        int fd, r;

        if (*empty_fd >= 0) {
                copy = mount_clone(*empty_fd, "", AT_EMPTY_PATH);
                if (copy >= 0) {
                        r = mount_attach(copy, target);
                        return r < 0 ? fail_errno(r, "mask %s", path) : 0;
                }
        }
        fd = mount_new_labeled("tmpfs", "tmpfs", MASK_DATA, label, "context", MASK_ATTR);
        if (fd == -ENOSYS) {
                _cleanup_free_ char *data = mount_data_with_label(MASK_DATA, label, "context");

                r = data ? legacy_new_fs("tmpfs", "tmpfs", data, MASK_ATTR, 0, target) : -ENOMEM;
                return r < 0 ? fail_errno(r, "mask %s", path) : 0;
        }
        if (fd < 0)
                return fd;
        r = mount_attach(fd, target);
        if (r < 0) {
                (void) safe_close(fd);
                return fail_errno(r, "mask %s", path);
        }
        (void) safe_close(*empty_fd);
        *empty_fd = fd;
        return 0;
}

static int mask_path(const char *label, int root_fd, int null_fd, int *empty_fd, const char *path) {
        _cleanup_close_ int target = -EBADF, tree = -EBADF;
        struct stat st;
        int r;

        target = root_path_open(root_fd, path, 0);
        if (target == -ENOENT || target == -ENOTDIR)
                return 0;
        if (target < 0 || fstat(target, &st) < 0)
                return fail_errno(target < 0 ? target : errno, "mask %s", path);
        if (S_ISDIR(st.st_mode))
                return mask_directory(label, target, empty_fd, path);
        tree = mount_clone(null_fd, "", AT_EMPTY_PATH);
        if (tree == -ENOSYS)
                r = legacy_bind(null_fd, target, false);
        else
                r = tree < 0 ? tree : mount_attach(tree, target);
        return r < 0 ? fail_errno(r, "mask %s", path) : 0;
}

/* mount(2) cannot make the mounts below read-only too. */
static int legacy_readonly(int root_fd, int target, const char *path) {
        _cleanup_close_ int mounted = -EBADF;
        int r = legacy_bind(target, target, true);

        if (r >= 0)
                r = mounted = root_path_open(root_fd, path, 0);
        if (r >= 0)
                r = legacy_set_attr(mounted, MOUNT_ATTR_RDONLY, 0);
        return r < 0 ? fail_errno(r, "read-only path %s", path) : 0;
}

static int make_readonly(int root_fd, const char *path) {
        _cleanup_close_ int target = -EBADF, tree = -EBADF;
        int r;

        target = root_path_open(root_fd, path, 0);
        if (target == -ENOENT || target == -ENOTDIR)
                return 0;
        if (target < 0)
                return fail_errno(target, "read-only path %s", path);
        tree = mount_clone(target, "", AT_EMPTY_PATH | AT_RECURSIVE);
        if (tree == -ENOSYS)
                return legacy_readonly(root_fd, target, path);
        if (tree < 0)
                return fail_errno(tree, "read-only path %s", path);
        r = mount_set_attr(tree, MOUNT_ATTR_RDONLY, 0, true);
        if (r >= 0)
                r = mount_attach(tree, target);
        return r < 0 ? fail_errno(r, "read-only path %s", path) : 0;
}

/* One mask is enough: engines add their own to those of the user. */
static bool is_repeated(const char **first, const char **p) {
        for (; first < p; first++)
                if (streq(*first, *p))
                        return true;
        return false;
}

/**
 * rootfs_protect - read-only paths, masked paths, read-only root; after all mounts are made.
 * @null_fd: the verified null device.
 */
int rootfs_protect(const Spec *s, int root_fd, int null_fd) {
        _cleanup_close_ int empty_fd = -EBADF;
        int r;

        for (const char **p = s->readonly_paths; p && *p; p++) {
                r = make_readonly(root_fd, *p);
                if (r < 0)
                        return r;
        }
        for (const char **p = s->masked; p && *p; p++) {
                if (is_repeated(s->masked, p))
                        continue;
                r = mask_path(isempty(s->mount_label) ? NULL : s->mount_label, root_fd, null_fd, &empty_fd,
                              *p);
                if (r < 0)
                        return r;
        }
        if (s->readonly) {
                r = mount_set_attr(root_fd, MOUNT_ATTR_RDONLY, 0, false);
                if (r == -ENOSYS)
                        r = legacy_set_attr(root_fd, MOUNT_ATTR_RDONLY, 0);
                if (r < 0)
                        return fail_errno(r, "read-only root file system");
        }
        return 0;
}

static int enter_by_pivot(const Spec *s, int root_fd) {
        _cleanup_close_ int old_fd = -EBADF;

        if (s->rootfs_propagation == MS_SHARED) {
                old_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
                if (old_fd < 0)
                        return fail_errno(errno, "open /");
        }
        if (fchdir(root_fd) < 0 || sys_pivot_root(".", ".") < 0)
                return fail_errno(errno, "pivot_root");
        /* Taking the host's mounts away here is no business of the host. */
        if (old_fd >= 0 && (fchdir(old_fd) < 0 || sys_mount(NULL, ".", NULL, MS_SLAVE | MS_REC, NULL) < 0))
                return fail_errno(errno, "propagation of the old root");
        /* The old root lies on top of the new one now, at ".". */
        if (sys_umount2(".", MNT_DETACH_FLAG) < 0)
                return fail_errno(errno, "unmount the old root");
        return chdir("/") < 0 ? fail_errno(errno, "chdir /") : 0;
}

/* For a host whose root cannot be pivoted away, as in an initial RAM disk. */
static int enter_by_move(const Spec *s, int root_fd, const char *path) {
        int r = hide_host_views(path, s->rootfs_propagation == MS_SHARED);

        if (r < 0)
                return r;
        if (fchdir(root_fd) < 0 || sys_mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0 ||
            chdir("/") < 0)
                return fail_errno(errno, "move the root file system");
        return 0;
}

/** rootfs_enter - make @root_fd, which is at @path, the root of this mount namespace, with nothing of the
 * host's in sight. */
int rootfs_enter(const Spec *s, int root_fd, const char *path, bool pivot) {
        unsigned long recursive = s->rootfs_propagation_recursive ? MS_REC : 0;
        int r;

        r = pivot ? enter_by_pivot(s, root_fd) : 0;
        if (!pivot || (r == -EINVAL && root_is_mounted_on_nothing()))
                r = enter_by_move(s, root_fd, path);
        if (r < 0)
                return r;
        if ((s->rootfs_propagation == MS_SHARED || s->rootfs_propagation == MS_UNBINDABLE) &&
            sys_mount(NULL, "/", NULL, (unsigned long) s->rootfs_propagation | recursive, NULL) < 0)
                return fail_errno(errno, "propagation of the root file system");
        return 0;
}
