/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A child in new namespaces and in its cgroup from its first instruction: clone3(CLONE_INTO_CGROUP). Where
 * an outer filter refuses clone3() (it cannot look into its argument, so older container engines do) the
 * child is made by clone(), and held back until it was moved.
 *
 * Linux 6.18 (and some before) kills a child at birth when cgroup.kill was written more often to its new
 * cgroup than to its parent's, or less often, however long ago that was: it compares the two counts. A
 * parent in the cgroup of a service that systemd has killed once can have no child elsewhere then. So a
 * child leaves word that it lives, and one that never did is made again by the other way.
 */
#include "clone-child.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "../../basic/fd.h"
#include "../kernel-call.h"

#define BIRTH_WAIT_MS 1000

static volatile bool *born; /* shared with the child; NULL: not known */
static bool only_move;

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
 * used, and may have killed, before.
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
        pid_t pid;

        if (only_move)
                return clone_and_move(flags, cgroup_fd, ret_pidfd);
        if (!born && cgroup_fd >= 0) {
                void *page = mmap(NULL, sizeof(*born), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                                  -1, 0);

                born = page == MAP_FAILED ? NULL : page;
        }
        pid = (pid_t) syscall(SYS_clone3, &args, sizeof(args));
        if (pid == 0 && born)
                *born = true;
        /* An EPERM that is not the filter's comes back from clone() too. */
        if (pid >= 0 || (errno != ENOSYS && errno != EPERM))
                return pid;
        return clone_and_move(flags, cgroup_fd, ret_pidfd);
}

/**
 * clone_died_at_birth - whether a child that has ended was killed before its first instruction. Then it is
 * reaped, its pidfd closed, and the next clone_into_cgroup() goes the other way. Can be so only once.
 */
bool clone_died_at_birth(pid_t pid, int *pidfd) {
        struct pollfd p = { .fd = *pidfd, .events = POLLIN };

        if (only_move || !born || pid <= 0 || *pidfd < 0)
                return false;
        /* Its files are closed before its pidfd tells the end, and one that lives may not have run yet. */
        for (unsigned i = 0; !*born && i < BIRTH_WAIT_MS && poll(&p, 1, 1) <= 0; i++)
                ;
        if (*born || !(p.revents & POLLIN))
                return false;
        only_move = true;
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
                ;
        *pidfd = safe_close(*pidfd);
        return true;
}
