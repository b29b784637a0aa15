/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "devices.h"

#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "../../basic/fd.h"
#include "../../basic/str.h"
#include "../error.h"
#include "../kernel-call.h"
#include "device-nodes.h"
#include "mounts-legacy.h"
#include "root-path.h"
#include "root-tree.h"

/* makedev() is no constant expression; small numbers are the plain old encoding. */
#define SMALL_DEV(major, minor) ((dev_t) ((major) << 8 | (minor)))

static const SpecDevice defaults[] = {
        { "/dev/null", S_IFCHR | 0666, SMALL_DEV(1, 3), 0, 0 },
        { "/dev/zero", S_IFCHR | 0666, SMALL_DEV(1, 5), 0, 0 },
        { "/dev/full", S_IFCHR | 0666, SMALL_DEV(1, 7), 0, 0 },
        { "/dev/random", S_IFCHR | 0666, SMALL_DEV(1, 8), 0, 0 },
        { "/dev/urandom", S_IFCHR | 0666, SMALL_DEV(1, 9), 0, 0 },
        { "/dev/tty", S_IFCHR | 0666, SMALL_DEV(5, 0), 0, 0 },
};

static const struct {
        const char *name, *target;
} links[] = {
        { "fd", "/proc/self/fd" },
        { "stdin", "/proc/self/fd/0" },
        { "stdout", "/proc/self/fd/1" },
        { "stderr", "/proc/self/fd/2" },
        { "ptmx", "pts/ptmx" },
};

static bool is_device(const struct stat *st, const SpecDevice *d) {
        return (st->st_mode & S_IFMT) == (d->mode & S_IFMT) &&
               (S_ISFIFO(st->st_mode) || st->st_rdev == d->dev);
}

/**
 * null_device_open - O_PATH of the host's /dev/null, verified to be it. Must be called before the root is
 * changed.
 *
 * Return: the descriptor, or -errno with a message.
 */
int null_device_open(void) {
        _cleanup_close_ int fd = open("/dev/null", O_PATH | O_NOFOLLOW | O_CLOEXEC);
        struct stat st;

        if (fd < 0 || fstat(fd, &st) < 0)
                return fail_errno(errno, "open /dev/null");
        if (!is_device(&st, &defaults[0]))
                return fail_text(ENODEV, "/dev/null is not the null device");
        return TAKE_FD(fd);
}

/*
 * Where nodes cannot be made (user namespace, no CAP_MKNOD) the host's own node is bound.
 * @made_fd: a detached mount of one that was made for it, consumed; or -EBADF.
 */
static int bind_device(const SpecDevice *d, int made_fd, int parent_fd, const char *name) {
        _cleanup_close_ int source = -EBADF, tree = made_fd, file = -EBADF, target = -EBADF;
        struct stat st;
        int r;

        if (tree < 0)
                source = open(d->path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        if ((tree < 0 && source < 0) || fstat(tree < 0 ? source : tree, &st) < 0)
                return fail_errno(errno, "device %s", d->path);
        if (!is_device(&st, d))
                return fail_text(ENODEV, "device %s: the host has another one there", d->path);
        if (tree < 0)
                tree = mount_clone(source, "", AT_EMPTY_PATH);
        if (tree < 0 && tree != -ENOSYS)
                return fail_errno(tree, "bind device %s", d->path);
        /* What the image has there is not opened: it may be a device or a pipe. */
        file = openat(parent_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
        target = openat(parent_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        if (target < 0)
                return fail_errno(errno, "device %s", d->path);
        r = tree < 0 ? legacy_bind(source, target, false) : mount_attach(tree, target);
        return r < 0 ? fail_errno(r, "bind device %s", d->path) : 0;
}

/* The image has something where the device belongs, and it is not this device. */
static int fail_conflict(const SpecDevice *d, const struct stat *st) {
        if ((st->st_mode & S_IFMT) != (d->mode & S_IFMT))
                return fail_text(EEXIST, "device %s has incorrect ftype: %#o doesn't match expected %#o",
                                 d->path, (unsigned) (st->st_mode & S_IFMT), (unsigned) (d->mode & S_IFMT));
        return fail_text(EEXIST, "device %s has incorrect major:minor: %u:%u doesn't match expected %u:%u",
                         d->path, major(st->st_rdev), minor(st->st_rdev), major(d->dev), minor(d->dev));
}

/* Whether the root is a directory of a mount namespace where nothing may be mounted. */
static bool is_plain_directory(const Spec *s) {
        return !spec_has_new(s, NS_MOUNT) && !root_tree_is_needed(s);
}

/* @made_fd: as for bind_device(). */
static int make_device(const Spec *s, const SpecDevice *d, int made_fd, int parent_fd, const char *name) {
        _cleanup_close_ int fd = -EBADF;
        struct stat st, dir;
        bool made;

        if (s->ns[NS_USER].present && !S_ISFIFO(d->mode))
                return bind_device(d, made_fd, parent_fd, name);
        made = mknodat(parent_fd, name, d->mode, d->dev) >= 0;
        if (!made && errno == EPERM && !is_plain_directory(s))
                return bind_device(d, -EBADF, parent_fd, name);
        if (!made && errno != EEXIST)
                return fail_errno(errno, "device %s", d->path);
        if (made && d->uid == 0 && d->gid == 0)
                return 0;
        fd = openat(parent_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 || fstat(fd, &st) < 0)
                return fail_errno(errno, "device %s", d->path);
        if (!is_device(&st, d))
                return fail_conflict(d, &st);
        if (fstat(parent_fd, &dir) < 0)
                return fail_errno(errno, "device %s", d->path);
        if (st.st_dev != dir.st_dev) /* bound by a mount of the configuration: the host's own node */
                return 0;
        if (fchownat(fd, "", d->uid, d->gid, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) < 0)
                return fail_errno(errno, "owner of device %s", d->path);
        return 0;
}

static bool is_listed(const Spec *s, const char *path) {
        for (size_t i = 0; i < s->n_devices; i++)
                if (streq(s->devices[i].path, path))
                        return true;
        return false;
}

static int make_listed(const Spec *s, int root_fd, int *made_fd, size_t index) {
        const SpecDevice *d = &s->devices[index];
        _cleanup_close_ int parent = -EBADF;
        _cleanup_free_ char *dir = strdup(d->path);
        size_t n = strlen(d->path);
        char *slash;

        if (!dir)
                return -ENOMEM;
        while (n > 1 && dir[n - 1] == '/')
                dir[--n] = 0;
        slash = strrchr(dir, '/');
        *slash = 0;
        if (!slash[1] || streq(slash + 1, "..") || streq(slash + 1, "."))
                return fail_text(EINVAL, "config.json: linux.devices: %s: not a device path", d->path);
        parent = root_path_ensure(root_fd, isempty(dir) ? "/" : dir, true, 0);
        if (parent < 0)
                return fail_errno(parent, "device %s", d->path);
        return make_device(s, d, made_fd ? TAKE_FD(*made_fd) : -EBADF, parent, slash + 1);
}

/* Where the host's node would have to be bound, which need not even be one, the link to the container's own
 * terminals is meant. */
static bool is_own_ptmx(const Spec *s, const SpecDevice *d) {
        return s->ns[NS_USER].present && streq(d->path, "/dev/ptmx") && S_ISCHR(d->mode) &&
               d->dev == SMALL_DEV(5, 2);
}

static int make_all_listed(const Spec *s, int root_fd, int nodes_fd) {
        _cleanup_free_ int *made = NULL;
        int r = 0;

        if (nodes_fd >= 0) {
                made = new0(int, s->n_devices);
                if (!made)
                        return -ENOMEM;
                for (size_t i = 0; i < s->n_devices; i++)
                        made[i] = -EBADF;
                r = device_nodes_clone(nodes_fd, root_fd, s->n_devices, made);
        }
        for (size_t i = 0; r >= 0 && i < s->n_devices; i++)
                if (!is_own_ptmx(s, &s->devices[i]))
                        r = make_listed(s, root_fd, made ? &made[i] : NULL, i);
        for (size_t i = 0; made && i < s->n_devices; i++)
                (void) safe_close(made[i]);
        return r;
}

static bool dev_is_bound(const Spec *s) {
        bool bound = false;

        for (size_t i = 0; i < s->n_mounts; i++) {
                const char *rest = startswith(s->mounts[i].destination, "/dev");

                if (rest && strspn(rest, "/") == strlen(rest) && !s->mounts[i].remount)
                        bound = s->mounts[i].bind;
        }
        return bound;
}

/* Somebody has mounted it, maybe the host's own. */
static bool dev_is_mounted(int root_fd, int dev_fd) {
        struct stat root, dev;

        return fstat(root_fd, &root) >= 0 && fstat(dev_fd, &dev) >= 0 && root.st_dev != dev.st_dev;
}

static int make_links(int dev_fd) {
        for (size_t i = 0; i < ELEMENTSOF(links); i++)
                if (symlinkat(links[i].target, dev_fd, links[i].name) < 0 && errno != EEXIST)
                        return fail_errno(errno, "link /dev/%s", links[i].name);
        return 0;
}

/**
 * devices_setup - the default devices and links below /dev, and those the spec lists. A /dev that is a bind
 * mount is the caller's own and left alone.
 * @nodes_fd: from device_nodes_make(), or -EBADF.
 *
 * Return: 0, or -errno with a message.
 */
int devices_setup(const Spec *s, int root_fd, int nodes_fd) {
        _cleanup_close_ int dev_fd = -EBADF;
        mode_t saved;
        int r = 0;

        if (dev_is_bound(s))
                return 0;
        dev_fd = root_path_ensure(root_fd, "/dev", true, 0);
        if (dev_fd < 0)
                return fail_errno(dev_fd, "/dev in the root file system");
        if (is_plain_directory(s) && dev_is_mounted(root_fd, dev_fd))
                return 0;
        saved = umask(0);
        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(defaults); i++)
                if (!is_listed(s, defaults[i].path))
                        r = make_device(s, &defaults[i], -EBADF, dev_fd, defaults[i].path + strlen("/dev/"));
        if (r >= 0)
                r = make_all_listed(s, root_fd, nodes_fd);
        (void) umask(saved);
        return r < 0 ? r : make_links(dev_fd);
}
