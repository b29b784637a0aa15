/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stop.h"

#include <signal.h>
#include <stdio.h>

#include "../basic/clock.h"
#include "../basic/log.h"
#include "../basic/str.h"
#include "../shared/state-log.h"
#include "cgroup.h"
#include "exec.h"
#include "notify.h"

/*
 * However a stop comes in (a message, SIGTERM from systemd for the service, the scope or the whole host),
 * the order is: the wish is on disk, the payload gets its signal, at the time-out the cgroup is killed. Only
 * a host that shuts down leaves the wish alone: a container that should run is to come back at the next
 * boot.
 */
#define TIMEOUT_MARGIN 15
#define TIMEOUT_MAX ((int64_t) 365 * 24 * 3600)

/** stop_wanted - store that the container should not run (old-or-new before anything is done about it). */
void stop_wanted(Shim *s) {
        _cleanup_buffer_ Buffer b = BUFFER_INIT(1024);
        int r;

        s->memory->stop_wanted = s->memory->no_restart = true;
        if (!s->history.running_desired || s->config.auto_remove)
                return;
        s->history.running_desired = false;
        r = state_record_begin(&b, "desired");
        if (r >= 0)
                r = fields_put(&b, '\t', "state", "stopped");
        if (r >= 0)
                r = state_log_append(s->dir_fd, &b, STATE_LOG_SYNC);
        if (r < 0)
                (void) log_error_errno(r, "Cannot record that the container is to stop: %m");
}

static void on_stop_timeout(Timer *t) {
        Shim *s = CONTAINER_OF(t, Shim, stop_timer);

        log_notice("The container did not stop in time, killing it.");
        (void) cgroup_kill(s->cgroup_fd);
        (void) process_pidfd_signal(s->payload.fd, SIGKILL);
}

static void extend_timeout(int64_t timeout) {
        char text[64];
        uint64_t s = timeout < 0 ? (uint64_t) TIMEOUT_MAX : (uint64_t) timeout + TIMEOUT_MARGIN;

        (void) snprintf(text, sizeof(text), "EXTEND_TIMEOUT_USEC=%" PRIu64, s * USEC_PER_SEC);
        (void) notify_send(text);
}

static void thaw(Shim *s) {
        if (s->status != SHIM_PAUSED)
                return;
        (void) cgroup_freeze(s->cgroup_fd, false);
        s->status = SHIM_RUNNING;
        s->memory->status = SHIM_RUNNING;
}

/** stop_begin - signal now, kill after @timeout seconds (-1: never). While starting, the stop happens when
 * it is up. */
void stop_begin(Shim *s, int sig, int64_t timeout) {
        if (s->will_restart) {
                shim_cancel_restart(s);
                return;
        }
        if (s->status == SHIM_STARTING || s->status >= SHIM_EXITING)
                return;
        timeout = MIN(timeout, TIMEOUT_MAX);
        thaw(s);
        exec_kill_runtimes(s);
        extend_timeout(timeout);
        if (process_ignores_signal(s->memory->pid, sig)) {
                log_info("The container's first process has no handler for %s, "
                         "which the kernel therefore ignores; killing it.",
                         strempty(signal_to_name(sig)));
                timeout = 0;
        } else if (process_pidfd_signal(s->payload.fd, sig) < 0)
                return;
        if (timeout < 0)
                return;
        s->memory->stop_deadline = now_monotonic() + (usec_t) timeout * USEC_PER_SEC;
        timer_arm(&s->loop, &s->stop_timer, (usec_t) timeout * USEC_PER_SEC, on_stop_timeout);
}

/** stop_go_on - the shim before this one was killed while it stopped the container: its time still runs. */
void stop_go_on(Shim *s) {
        usec_t now = now_monotonic(), end = s->memory->stop_deadline;

        if (end > 0)
                timer_arm(&s->loop, &s->stop_timer, end > now ? end - now : 0, on_stop_timeout);
}

/**
 * stop_kill - send one signal to the container's first process.
 *
 * The stop signal and SIGKILL count as a wish that it shall not come back.
 *
 * Return: 0, -ESRCH when it does not run, -errno.
 */
int stop_kill(Shim *s, int sig) {
        if (s->status == SHIM_STARTING || s->status >= SHIM_EXITING)
                return -ESRCH;
        if (sig == SIGKILL || sig == s->config.stop_signal) {
                stop_wanted(s);
                thaw(s);
                exec_kill_runtimes(s);
        }
        return process_pidfd_signal(s->payload.fd, sig);
}

static void stop_now(Shim *s) {
        stop_begin(s, s->config.stop_signal, s->config.stop_timeout);
}

/** stop_on_sigterm - systemd wants the unit down: find out whether it wants the whole host down. */
void stop_on_sigterm(Shim *s) {
        char *const argv[] = { (char *) BERTH_LIBEXEC_DIR "/berth-shim-setup", (char *) "--is-shutting-down",
                               NULL };

        s->memory->no_restart = true;
        /* Once the payload has gone by itself there is nothing to stop; only a restart that is due would be,
         * or one that is decided when its output is read. */
        if ((s->status == SHIM_EXITED && !s->will_restart) ||
            (s->status == SHIM_EXITING && s->config.restart == RESTART_NO))
                return;
        if (s->shutdown_query_pid > 0)
                return;
        /* Elsewhere the wish does not decide about the next boot (docs/contracts.md section 4), so nobody
         * has to ask. */
        if (s->config.restart != RESTART_UNLESS_STOPPED || !s->history.running_desired ||
            process_spawn(argv, NULL, 0, &s->shutdown_query_pid) < 0) {
                stop_wanted(s);
                stop_now(s);
        }
}

/** stop_on_child - Return: true if @pid was the question asked by stop_on_sigterm(). */
bool stop_on_child(Shim *s, pid_t pid, int wait_status) {
        if (pid != s->shutdown_query_pid)
                return false;
        s->shutdown_query_pid = 0;
        if (wait_status == 0)
                s->host_shutdown = true;
        else
                stop_wanted(s);
        stop_now(s);
        return true;
}
