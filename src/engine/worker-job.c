/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "worker-job.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../basic/fd.h"
#include "../basic/file.h"
#include "../basic/log.h"
#include "../basic/str.h"

/*
 * Jobs that carry bytes or take long run in a berth-worker each: `berth-worker JOB --framing=... --api=1.N
 * ARGS...`, the client's socket as fd 3, bytes of the client that were already read as fd 4 (may be absent).
 * The worker answers the client itself and outlives the engine (KillMode=process in berth.service): the
 * engine only counts it and notes how it ended. A job whose client is already answered, such as removing a
 * tree, has neither descriptor.
 */
#define WORKERS_MAX 32
#define WORKER_BINARY BERTH_LIBEXEC_DIR "/berth-worker"
#define WORKER_SOCKET_FD 3
#define WORKER_LEFTOVER_FD 4

/*
 * Jobs without a client (empty the trash, collect layers) do all there is to do, so one of a kind at a time
 * is enough: a second one asked for meanwhile is remembered and runs once behind it, however often it was
 * asked for.
 */
struct WorkerJob {
        WorkerJob *next; /* of the manager's internal jobs */
        Manager *manager;
        char *name;
        bool internal;
        char **again; /* arguments of the run that follows, or NULL */
};

static void worker_job_free(void *userdata) {
        WorkerJob *j = userdata;

        for (WorkerJob **i = &j->manager->internal_jobs; j->internal && *i; i = &(*i)->next)
                if (*i == j) {
                        *i = j->next;
                        break;
                }
        j->manager->n_workers--;
        (void) strv_free(j->again);
        free(j->name);
        free(j);
}

static WorkerJob *find_internal(Manager *m, const char *name) {
        WorkerJob *j = m->internal_jobs;

        while (j && !streq(j->name, name))
                j = j->next;
        return j;
}

static void run_again(WorkerJob *j) {
        _cleanup_strv_ char **args = TAKE_PTR(j->again);
        int r;

        if (!args)
                return;
        /* No longer in the list, or it would wait for itself. */
        free(j->name);
        j->name = strdup("ended");
        r = j->name ? worker_job_spawn(j->manager, (const char *const *) args) : -ENOMEM;
        if (r < 0)
                (void) log_error_errno(r, "Cannot start worker %s: %m", args[0]);
}

static int on_worker_exit(sd_event_source *source, const siginfo_t *si, void *userdata) {
        WorkerJob *j = userdata;

        if (si->si_code != CLD_EXITED)
                log_warning("Worker %s [%i] was killed by SIG%s.", j->name, si->si_pid,
                            strempty(sigabbrev_np(si->si_status)));
        else if (si->si_status != 0)
                log_info("Worker %s [%i] failed with status %i.", j->name, si->si_pid, si->si_status);
        run_again(j);
        manager_release(j->manager);
        /* Drops the loop's own reference: freed when this returns. */
        (void) sd_event_source_set_floating(source, false);
        return 0;
}

/* Only between fork and exec: moves @fd to @target, or closes @target when there is none. */
static int child_place_fd(int fd, int target) {
        if (fd < 0) {
                (void) close(target);
                return 0;
        }
        return dup2(fd, target) < 0 ? negative_errno() : 0;
}

static _Noreturn void child_exec(char *const *argv, int socket_fd, int leftover_fd) {
        const char *journal = getenv("JOURNAL_STREAM");
        _cleanup_free_ char *stream = journal ? str_concat("JOURNAL_STREAM=", journal) : NULL;
        char *const env[] = { (char *) "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                              (char *) "LC_ALL=C.UTF-8", stream, NULL };
        sigset_t none;

        /* Above the targets first, so that neither overwrites the other. */
        if (socket_fd >= 0)
                socket_fd = fcntl(socket_fd, F_DUPFD_CLOEXEC, 16);
        if (leftover_fd >= 0)
                leftover_fd = fcntl(leftover_fd, F_DUPFD_CLOEXEC, 16);
        if (child_place_fd(socket_fd, WORKER_SOCKET_FD) < 0 ||
            child_place_fd(leftover_fd, WORKER_LEFTOVER_FD) < 0)
                _exit(125);
        (void) close_range(WORKER_LEFTOVER_FD + 1, ~0U, 0);
        (void) sigemptyset(&none);
        (void) sigprocmask(SIG_SETMASK, &none, NULL);
        (void) signal(SIGPIPE, SIG_DFL);
        /* The engine is protected from the OOM killer; what a client makes a worker do is not. */
        (void) write_string_at(AT_FDCWD, "/proc/self/oom_score_adj", "0");
        (void) execve(WORKER_BINARY, argv, env);
        (void) log_error_errno(errno, "Cannot run " WORKER_BINARY ": %m");
        _exit(125);
}

/* Consumes nothing. The child owns copies of the descriptors. */
static int spawn(Manager *m, char *const *argv, int socket_fd, int leftover_fd, bool internal) {
        sd_event_source *source = NULL;
        sigset_t chld;
        WorkerJob *j;
        pid_t pid;
        int r;

        j = new0(WorkerJob, 1);
        if (!j)
                return -ENOMEM;
        j->name = strdup(argv[1]);
        if (!j->name) {
                free(j);
                return -ENOMEM;
        }
        /* sd-event insists on it for child sources, also where it uses a pidfd. */
        (void) sigemptyset(&chld);
        (void) sigaddset(&chld, SIGCHLD);
        (void) sigprocmask(SIG_BLOCK, &chld, NULL);

        pid = fork();
        if (pid < 0) {
                r = negative_errno();
                free(j->name);
                free(j);
                return r;
        }
        if (pid == 0)
                child_exec(argv, socket_fd, leftover_fd);

        j->manager = m;
        if (internal) {
                j->internal = true;
                j->next = m->internal_jobs;
                m->internal_jobs = j;
        }
        m->n_workers++;
        manager_hold(m);
        r = sd_event_add_child(m->event, &source, pid, WEXITED, on_worker_exit, j);
        if (r < 0) {
                /* It runs and will answer its client: only its end goes unnoticed. */
                (void) log_warning_errno(r, "Cannot watch worker %s: %m", j->name);
                manager_release(m);
                worker_job_free(j);
                return 0;
        }
        (void) sd_event_source_set_destroy_callback(source, worker_job_free);
        (void) sd_event_source_set_floating(source, true);
        (void) sd_event_source_unref(source);
        return 0;
}

static int build_argv(const HttpRequest *req, const char *const *args, char ***ret) {
        _cleanup_strv_ char **argv = NULL;
        _cleanup_free_ char *framing = NULL, *api = NULL;
        int r;

        r = strv_extend(&argv, "berth-worker");
        if (r >= 0)
                r = strv_extend(&argv, args[0]);
        if (r >= 0 && req) {
                framing = req->head.framing == HTTP_CHUNKED ? strdup("--framing=chunked")
                          : req->head.framing == HTTP_LENGTH
                                          ? str_printf("--framing=length:%" PRIu64, req->head.content_length)
                                          : strdup("--framing=none");
                api = str_printf("--api=1.%u", req->api_minor);
                if (!framing || !api)
                        return -ENOMEM;
                r = strv_extend(&argv, framing);
                if (r >= 0)
                        r = strv_extend(&argv, api);
                if (r >= 0 && req->head.minor == 0)
                        r = strv_extend(&argv, "--http=1.0");
        }
        for (size_t i = 1; r >= 0 && args[i]; i++)
                r = strv_extend(&argv, args[i]);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(argv);
        return 0;
}

/* The connection was taken but no worker can have it: the last words are ours. */
static void refuse_taken(int fd, int error) {
        _cleanup_buffer_ Buffer b = BUFFER_INIT(4096);

        if (http_common_head(&b, 500, "application/json") >= 0 &&
            buffer_appendf(&b, "Connection: close\r\n\r\n{\"message\":\"cannot start a worker: %s\"}\n",
                           strerrordesc_np(-error)) >= 0)
                (void) !send(fd, b.data, b.size, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/** worker_job_start - see worker-job.h. Return: 0, -EBUSY (503) at the limit, -ENOMEM. */
int worker_job_start(Manager *m, HttpRequest *req, const char *const *args, EngineError *reterr) {
        _cleanup_close_ int fd = -EBADF, leftover = -EBADF;
        _cleanup_strv_ char **argv = NULL;
        int r;

        if (m->n_workers >= WORKERS_MAX)
                return error_set_status(
                                reterr, -EBUSY, 503,
                                "too many jobs at once: at most %u of load, import, logs and the like run",
                                WORKERS_MAX);
        r = build_argv(req, args, &argv);
        if (r < 0)
                return r;
        r = http_request_take(req, NULL, &fd, &leftover);
        if (r < 0) {
                (void) log_warning_errno(r, "Cannot hand a client to worker %s: %m", args[0]);
                return 0;
        }
        r = spawn(m, argv, fd, leftover, false);
        if (r < 0) {
                (void) log_error_errno(r, "Cannot start worker %s: %m", args[0]);
                refuse_taken(fd, r);
        }
        return 0;
}

static int remember(WorkerJob *j, const char *const *args) {
        _cleanup_strv_ char **copy = NULL;

        if (j->again)
                return 0;
        for (size_t i = 0; args[i]; i++) {
                int r = strv_extend(&copy, args[i]);

                if (r < 0)
                        return r;
        }
        j->again = TAKE_PTR(copy);
        return 0;
}

/** worker_job_spawn - see worker-job.h. Return: 0 (it runs, or will run behind one of its kind), or -errno.
 */
int worker_job_spawn(Manager *m, const char *const *args) {
        WorkerJob *running = find_internal(m, args[0]);
        _cleanup_strv_ char **argv = NULL;
        int r;

        if (running)
                return remember(running, args);
        r = build_argv(NULL, args, &argv);
        return r < 0 ? r : spawn(m, argv, -EBADF, -EBADF, true);
}
