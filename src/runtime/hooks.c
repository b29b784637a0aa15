/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hooks.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include "../basic/clock.h"
#include "../basic/fd.h"
#include "descriptors.h"
#include "error.h"
#include "kernel-call.h"
#include "runtime-log.h"

/* A hook without `env` gets ours, as with runc and crun. What it prints is not the payload's output. */
static void exec_hook(const SpecHook *h, const char *directory, int state_fd) {
        const char *const only_path[] = { h->path, NULL };
        int null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC | O_NOCTTY);

        if (directory && chdir(directory) < 0)
                _exit(126);
        if (null_fd >= 0)
                (void) dup2(null_fd, STDOUT_FILENO);
        else
                (void) close(STDOUT_FILENO);
        if (dup2(state_fd, STDIN_FILENO) >= 0 && descriptors_range(3, ~0U, true) >= 0)
                execve(h->path,
                       (char *const *) (h->args && h->args[0] ? h->args : (const char **) only_path),
                       h->env ? (char *const *) h->env : environ);
        _exit(errno == ENOENT ? 127 : 126);
}

/* Return: 1 when it ended, 0 when the time is up, -errno. */
static int wait_hook(int pidfd, unsigned timeout) {
        struct pollfd p = { .fd = pidfd, .events = POLLIN };
        usec_t until = now_monotonic() + timeout * USEC_PER_SEC;

        for (;;) {
                usec_t now = now_monotonic();
                int n, ms = timeout == 0 ? -1 : now >= until ? 0 : (int) ((until - now) / USEC_PER_MSEC) + 1;

                n = poll(&p, 1, ms);
                if (n > 0)
                        return 1;
                if (n == 0)
                        return 0;
                if (errno != EINTR)
                        return negative_errno();
        }
}

static int run_hook(const SpecHook *h, HookPoint point, const State *state, int state_fd) {
        _cleanup_close_ int pidfd = -EBADF;
        int status = 0, r;
        pid_t pid;

        if (lseek(state_fd, 0, SEEK_SET) < 0)
                return fail_errno(errno, "hook %s", h->path);
        pid = fork();
        if (pid < 0)
                return fail_errno(errno, "hook %s", h->path);
        if (pid == 0)
                exec_hook(h, point == HOOK_START_CONTAINER ? NULL : state->bundle, state_fd);
        pidfd = sys_pidfd_open(pid);
        r = pidfd < 0 ? negative_errno() : wait_hook(pidfd, h->timeout);
        if (r <= 0)
                (void) kill(pid, SIGKILL);
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
                ;
        if (r < 0)
                return fail_errno(r, "hook %s", h->path);
        if (r == 0)
                return fail_text(ETIMEDOUT, "%s hook %s: timed out after %u seconds", hook_names[point],
                                 h->path, h->timeout);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
                return 0;
        return fail_text(ECANCELED, "%s hook %s: %s %d", hook_names[point], h->path,
                         WIFSIGNALED(status) ? "killed by signal" : "exit status",
                         WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}

/**
 * hooks_run - run the hooks of one point in their order, each with the state on its stdin.
 *
 * Return: 0, or the first failure with a message; after poststop failures the rest still runs.
 */
int hooks_run(const Spec *spec, HookPoint point, const State *state, ContainerStatus status) {
        const SpecHooks *hooks = &spec->hooks[point];
        _cleanup_json_ json_object *o = NULL;
        _cleanup_close_ int fd = -EBADF;
        const char *text;
        int r, first = 0;

        if (hooks->n == 0)
                return 0;
        r = state_to_oci(state, status, &o);
        if (r < 0)
                return r;
        text = json_text(o);
        fd = text ? memfd_new_with("state", text, strlen(text)) : -ENOMEM;
        if (fd < 0)
                return fail_errno(fd, "%s hooks", hook_names[point]);
        for (size_t i = 0; i < hooks->n; i++) {
                r = run_hook(&hooks->items[i], point, state, fd);
                if (r < 0 && point != HOOK_POSTSTOP)
                        return r;
                if (r < 0) {
                        runtime_warning("%s", fail_message());
                        first = first < 0 ? first : r;
                }
        }
        return first;
}
