/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "idmap.h"

#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <sys/wait.h>

#include "../basic/buffer.h"
#include "../basic/fd.h"
#include "error.h"
#include "kernel-call.h"

static int write_map(pid_t pid, const char *file, const SpecIdMap *maps, size_t n) {
        _cleanup_buffer_ Buffer b = BUFFER_INIT(64 * 1024);
        _cleanup_close_ int fd = -EBADF;
        char path[64];
        int r;

        for (size_t i = 0; i < n; i++) {
                r = buffer_appendf(&b, "%" PRIu32 " %" PRIu32 " %" PRIu32 "\n", maps[i].inside,
                                   maps[i].outside, maps[i].size);
                if (r < 0)
                        return r;
        }
        (void) snprintf(path, sizeof(path), "/proc/%d/%s", (int) pid, file);
        fd = open(path, O_WRONLY | O_CLOEXEC);
        /* The kernel takes the whole map in one write only. */
        if (fd < 0 || write(fd, b.data, b.size) != (ssize_t) b.size)
                return fail_errno(errno, "write %s", path);
        return 0;
}

/** idmap_write - give the user namespace of @pid its mappings. Return: 0, or -errno with a message. */
int idmap_write(pid_t pid, const SpecIdMap *uids, size_t n_uids, const SpecIdMap *gids, size_t n_gids) {
        int r;

        r = write_map(pid, "uid_map", uids, n_uids);
        return r < 0 ? r : write_map(pid, "gid_map", gids, n_gids);
}

/* A user namespace that exists for its mappings only; the process that made it ends at once. */
static int new_user_namespace(const SpecMount *m) {
        struct clone_args args = { .flags = CLONE_NEWUSER, .exit_signal = SIGCHLD };
        _cleanup_close_ int hold_child = -EBADF, hold = -EBADF;
        char path[64], c;
        int pipe_fds[2], fd = -EBADF, r;
        pid_t pid;

        if (pipe2(pipe_fds, O_CLOEXEC) < 0)
                return fail_errno(errno, "pipe");
        hold_child = pipe_fds[0];
        hold = pipe_fds[1];
        pid = (pid_t) syscall(SYS_clone3, &args, sizeof(args));
        if (pid < 0)
                return fail_errno(errno, "idmap of %s: new user namespace", m->destination);
        if (pid == 0) {
                (void) close(hold);
                (void) !read(hold_child, &c, 1);
                _exit(0);
        }
        r = idmap_write(pid, m->uid_maps, m->n_uid_maps, m->gid_maps, m->n_gid_maps);
        if (r >= 0) {
                (void) snprintf(path, sizeof(path), "/proc/%d/ns/user", (int) pid);
                fd = open(path, O_RDONLY | O_CLOEXEC);
                r = fd < 0 ? fail_errno(errno, "open %s", path) : fd;
        }
        hold = safe_close(hold);
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
                ;
        return r;
}

/**
 * idmap_apply - id-map a detached mount with the mount's own mappings or, without any, those of the
 * container.
 *
 * Return: 0, -EOPNOTSUPP where the file system cannot, or -errno, with a message.
 */
int idmap_apply(const Spec *s, const SpecMount *m, int mount_fd) {
        struct mount_attr attr = { .attr_set = MOUNT_ATTR_IDMAP };
        SpecMount with_maps = *m;
        _cleanup_close_ int fd = -EBADF;

        if (m->n_uid_maps == 0 || m->n_gid_maps == 0) {
                with_maps.uid_maps = s->uid_maps;
                with_maps.n_uid_maps = s->n_uid_maps;
                with_maps.gid_maps = s->gid_maps;
                with_maps.n_gid_maps = s->n_gid_maps;
        }
        if (with_maps.n_uid_maps == 0 || with_maps.n_gid_maps == 0)
                return fail_text(EINVAL, "config.json: mounts: %s: idmap without mappings", m->destination);
        fd = new_user_namespace(&with_maps);
        if (fd < 0)
                return fd;
        attr.userns_fd = (uint64_t) fd;
        if (sys_mount_setattr(mount_fd, "", AT_EMPTY_PATH | (m->idmap_recursive ? AT_RECURSIVE : 0), &attr) <
            0)
                return fail_errno(errno, "idmap of %s", m->destination);
        return 0;
}
