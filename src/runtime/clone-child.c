/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A child in new namespaces and in its cgroup from its first instruction: clone3(CLONE_INTO_CGROUP). Where
 * an outer filter refuses clone3() (it cannot look into its argument, so older container engines do) the
 * child is made by clone(), and held back until it was moved.
 */
#include "clone-child.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

#include "../basic/fd.h"
#include "kernel-call.h"

static pid_t legacy_clone(uint64_t flags, int *ret_pidfd) {
        unsigned long f = (unsigned long) (flags | CLONE_PIDFD | SIGCHLD);

#ifdef __s390__
        return (pid_t) syscall(SYS_clone, NULL, f, ret_pidfd, NULL, NULL);
#else
        return (pid_t) syscall(SYS_clone, f, NULL, ret_pidfd, NULL, NULL);
#endif
}

static int move_to_cgroup(int cgroup_fd, pid_t pid) {
        _cleanup_close_ int fd = -EBADF;
        char text[16];
        int n;

        if (cgroup_fd < 0)
                return 0;
        fd = openat(cgroup_fd, "cgroup.procs", O_WRONLY | O_CLOEXEC);
        n = snprintf(text, sizeof(text), "%d", (int) pid);
        return fd < 0 || write(fd, text, (size_t) n) != n ? negative_errno() : 0;
}

/**
 * clone_and_move - as clone_into_cgroup(), in two steps: the child returns 0 when it is where it belongs,
 * and ends when its parent does before. For kernels without clone3(), and for a cgroup that somebody has
 * used before: since 6.14 (seen with 6.18) the kernel kills who is cloned into a cgroup that cgroup.kill was
 * ever written to.
 */
pid_t clone_and_move(uint64_t flags, int cgroup_fd, int *ret_pidfd) {
        _cleanup_close_ int gate = -EBADF, key = -EBADF;
        int ends[2], r;
        char c = 0;
        pid_t pid;

        if (pipe2(ends, O_CLOEXEC) < 0)
                return -1;
        gate = ends[0];
        key = ends[1];
        pid = legacy_clone(flags, ret_pidfd);
        if (pid < 0)
                return pid;
        if (pid == 0) {
                key = safe_close(key);
                while ((r = (int) read(gate, &c, 1)) < 0 && errno == EINTR)
                        ;
                if (r != 1)
                        _exit(1);
                return 0;
        }
        r = move_to_cgroup(cgroup_fd, pid);
        if (r >= 0 && write(key, &c, 1) == 1)
                return pid;
        (void) kill(pid, SIGKILL);
        while (waitpid(pid, NULL, __WALL) < 0 && errno == EINTR)
                ;
        *ret_pidfd = safe_close(*ret_pidfd);
        errno = r < 0 ? -r : EPIPE;
        return -1;
}

/**
 * clone_into_cgroup - fork with CLONE_NEW... and CLONE_PARENT @flags into the cgroup of @cgroup_fd (-EBADF:
 * stay in ours).
 * @ret_pidfd: in the parent a pidfd of the child, close-on-exec.
 *
 * Return: as fork(), with errno.
 */
pid_t clone_into_cgroup(uint64_t flags, int cgroup_fd, int *ret_pidfd) {
        struct clone_args args = {
                .flags = flags | CLONE_PIDFD | (cgroup_fd >= 0 ? CLONE_INTO_CGROUP : 0),
                .pidfd = (uint64_t) (uintptr_t) ret_pidfd,
                .exit_signal = flags & CLONE_PARENT ? 0 : SIGCHLD,
                .cgroup = cgroup_fd >= 0 ? (uint64_t) cgroup_fd : 0,
        };
        pid_t pid = (pid_t) syscall(SYS_clone3, &args, sizeof(args));

        /* An EPERM that is not the filter's comes back from clone() too. */
        if (pid >= 0 || (errno != ENOSYS && errno != EPERM))
                return pid;
        return clone_and_move(flags, cgroup_fd, ret_pidfd);
}
