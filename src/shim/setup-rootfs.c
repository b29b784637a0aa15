/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../basic/buffer.h"
#include "../basic/fd.h"
#include "../basic/str.h"
#include "setup.h"

/*
 * The overlay is mounted in a mount namespace of our own, which the runtime inherits: on the host no mount
 * ever shows up. Layers are given one by one (lowerdir+, Linux 6.7). An older kernel takes at most 255 bytes
 * per option by fsconfig(2), three layers, and a page for all options by mount(2): there the layers are
 * opened and named by their descriptors' numbers, from inside /proc/self/fd.
 */
#ifndef FSOPEN_CLOEXEC
#define FSOPEN_CLOEXEC 1
#endif
#define FS_SET_FLAG 0
#define FS_SET_STRING 1
#define FS_CMD_CREATE 6
#define LAYERS_MAX 500 /* OVL_MAX_STACK of the kernel */
#define MOUNT_OPTIONS_MAX 4095

static int set_string(int fs, const char *key, const char *value) {
        return syscall(SYS_fsconfig, fs, FS_SET_STRING, key, value, 0) < 0 ? negative_errno() : 0;
}

static int set_lower_each(Setup *s, int fs) {
        for (size_t i = 0;; i++) {
                const char *name = fields_get_nth(&s->conf, "lower", i);
                _cleanup_free_ char *path = NULL;
                int r;

                if (!name)
                        return 0;
                path = str_concat(BERTH_LAYERS_DIR "/", name);
                if (!path)
                        return -ENOMEM;
                r = set_string(fs, "lowerdir+", path);
                if (r < 0)
                        return r;
        }
}

static int check_layers(Setup *s) {
        const char *name = fields_get(&s->conf, "lower");

        if (!name)
                return setup_fail(s, -EINVAL, 128, "The container has no image layers");
        for (size_t i = 0; (name = fields_get_nth(&s->conf, "lower", i)); i++) {
                if (name[0] == '.' || strchr(name, '/') || strchr(name, ':'))
                        return setup_fail(s, -EINVAL, 128, "Invalid layer name '%s'", name);
                if (access(name, F_OK) < 0)
                        return setup_fail(s, negative_errno(), 128, "Layer %s of the image is missing",
                                          name);
        }
        return 0;
}

/*
 * The end of an overlay writes the whole upper file system to disk, everybody's data included, and so would
 * the end of every container. One that is removed with its end has nothing to keep.
 */
static bool is_volatile(Setup *s) {
        return fields_get_bool(&s->conf, "auto-remove");
}

/* A volatile overlay forbids its own next mount; ours only has one if a start is tried again. */
static void forget_volatile(Setup *s) {
        char path[256];

        (void) snprintf(path, sizeof(path), BERTH_CONTAINERS_DIR "/%s/work/work/incompat/volatile", s->id);
        if (is_volatile(s) && rmdir(path) >= 0) {
                *strrchr(path, '/') = 0;
                (void) rmdir(path);
        }
}

static int configure(Setup *s, int fs) {
        char path[256];
        int r;

        /* Kernels before 6.5 take any key for overlayfs, fail at the end, and complain in the kernel log. */
        if (set_string(fs, "no-such-option", "1") >= 0)
                return -EINVAL;
        r = set_lower_each(s, fs);
        if (r < 0)
                return r;
        (void) snprintf(path, sizeof(path), BERTH_CONTAINERS_DIR "/%s/upper", s->id);
        r = set_string(fs, "upperdir", path);
        if (r < 0)
                return r;
        (void) snprintf(path, sizeof(path), BERTH_CONTAINERS_DIR "/%s/work", s->id);
        r = set_string(fs, "workdir", path);
        if (r < 0)
                return r;
        /* xattr-only copies of changed metadata would make layers depend on each other in ways `commit`
         * cannot see. */
        (void) set_string(fs, "metacopy", "off");
        if (is_volatile(s) && syscall(SYS_fsconfig, fs, FS_SET_FLAG, "volatile", NULL, 0) < 0)
                return negative_errno();
        return syscall(SYS_fsconfig, fs, FS_CMD_CREATE, NULL, NULL, 0) < 0 ? negative_errno() : 0;
}

static int mount_by_fsconfig(Setup *s, const char *target) {
        _cleanup_close_ int fs = -EBADF, mnt = -EBADF;
        int r;

        fs = (int) syscall(SYS_fsopen, "overlay", FSOPEN_CLOEXEC);
        if (fs < 0)
                return negative_errno();
        r = configure(s, fs);
        if (r < 0)
                return r;
        mnt = (int) syscall(SYS_fsmount, fs, 1 /* FSMOUNT_CLOEXEC */, 0);
        if (mnt < 0 ||
            syscall(SYS_move_mount, mnt, "", AT_FDCWD, target, 4 /* MOVE_MOUNT_F_EMPTY_PATH */) < 0)
                return negative_errno();
        return 0;
}

static int join_layers(Setup *s, Buffer *options, int *fds, size_t *n_fds) {
        int r = buffer_appendf(options,
                               "%smetacopy=off,upperdir=" BERTH_CONTAINERS_DIR
                               "/%s/upper,workdir=" BERTH_CONTAINERS_DIR
                               "/%s/work,lowerdir=",
                               is_volatile(s) ? "volatile," : "", s->id, s->id);

        for (size_t i = 0; r >= 0; i++) {
                const char *name = fields_get_nth(&s->conf, "lower", i);

                if (!name)
                        break;
                if (i >= LAYERS_MAX)
                        return -E2BIG;
                fds[i] = open(name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
                if (fds[i] < 0)
                        return negative_errno();
                *n_fds = i + 1;
                r = buffer_appendf(options, "%s%d", i > 0 ? ":" : "", fds[i]);
        }
        return r >= 0 && options->size > MOUNT_OPTIONS_MAX ? -E2BIG : r;
}

/* The layers have to be opened in this mount namespace: overlayfs refuses mounts of another one. */
static int mount_by_descriptors(Setup *s, const char *target) {
        _cleanup_buffer_ Buffer options = BUFFER_INIT(64 * 1024);
        int fds[LAYERS_MAX];
        size_t n_fds = 0;
        int r;

        r = join_layers(s, &options, fds, &n_fds);
        if (r >= 0 &&
            (chdir("/proc/self/fd") < 0 || mount("overlay", target, "overlay", 0, options.data) < 0))
                r = negative_errno();
        for (size_t i = 0; i < n_fds; i++)
                (void) safe_close(fds[i]);
        return r;
}

/** rootfs_mount - a private mount namespace with the container's root at run_dir/rootfs. Return: 0 or
 * -errno. */
int rootfs_mount(Setup *s) {
        char target[160];
        int r;

        (void) snprintf(target, sizeof(target), "%s/rootfs", s->run_dir);
        if (mkdir(target, 0755) < 0 && errno != EEXIST)
                return setup_fail(s, negative_errno(), 128, "Cannot create %s", target);
        if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
                return setup_fail(s, negative_errno(), 128, "Cannot make a mount namespace");
        (void) mkdirat(s->dir_fd, "upper", 0755);
        (void) mkdirat(s->dir_fd, "work", 0700);
        if (chdir(BERTH_LAYERS_DIR) < 0)
                return setup_fail(s, negative_errno(), 128, "No layers at " BERTH_LAYERS_DIR);
        r = check_layers(s);
        if (r < 0)
                return r;
        forget_volatile(s);
        r = mount_by_fsconfig(s, target);
        if (r == -EINVAL || r == -ENOSYS)
                r = mount_by_descriptors(s, target);
        if (r == -ENODEV)
                return setup_fail(s, r, 128, "The kernel has no overlayfs");
        if (r < 0)
                return setup_fail(s, r, 128, "Cannot stack the image's layers");
        s->root_fd = open(target, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (s->root_fd < 0)
                return negative_errno();
        (void) !chdir("/");
        return 0;
}
