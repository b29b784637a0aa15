/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hooks.h"

#include <ctype.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include "../basic/clock.h"
#include "../basic/fd.h"
#include "error.h"
#include "kernel-call.h"
#include "process/descriptors.h"
#include "process/process.h"
#include "runtime-log.h"

typedef struct HookRun {
        const Spec *spec;
        HookPoint point;
        const State *state;
        const SeccompFilter *filter; /* for those inside the container, else NULL */
        int state_fd;
} HookRun;

static bool is_null_device(int fd) {
        struct stat st;

        return fstat(fd, &st) >= 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3);
}

/* What a hook prints is not the payload's output. Inside, the image says what /dev/null is: not a pipe that
 * nobody reads, please. */
static int redirect(int state_fd) {
        int null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW);

        if (null_fd >= 0 && is_null_device(null_fd))
                (void) dup2(null_fd, STDOUT_FILENO);
        else
                (void) close(STDOUT_FILENO);
        return dup2(state_fd, STDIN_FILENO) < 0 ? negative_errno() : descriptors_range(3, ~0U, true);
}

/*
 * A program inside the container is the image's, whoever has written the path into config.json: it has no
 * more rights and sees no other environment than the payload. A filter with a listener is left out, since
 * there can be but one and it is for the payload.
 */
static int become_payload(const HookRun *run) {
        static const SeccompFilter no_filter;
        bool listens = run->filter->notify != SECCOMP_NOTIFY_NONE;

        return process_become(&run->spec->process, listens ? &no_filter : run->filter, NULL);
}

static void exec_hook(const SpecHook *h, const HookRun *run) {
        const char *const only_path[] = { h->path, NULL };
        const char *const *args = h->args && h->args[0] ? h->args : only_path, *const *env = h->env;

        /* Without `env` it gets ours, as with runc and crun. */
        if (!env)
                env = run->filter ? run->spec->process.env : (const char *const *) environ;
        if (!run->filter && chdir(run->state->bundle) < 0)
                _exit(126);
        if (redirect(run->state_fd) < 0 || (run->filter && become_payload(run) < 0))
                _exit(126);
        execve(h->path, (char *const *) args, (char *const *) env);
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

static int run_hook(const SpecHook *h, const HookRun *run, size_t i) {
        _cleanup_close_ int pidfd = -EBADF;
        int status = 0, r;
        pid_t pid;

        if (lseek(run->state_fd, 0, SEEK_SET) < 0)
                return fail_errno(errno, "hook %s", h->path);
        pid = fork();
        if (pid < 0)
                return fail_errno(errno, "hook %s", h->path);
        if (pid == 0)
                exec_hook(h, run);
        pidfd = sys_pidfd_open(pid);
        r = pidfd < 0 ? negative_errno() : wait_hook(pidfd, h->timeout);
        if (r <= 0)
                (void) kill(pid, SIGKILL);
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
                ;
        if (r < 0)
                return fail_errno(r, "hook %s", h->path);
        if (r == 0)
                return fail_text(ETIMEDOUT, "error running %s hook #%zu: %s: timed out after %u seconds",
                                 hook_names[run->point], i, h->path, h->timeout);
        if (WIFSIGNALED(status))
                return fail_text(ECANCELED, "error running %s hook #%zu: %s: signal %d: %c%s",
                                 hook_names[run->point], i, h->path, WTERMSIG(status),
                                 tolower(*strsignal(WTERMSIG(status))), strsignal(WTERMSIG(status)) + 1);
        if (WEXITSTATUS(status) != 0 && run->point == HOOK_POSTSTOP)
                return fail_text(ECANCELED,
                                 "poststop hook failed with exit code %d: error running hook #%zu: %s",
                                 WEXITSTATUS(status), i, h->path);
        if (WEXITSTATUS(status) != 0)
                return fail_text(ECANCELED, "error running %s hook #%zu: %s: exit status %d",
                                 hook_names[run->point], i, h->path, WEXITSTATUS(status));
        return 0;
}

/* Hooks in the container's namespaces are run by its process, and told the pid that they see there. */
static bool runs_inside(HookPoint point) {
        return point == HOOK_CREATE_CONTAINER || point == HOOK_START_CONTAINER;
}

static int run_all(HookRun *run, ContainerStatus status) {
        const SpecHooks *hooks = &run->spec->hooks[run->point];
        _cleanup_json_ json_object *o = NULL;
        _cleanup_close_ int fd = -EBADF;
        State told = *run->state; /* its strings are still the other's */
        const char *text;
        int r, first = 0;

        if (hooks->n == 0)
                return 0;
        if (runs_inside(run->point))
                told.pid = getpid();
        r = state_to_oci(&told, status, &o);
        if (r < 0)
                return r;
        text = json_text(o);
        run->state_fd = fd = text ? memfd_new_with("state", text, strlen(text)) : -ENOMEM;
        if (fd < 0)
                return fail_errno(fd, "%s hooks", hook_names[run->point]);
        for (size_t i = 0; i < hooks->n; i++) {
                r = run_hook(&hooks->items[i], run, i);
                if (r < 0 && run->point != HOOK_POSTSTOP)
                        return r;
                if (r < 0) {
                        runtime_warning("%s", fail_message());
                        first = first < 0 ? first : r;
                }
        }
        return first;
}

/**
 * hooks_run - run the hooks of one point in their order, each with the state on its stdin.
 *
 * Return: 0, or the first failure with a message; after poststop failures the rest still runs.
 */
int hooks_run(const Spec *spec, HookPoint point, const State *state, ContainerStatus status) {
        HookRun run = { .spec = spec, .point = point, .state = state };

        return run_all(&run, status);
}

/**
 * hooks_run_inside - the startContainer hooks, which are programs of the container, with the rights of its
 * payload.
 * @filter: the payload's, borrowed.
 *
 * Return: as hooks_run().
 */
int hooks_run_inside(const Spec *spec, const State *state, ContainerStatus status,
                     const SeccompFilter *filter) {
        HookRun run = { .spec = spec, .point = HOOK_START_CONTAINER, .state = state, .filter = filter };

        return run_all(&run, status);
}
