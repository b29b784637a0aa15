/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "idmap.h"

#include <inttypes.h>
#include <linux/capability.h>
#include <sched.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>

#include "../../basic/buffer.h"
#include "../../basic/fd.h"
#include "../../basic/file.h"
#include "../../basic/str.h"
#include "../error.h"
#include "../kernel-call.h"
#include "../process/caps.h"
#include "clone-child.h"

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

/** idmap_outside - what the id @inside of a user namespace with @maps is outside. Return: false if it has no
 * such id. */
bool idmap_outside(const SpecIdMap *maps, size_t n, uint32_t inside, uint32_t *ret) {
        for (size_t i = 0; i < n; i++)
                if (inside >= maps[i].inside && inside - maps[i].inside < maps[i].size) {
                        *ret = maps[i].outside + (inside - maps[i].inside);
                        return true;
                }
        return false;
}

/** idmap_contains - whether a user namespace with @maps has the id @inside. */
bool idmap_contains(const SpecIdMap *maps, size_t n, uint32_t inside) {
        uint32_t outside;

        return idmap_outside(maps, n, inside, &outside);
}

static bool is_only(const SpecIdMap *maps, size_t n, uint32_t outside) {
        return n == 1 && maps[0].size == 1 && maps[0].outside == outside;
}

/* Whether this user may not write @maps, but a set-uid helper may on its behalf. */
static bool needs_helper(const SpecIdMap *maps, size_t n, unsigned capability, uint32_t own) {
        return !caps_have(capability) && !is_only(maps, n, own);
}

/** idmap_denies_groups - whether a process in the new user namespace will not be able to change its
 * supplementary groups: a kernel's condition for mapping one's own group without privileges. */
bool idmap_denies_groups(const SpecIdMap *gids, size_t n) {
        return !caps_have(CAP_SETGID) && is_only(gids, n, getegid());
}

/* Return: 0, or -errno with what the helper said in the message. */
static int wait_helper(const char *program, pid_t helper, int output_fd) {
        char text[512];
        size_t size = 0;
        int status = 0;
        pid_t waited;
        ssize_t n;

        while (size < sizeof(text) - 1) {
                n = read(output_fd, text + size, sizeof(text) - 1 - size);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        break;
                size += (size_t) n;
        }
        text[size] = 0;
        text[strcspn(text, "\n")] = 0;
        while ((waited = waitpid(helper, &status, 0)) < 0 && errno == EINTR)
                ;
        if (waited < 0)
                return fail_errno(errno, "wait for %s", program);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
                return 0;
        /* It names itself already. */
        if (size > 0)
                return fail_text(EPERM, "id mappings: %s", text);
        return fail_text(EPERM, "id mappings: %s failed with status %#x", program, (unsigned) status);
}

/* newuidmap and newgidmap know which ranges the administrator has given this user (/etc/subuid). */
static int run_helper(const char *program, pid_t pid, const SpecIdMap *maps, size_t n) {
        _cleanup_strv_ char **argv = new0(char *, 2 + 3 * n + 1);
        posix_spawn_file_actions_t actions;
        _cleanup_close_ int output = -EBADF;
        extern char **environ;
        int pipe_fds[2], r;
        pid_t helper;

        if (!argv || !(argv[0] = strdup(program)) || !(argv[1] = str_printf("%d", (int) pid)))
                return -ENOMEM;
        for (size_t i = 0; i < n; i++)
                if (!(argv[2 + 3 * i] = str_printf("%" PRIu32, maps[i].inside)) ||
                    !(argv[3 + 3 * i] = str_printf("%" PRIu32, maps[i].outside)) ||
                    !(argv[4 + 3 * i] = str_printf("%" PRIu32, maps[i].size)))
                        return -ENOMEM;
        if (pipe2(pipe_fds, O_CLOEXEC) < 0)
                return fail_errno(errno, "pipe");
        output = pipe_fds[0];
        r = posix_spawn_file_actions_init(&actions);
        if (r == 0)
                r = posix_spawn_file_actions_adddup2(&actions, pipe_fds[1], STDERR_FILENO);
        if (r == 0)
                r = posix_spawn_file_actions_adddup2(&actions, pipe_fds[1], STDOUT_FILENO);
        if (r == 0)
                r = posix_spawnp(&helper, program, &actions, NULL, argv, environ);
        (void) posix_spawn_file_actions_destroy(&actions);
        (void) close(pipe_fds[1]);
        if (r == ENOENT)
                return fail_text(r,
                                 "id mappings beyond the user's own id need the program %s (package uidmap)",
                                 program);
        return r != 0 ? fail_errno(r, "start %s", program) : wait_helper(program, helper, output);
}

static int deny_setgroups(pid_t pid) {
        char path[64];
        int r;

        (void) snprintf(path, sizeof(path), "/proc/%d/setgroups", (int) pid);
        r = write_string_at(AT_FDCWD, path, "deny");
        return r < 0 ? fail_errno(r, "write %s", path) : 0;
}

/**
 * idmap_write - give the user namespace of @pid its mappings. An ordinary user can write one mapping, that
 * of its own id; for more there are newuidmap and newgidmap.
 *
 * Return: 0, or -errno with a message.
 */
int idmap_write(pid_t pid, const SpecIdMap *uids, size_t n_uids, const SpecIdMap *gids, size_t n_gids) {
        int r;

        r = needs_helper(uids, n_uids, CAP_SETUID, geteuid()) ? run_helper("newuidmap", pid, uids, n_uids) :
                                                                write_map(pid, "uid_map", uids, n_uids);
        if (r < 0)
                return r;
        if (needs_helper(gids, n_gids, CAP_SETGID, getegid()))
                return run_helper("newgidmap", pid, gids, n_gids);
        if (idmap_denies_groups(gids, n_gids)) {
                r = deny_setgroups(pid);
                if (r < 0)
                        return r;
        }
        return write_map(pid, "gid_map", gids, n_gids);
}

/* A user namespace that exists for its mappings only; the process that made it ends at once. */
static int new_user_namespace(const SpecMount *m) {
        _cleanup_close_ int hold_child = -EBADF, hold = -EBADF, pidfd = -EBADF;
        char path[64], c;
        int pipe_fds[2], fd = -EBADF, r;
        pid_t pid;

        if (pipe2(pipe_fds, O_CLOEXEC) < 0)
                return fail_errno(errno, "pipe");
        hold_child = pipe_fds[0];
        hold = pipe_fds[1];
        pid = clone_into_cgroup(CLONE_NEWUSER, -EBADF, &pidfd);
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
 * idmap_apply - id-map a detached mount by what idmap_namespace() gave.
 *
 * Return: 0, or -errno with a message: file systems that cannot are many.
 */
int idmap_apply(const SpecMount *m, int mount_fd, int user_fd) {
        struct mount_attr attr = { .attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t) user_fd };

        if (sys_mount_setattr(mount_fd, "", AT_EMPTY_PATH | (m->idmap_recursive ? AT_RECURSIVE : 0), &attr) <
            0)
                /* Not what says that the older interface is to be tried. */
                return fail_errno(errno == ENOSYS ? EOPNOTSUPP : errno, "idmap of %s", m->destination);
        return 0;
}

/**
 * idmap_namespace - the user namespace that has the mount's own mappings or, without any, those of the
 * container.
 *
 * Return: its descriptor, or -errno with a message.
 */
int idmap_namespace(const Spec *s, const SpecMount *m) {
        SpecMount with_maps = *m;

        if (m->n_uid_maps == 0 || m->n_gid_maps == 0) {
                with_maps.uid_maps = s->uid_maps;
                with_maps.n_uid_maps = s->n_uid_maps;
                with_maps.gid_maps = s->gid_maps;
                with_maps.n_gid_maps = s->n_gid_maps;
        }
        if (m->n_uid_maps == 0 && s->ns[NS_USER].path) {
                int fd = open(s->ns[NS_USER].path, O_RDONLY | O_CLOEXEC);

                return fd < 0 ? fail_errno(errno, "open user namespace %s", s->ns[NS_USER].path) : fd;
        }
        if (with_maps.n_uid_maps == 0 || with_maps.n_gid_maps == 0)
                return fail_text(EINVAL, "config.json: mounts: %s: idmap without mappings", m->destination);
        return new_user_namespace(&with_maps);
}
