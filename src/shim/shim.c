/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "shim.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../basic/fd.h"
#include "../basic/file.h"
#include "../basic/log.h"
#include "../shared/state-log.h"
#include "../shared/unit-name.h"
#include "control.h"
#include "exec.h"
#include "log-journal.h"
#include "notify.h"
#include "stop.h"

/*
 * One Shim is one container from its start (or from a resume) to the end of its unit: STARTING (start.c) ->
 * RUNNING, PAUSED
 * -> EXITING -> EXITED (finish.c) -> exit status. All work is done in callbacks of one loop; nothing blocks
 * but short writes to files.
 */
#define EXIT_RESTART 75 /* RestartForceExitStatus= */

static void on_child(pid_t pid, int wait_status, void *userdata) {
        Shim *s = userdata;

        if (pid == s->setup_pid)
                shim_on_setup_ended(s, wait_status);
        else if (s->memory && pid == s->memory->pid && s->started)
                shim_payload_exited(s, exit_status_from_wait(wait_status));
        else if (!exec_on_child(s, pid, wait_status) && !stop_on_child(s, pid, wait_status) &&
                 !shim_on_finish_child(s, pid, wait_status))
                process_remember(pid, wait_status);
}

static void on_signal(Source *source, uint32_t revents) {
        Shim *s = CONTAINER_OF(source, Shim, signals);
        struct signalfd_siginfo si;

        if (read(source->fd, &si, sizeof(si)) != sizeof(si))
                return;
        if (si.ssi_signo == SIGCHLD)
                process_reap(on_child, s);
        else
                stop_on_sigterm(s);
}

static int watch_signals(Shim *s) {
        sigset_t set;

        (void) sigemptyset(&set);
        (void) sigaddset(&set, SIGCHLD);
        (void) sigaddset(&set, SIGTERM);
        (void) sigaddset(&set, SIGINT);
        if (sigprocmask(SIG_SETMASK, &set, NULL) < 0)
                return negative_errno();
        (void) signal(SIGPIPE, SIG_IGN);
        s->signals = (Source){ .fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK), .callback = on_signal };
        if (s->signals.fd < 0)
                return negative_errno();
        return source_watch(&s->loop, &s->signals, EPOLLIN);
}

static int open_run_dir(Shim *s) {
        char path[256];

        (void) snprintf(path, sizeof(path), BERTH_RUN_CONTAINERS_DIR "/%s/exec", s->id);
        if (mkdir(path, 0700) < 0 && errno != EEXIST) {
                int r = mkdir_parents(BERTH_RUN_CONTAINERS_DIR "/", 0711);

                if (r < 0)
                        return r;
                (void) mkdir(BERTH_RUN_CONTAINERS_DIR, 0711);
                path[strlen(path) - strlen("/exec")] = 0;
                (void) mkdir(path, 0700);
                path[strlen(path)] = '/';
                if (mkdir(path, 0700) < 0 && errno != EEXIST)
                        return negative_errno();
        }
        path[strlen(path) - strlen("/exec")] = 0;
        s->run_fd = open(path, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
        return s->run_fd < 0 ? negative_errno() : 0;
}

static int open_dirs(Shim *s) {
        char path[256];

        (void) snprintf(path, sizeof(path), BERTH_CONTAINERS_DIR "/%s", s->id);
        s->dir_fd = open(path, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
        return s->dir_fd < 0 ? negative_errno() : open_run_dir(s);
}

/** shim_new - open the container @id. Return: 0 or -errno (-ENOENT: no such container). */
int shim_new(const char *id, Shim **ret) {
        Shim *s = new0(Shim, 1);
        int r;

        if (!s)
                return -ENOMEM;
        memcpy(s->id, id, CONTAINER_ID_LENGTH);
        memcpy(s->short_id, id, CONTAINER_SHORT_ID_LENGTH);
        s->memory_fd = s->cgroup_fd = s->mount_ns_fd = s->go_fd = s->dir_fd = s->run_fd = -EBADF;
        s->signals = s->listener = s->payload = s->cgroup_events = s->memory_events = s->setup_report =
                        s->console = s->journal = SOURCE_INIT;
        r = loop_init(&s->loop);
        if (r >= 0)
                r = open_dirs(s);
        if (r >= 0)
                r = config_load(s->dir_fd, &s->config);
        if (r >= 0)
                r = history_load(s->dir_fd, &s->history);
        if (r < 0) {
                /* The process ends with it: no need to take it apart. */
                free(s);
                return r;
        }
        *ret = s;
        return 0;
}

static void append_simple(Shim *s, const char *type, const char *key, const char *value) {
        _cleanup_buffer_ Buffer b = BUFFER_INIT(1024);
        int r = state_record_begin(&b, type);

        if (r >= 0)
                r = fields_put(&b, '\t', key, value);
        if (r >= 0)
                r = state_log_append(s->dir_fd, &b, 0);
        if (r < 0)
                (void) log_error_errno(r, "Cannot append to the container's state: %m");
}

static int start_anew(Shim *s) {
        int r;

        if (s->history.open_start)
                append_simple(s, "exited", "code",
                              "unknown"); /* it ran when the power went, or its shim's memory was lost */
        if (!s->history.running_desired)
                append_simple(s, "desired", "state", "running");
        s->history.running_desired = true;
        r = memory_new(&s->memory, &s->memory_fd);
        if (r < 0)
                return r;
        s->memory->epoch = s->history.epoch + 1;
        (void) snprintf(s->memory->name, sizeof(s->memory->name), "%s",
                        s->history.name[0] ? s->history.name : s->config.name);
        r = shim_prepare_stdio(s);
        if (r >= 0)
                r = shim_spawn_setup(s);
        if (r >= 0)
                r = control_listen(s);
        if (r < 0) {
                s->listener.fd = -EBADF;
                shim_start_failed(s, 128, "The shim could not prepare the container's sockets.");
                return r;
        }
        control_connect_engine(s);
        return 0;
}

/**
 * shim_run - start or resume, and serve until the end.
 *
 * Return: the exit status for systemd, or -errno.
 */
int shim_run(Shim *s) {
        bool resumed;
        int r;

        r = watch_signals(s);
        if (r >= 0)
                r = notify_init();
        if (r >= 0 && prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
                r = negative_errno();
        /* Without a journal the container runs all the same; each entry tries again. */
        if (r >= 0)
                (void) journal_open(s);
        if (r >= 0)
                r = shim_resume(s, &resumed);
        if (r >= 0 && !resumed)
                r = start_anew(s);
        if (r >= 0)
                r = loop_run(&s->loop);
        if (r < 0)
                return r;
        control_free_all(s);
        (void) unlinkat(s->run_fd, "shim.sock", 0);
        (void) unlinkat(s->run_fd, "console.sock", 0);
        if (s->trash) {
                char path[256];

                (void) snprintf(path, sizeof(path), BERTH_RUN_CONTAINERS_DIR "/%s", s->id);
                (void) remove_tree_at(AT_FDCWD, path);
        }
        s->memory->finished = true;
        if (s->will_restart)
                return EXIT_RESTART;
        return s->exit.code == EXIT_RESTART ? 1 : s->exit.code;
}
