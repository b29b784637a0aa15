/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Nodes of linux.devices for a container with a user namespace of its own, whose process may make none,
 * where the host has none to bind either. They are made before, with the rights of the host, in a file
 * system that nobody else sees: detached, with a number for each device as its name. In the container's
 * mount namespace, or the one its tree is made in, it is mounted while they are bound from it, since a
 * kernel before 6.15 clones nothing that is not mounted.
 */
#include "device-nodes.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../basic/fd.h"
#include "../error.h"
#include "../kernel-call.h"
#include "../namespaces/idmap.h"
#include "mounts.h"

#define NODES_DATA "mode=0711,size=64k" /* its owner is nobody in there, who has to reach the nodes */
#define NAME_SIZE 24

static void format_name(char name[NAME_SIZE], size_t index) {
        (void) snprintf(name, NAME_SIZE, "%zu", index);
}

static bool host_has(const SpecDevice *d) {
        struct stat st;

        return lstat(d->path, &st) >= 0 && (st.st_mode & S_IFMT) == (d->mode & S_IFMT) &&
               st.st_rdev == d->dev;
}

static bool is_missing(const SpecDevice *d) {
        return !S_ISFIFO(d->mode) && !host_has(d);
}

/* Return: 1, 0 where we may make no devices ourselves, -errno with a message. */
static int make_node(const Spec *s, int fd, size_t index) {
        const SpecDevice *d = &s->devices[index];
        char name[NAME_SIZE];
        uint32_t uid, gid;

        if (!idmap_outside(s->uid_maps, s->n_uid_maps, d->uid, &uid) ||
            !idmap_outside(s->gid_maps, s->n_gid_maps, d->gid, &gid))
                return fail_text(
                                EINVAL,
                                "config.json: linux.devices: %s: its owner is not mapped in the user namespace",
                                d->path);
        format_name(name, index);
        if (mknodat(fd, name, d->mode, d->dev) < 0)
                return errno == EPERM ? 0 : fail_errno(errno, "device %s", d->path);
        /* Apart, for the umask has a say in the one above. */
        if (fchmodat(fd, name, d->mode & 07777, 0) < 0 ||
            fchownat(fd, name, uid, gid, AT_SYMLINK_NOFOLLOW) < 0)
                return fail_errno(errno, "device %s", d->path);
        return 1;
}

/**
 * device_nodes_make - make what the container's process will not be able to.
 *
 * Return: a detached mount, -EBADF if there is nothing to make or no right to, or -errno with a message.
 */
int device_nodes_make(const Spec *s) {
        _cleanup_close_ int fd = -EBADF;
        int r;

        if (s->n_devices == 0 || !spec_has_new(s, NS_USER) || geteuid() != 0)
                return -EBADF;
        for (size_t i = 0; i < s->n_devices; i++) {
                if (!is_missing(&s->devices[i]))
                        continue;
                if (fd < 0)
                        fd = mount_new_fs("tmpfs", "devices", NODES_DATA,
                                          MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
                if (fd < 0)
                        return fd == -ENOSYS || fd == -EPERM ? -EBADF : TAKE_FD(fd);
                r = make_node(s, fd, i);
                if (r <= 0)
                        return r < 0 ? r : -EBADF;
        }
        return TAKE_FD(fd);
}

static int clone_nodes(int nodes_fd, size_t n, int *trees) {
        int r = 0;

        for (size_t i = 0; r >= 0 && i < n; i++) {
                _cleanup_close_ int fd = -EBADF;
                char name[NAME_SIZE];

                format_name(name, i);
                fd = openat(nodes_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
                if (fd < 0 && errno == ENOENT) /* the host's is bound */
                        continue;
                trees[i] = fd < 0 ? negative_errno() : mount_clone(fd, "", AT_EMPTY_PATH);
                r = trees[i] < 0 ? fail_errno(trees[i], "the container's devices") : 0;
        }
        return r;
}

/**
 * device_nodes_clone - take detached mounts of the nodes. They are mounted for it, over the root that
 * @root_fd itself does not lose sight of, and for no longer: look-ups inside must not come upon them.
 * Changes the working directory.
 * @n: length of linux.devices and of @trees, which are -EBADF before; one that was not needed stays so.
 *
 * Return: 0, or -errno with a message.
 */
int device_nodes_clone(int nodes_fd, int root_fd, size_t n, int *trees) {
        int r = mount_attach(nodes_fd, root_fd);

        if (r < 0)
                return fail_errno(r, "mount the container's devices");
        r = clone_nodes(nodes_fd, n, trees);
        if (fchdir(nodes_fd) < 0 || umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
                return r < 0 ? r : fail_errno(errno, "take the mount of the container's devices away");
        return r;
}
