/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * exec into a container with CAP_SYS_PTRACE and no user namespace: its processes may look into and take over
 * whatever they see, dumpable or not. So the process that joins the container stays outside its pid
 * namespace, and the one that is born into it is a copy that has everything behind it: no descriptor of the
 * host, the container's root and cgroup, identity, capabilities and filter of the payload. What is left to
 * it are setsid(), its terminal and execve(). It is a child of our parent, so the go-between may end.
 */
#include "exec-guard.h"

#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "../../basic/fd.h"
#include "../channel.h"
#include "../error.h"
#include "../kernel-call.h"
#include "../namespaces/clone-child.h"
#include "caps.h"

/**
 * exec_guard_new - memory in which the kernel tells the pid, since the filter may let the go-between say
 * nothing.
 * @ret: shared with children; stays until the end.
 */
int exec_guard_new(pid_t **ret) {
        void *page = mmap(NULL, sizeof(pid_t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

        if (page == MAP_FAILED)
                return fail_errno(errno, "memory for the pid");
        *ret = page;
        return 0;
}

/* The host's, which the copy would show. */
static void forget_environment(void) {
        for (char **e = environ; e && *e; e++)
                memset(*e, 0, strlen(*e));
}

/**
 * exec_guard_birth - let a copy of the calling process be born where its children are, after
 * process_become(); the caller itself ends.
 *
 * Return: 0 in the copy, a session leader now; or -errno with a message.
 */
int exec_guard_birth(pid_t *born, const SpecProcess *p, const SeccompFilter *filter) {
        long pid;
        int r;

        /* What loading the filter took. */
        if (filter->n > 0 && !p->no_new_privs) {
                r = caps_apply(p->caps, 0);
                if (r < 0)
                        return r;
        }
        forget_environment();
        pid = syscall(SYS_clone, CLONE_PARENT | CLONE_PARENT_SETTID | SIGCHLD, NULL, born, NULL, 0UL);
        if (pid < 0)
                return fail_errno(errno, "new process in the container's pid namespace");
        if (pid > 0)
                _exit(0);
        if (setsid() < 0)
                return fail_errno(errno, "setsid");
        if (p->terminal && ioctl(STDIN_FILENO, TIOCSCTTY, 0) < 0)
                return fail_errno(errno, "terminal: controlling terminal");
        return 0;
}

/**
 * exec_guard_await - wait for the go-between to end and go on with the process that it has left.
 * @pid, @pidfd: of the first, replaced by those of the second.
 *
 * Return: 0; -EAGAIN when the go-between never lived and a second one may be made; or -errno with a message.
 */
int exec_guard_await(pid_t *born, int channel, pid_t *pid, int *pidfd) {
        char text[CHANNEL_TEXT_MAX] = "";
        struct pollfd ended = { .fd = *pidfd, .events = POLLIN };
        int status, fd;

        while (poll(&ended, 1, -1) < 0)
                if (errno != EINTR)
                        return fail_errno(errno, "wait for %d", (int) *pid);
        if (clone_died_at_birth(*pid, pidfd))
                return -EAGAIN;
        while (waitpid(*pid, &status, 0) < 0)
                if (errno != EINTR)
                        return fail_errno(errno, "wait for %d", (int) *pid);
        *pidfd = safe_close(*pidfd);
        if (*born <= 0) {
                if (channel_receive(channel, text) == CHANNEL_ERROR)
                        return fail_text(ECHILD, "%s", text);
                return fail_text(EPIPE, "the new process ended unexpectedly (status %#x)",
                                 (unsigned) status);
        }
        *pid = *born;
        fd = sys_pidfd_open(*pid);
        if (fd < 0)
                return fail_errno(errno, "open the new process");
        *pidfd = fd;
        return 0;
}
