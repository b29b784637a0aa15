/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hooks.h"

#include <ctype.h>
#include <signal.h>
#include <sys/wait.h>

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
        const HookFiles *files;
        int state_fd, root_fd;
} HookRun;

static int redirect(const HookRun *run, const HookOutput *output) {
        int r = hook_output_use(output, run->files);

        if (r < 0 || dup2(run->state_fd, STDIN_FILENO) < 0)
                return r < 0 ? r : negative_errno();
        return descriptors_range(3, ~0U, true);
}

/* createContainer is there to change the root file system, and finds it as runc's hooks do. */
static int enter_directory(const HookRun *run) {
        if (run->filter)
                return 0;
        return run->root_fd >= 0 ? fchdir(run->root_fd) : chdir(run->state->bundle);
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

static void exec_hook(const SpecHook *h, const HookRun *run, const HookOutput *output) {
        const char *const only_path[] = { h->path, NULL };
        const char *const *args = h->args && h->args[0] ? h->args : only_path, *const *env = h->env;

        /* Without `env` it gets ours, as with runc and crun. */
        if (!env)
                env = run->filter ? run->spec->process.env : (const char *const *) environ;
        if (enter_directory(run) < 0 || redirect(run, output) < 0 ||
            (run->filter && become_payload(run) < 0))
                _exit(126);
        execve(h->path, (char *const *) args, (char *const *) env);
        _exit(errno == ENOENT ? 127 : 126);
}

static int run_hook(const SpecHook *h, const HookRun *run, size_t i) {
        _cleanup_hook_output_ HookOutput output;
        _cleanup_close_ int pidfd = -EBADF;
        char said[700];
        int status = 0, r;
        pid_t pid;

        r = hook_output_open(&output);
        if (r < 0)
                return r;
        if (lseek(run->state_fd, 0, SEEK_SET) < 0)
                return fail_errno(errno, "hook %s", h->path);
        pid = fork();
        if (pid < 0)
                return fail_errno(errno, "hook %s", h->path);
        if (pid == 0)
                exec_hook(h, run, &output);
        pidfd = sys_pidfd_open(pid);
        r = pidfd < 0 ? negative_errno() : hook_output_await(&output, pidfd, h->timeout);
        if (r <= 0)
                (void) kill(pid, SIGKILL);
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
                ;
        if (r < 0)
                return fail_errno(r, "hook %s", h->path);
        (void) hook_output_describe(&output, said, sizeof(said));
        if (r == 0)
                return fail_text(ETIMEDOUT, "error running %s hook #%zu: %s: timed out after %u seconds%s",
                                 hook_names[run->point], i, h->path, h->timeout, said);
        if (WIFSIGNALED(status))
                return fail_text(ECANCELED, "error running %s hook #%zu: %s: signal %d: %c%s%s",
                                 hook_names[run->point], i, h->path, WTERMSIG(status),
                                 tolower(*strsignal(WTERMSIG(status))), strsignal(WTERMSIG(status)) + 1,
                                 said);
        if (WEXITSTATUS(status) != 0 && run->point == HOOK_POSTSTOP)
                return fail_text(ECANCELED,
                                 "poststop hook failed with exit code %d: error running hook #%zu: %s%s",
                                 WEXITSTATUS(status), i, h->path, said);
        if (WEXITSTATUS(status) != 0)
                return fail_text(ECANCELED, "error running %s hook #%zu: %s: exit status %d%s",
                                 hook_names[run->point], i, h->path, WEXITSTATUS(status), said);
        hook_output_pass_on(&output);
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
        _cleanup_hook_files_ HookFiles files = HOOK_FILES_INIT;
        HookRun run = { .spec = spec, .point = point, .state = state, .root_fd = -EBADF, .files = &files };
        int r;

        if (spec->hooks[point].n == 0)
                return 0;
        r = hook_files_open(spec->hook_stdout, spec->hook_stderr, &files);
        return r < 0 ? r : run_all(&run, status);
}

/**
 * hooks_run_on_root - the createContainer hooks, programs of the host in the container's namespaces.
 * @root_fd: their working directory, the root file system before it becomes the root.
 * @files: where they write to; opened before, since they may be out of reach here.
 *
 * Return: as hooks_run().
 */
int hooks_run_on_root(const Spec *spec, const State *state, int root_fd, const HookFiles *files) {
        HookRun run = { .spec = spec, .point = HOOK_CREATE_CONTAINER, .state = state, .root_fd = root_fd,
                        .files = files };

        return run_all(&run, STATUS_CREATED);
}

/**
 * hooks_run_inside - the startContainer hooks, which are programs of the container, with the rights of its
 * payload.
 * @filter: the payload's, borrowed.
 *
 * Return: as hooks_run().
 */
int hooks_run_inside(const Spec *spec, const State *state, ContainerStatus status,
                     const SeccompFilter *filter, const HookFiles *files) {
        HookRun run = { .spec = spec, .point = HOOK_START_CONTAINER, .state = state, .filter = filter,
                        .files = files, .root_fd = -EBADF };

        return run_all(&run, status);
}
