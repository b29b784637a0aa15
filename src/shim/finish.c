/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "../basic/clock.h"
#include "../basic/fd.h"
#include "../basic/file.h"
#include "../basic/log.h"
#include "../basic/str.h"
#include "../shared/journal-fields.h"
#include "../shared/message.h"
#include "../shared/state-log.h"
#include "cgroup.h"
#include "client.h"
#include "control.h"
#include "exec.h"
#include "log-journal.h"
#include "notify.h"
#include "restart.h"
#include "shim.h"
#include "stop.h"
#include "waiter.h"

/*
 * The way down, in an order others rely on: what is left in the cgroup is killed, the pipes are read to
 * their end, the journal has every line, the exit record is on disk, the end marker is in the journal, then
 * the events and the answers go out, an auto-removed container disappears, the runtime forgets it, and the
 * shim exits. Each step before the record is bounded by DRAIN_MAX, so nothing outside can hold the truth
 * back.
 */
#define DRAIN_MAX (2 * USEC_PER_SEC)
#define JOURNAL_STUCK_MAX 4              /* times DRAIN_MAX */
#define DRAIN_EXTEND "EXTEND_TIMEOUT_USEC=20000000"
#define RESTART_SEC (100 * USEC_PER_MSEC) /* what systemd itself waits, units/berth@.service */

/* Return: whether the journal has taken nothing for so long that the exit has to be told without it. */
static bool journal_is_stuck(Shim *s) {
        if (!s->journal_blocked || s->memory->ordinal != s->drain_ordinal)
                s->drain_stuck = 0;
        else
                s->drain_stuck++;
        s->drain_ordinal = s->memory->ordinal;
        return s->drain_stuck >= JOURNAL_STUCK_MAX;
}

static void on_drain_timeout(Timer *t) {
        Shim *s = CONTAINER_OF(t, Shim, drain_timer);

        if (s->status != SHIM_EXITING)
                return;
        if (!journal_is_stuck(s) && stdio_set_blocked(&s->stdio)) {
                (void) notify_send(DRAIN_EXTEND);
                shim_arm_drain(s);
                return;
        }
        s->drain_over = true;
        stdio_set_close(&s->stdio);
        exec_end_all(s);
        shim_check_drained(s);
}

/** shim_arm_drain - from now at most DRAIN_MAX without progress. */
void shim_arm_drain(Shim *s) {
        timer_arm(&s->loop, &s->drain_timer, DRAIN_MAX, on_drain_timeout);
}

static void on_cgroup_event(Source *source, uint32_t revents) {
        shim_check_drained(CONTAINER_OF(source, Shim, cgroup_events));
}

static void watch_cgroup(Shim *s) {
        if (s->cgroup_events.fd >= 0)
                return;
        s->cgroup_events = (Source){ .fd = cgroup_open_events(s->cgroup_fd), .callback = on_cgroup_event };
        (void) source_watch(&s->loop, &s->cgroup_events, EPOLLPRI);
}

static void on_memory_event(Source *source, uint32_t revents) {
        Shim *s = CONTAINER_OF(source, Shim, memory_events);

        int r = cgroup_oom_killed(source->fd);

        if (r > 0)
                s->memory->oom = true;
        if (r < 0)
                source_close(&s->loop, source); /* a removed file is ready for ever */
}

/** shim_watch_memory - notice kills for want of memory when they happen: PID 1 removes an empty scope, and
 * its counters with it, about as fast as we learn of the exit. */
void shim_watch_memory(Shim *s) {
        s->memory_events = (Source){ .fd = cgroup_open_memory_events(s->cgroup_fd),
                                     .callback = on_memory_event };
        if (s->memory_events.fd >= 0)
                (void) source_watch(&s->loop, &s->memory_events, EPOLLPRI);
        on_memory_event(&s->memory_events, 0);
}

/* Once it is reaped, nobody but us knows how it ended: a successor must not have to ask the kernel. */
static void remember_exit(Shim *s) {
        s->memory->exit_code = s->exit.code;
        s->memory->exit_signal = s->exit.signal;
        s->memory->exit_known = s->exit.known;
        __atomic_store_n(&s->memory->exited_at, s->exited_at, __ATOMIC_RELEASE);
}

static void recall_exit(Shim *s) {
        s->exit = (ExitStatus){ .known = s->memory->exit_known,
                                .code = s->memory->exit_code,
                                .signal = s->memory->exit_signal };
        s->oom = s->memory->oom;
        s->exited_at = s->memory->exited_at;
}

/** shim_payload_exited - the container's first process has ended. */
void shim_payload_exited(Shim *s, ExitStatus status) {
        if (s->status >= SHIM_EXITING)
                return;
        on_memory_event(&s->memory_events, 0);
        source_close(&s->loop, &s->memory_events);
        if (s->memory->exited_at == 0) {
                s->exit = status;
                s->exited_at = now_realtime();
                remember_exit(s);
        }
        recall_exit(s);
        s->status = SHIM_EXITING;
        timer_disarm(&s->loop, &s->stop_timer);
        timer_disarm(&s->loop, &s->settle_timer);
        (void) source_watch(&s->loop, &s->payload, 0);
        source_close(&s->loop, &s->console);
        if (s->stdio.streams[0].source.fd < 0)
                stdio_set_close(&s->stdio); /* a terminal that never came */
        if (cgroup_populated(s->cgroup_fd) > 0) {
                (void) cgroup_kill(s->cgroup_fd);
                watch_cgroup(s);
        }
        shim_arm_drain(s);
        shim_check_drained(s);
}

static int record_exit(Shim *s) {
        _cleanup_buffer_ Buffer b = BUFFER_INIT(4096);
        int r = state_record_begin(&b, "exited");

        if (r >= 0)
                r = s->exit.known ? fields_putf(&b, '\t', "code", "%d", s->exit.code) :
                                    fields_put(&b, '\t', "code", "unknown");
        if (r >= 0 && s->exit.signal > 0)
                r = fields_putf(&b, '\t', "signal", "%d", s->exit.signal);
        if (r >= 0)
                r = fields_put(&b, '\t', "oom", s->oom ? "1" : "0");
        if (r >= 0)
                r = fields_putf(&b, '\t', "epoch", "%" PRIu64, s->memory->epoch);
        if (r >= 0 && s->will_restart)
                r = fields_putf(&b, '\t', "restarts", "%" PRIu64, s->restarts);
        if (r >= 0 && s->will_restart)
                r = fields_putf(&b, '\t', "restart-delay", "%" PRIu64, s->restart_delay);
        return r < 0 ? r : state_log_append(s->dir_fd, &b, s->config.auto_remove ? 0 : STATE_LOG_SYNC);
}

static int record_start_failed(Shim *s) {
        _cleanup_buffer_ Buffer b = BUFFER_INIT(FIELDS_TEXT_MAX);
        int r = state_record_begin(&b, "start-failed");

        if (r >= 0)
                r = fields_putf(&b, '\t', "code", "%d", s->exit.code);
        if (r >= 0)
                r = fields_put(&b, '\t', "message", strempty(s->fail_message));
        return r < 0 ? r : state_log_append(s->dir_fd, &b, STATE_LOG_SYNC);
}

/* Decided once: after a kill the log already counts the restart that is still to come. */
static void decide_restart(Shim *s) {
        Memory *m = s->memory;
        RestartFacts f = { .policy = s->config.restart,
                           .max = s->config.restart_max,
                           .restarts = s->history.restarts,
                           .delay = s->history.restart_delay,
                           .failure = !s->exit.known || s->exit.code != 0 };

        if (s->exited_at > m->started_at)
                f.ran = s->exited_at - m->started_at;
        if (!m->restart_decided) {
                m->will_restart = !s->failed && !m->no_restart && !s->host_shutdown &&
                                  !s->config.auto_remove && restart_is_due(&f, &m->restart_delay);
                m->restarts = s->history.restarts + m->will_restart;
                m->restart_decided = true;
        }
        s->will_restart = m->will_restart && !m->no_restart;
        s->restarts = m->restarts;
        s->restart_delay = m->restart_delay;
}

static void journal_exit(Shim *s) {
        _cleanup_buffer_ Buffer b = BUFFER_INIT(1024);
        char message[128];
        int r;

        r = s->exit.known ? buffer_appendf(&b, "CONTAINER_EXIT_CODE=%d\n", s->exit.code) :
                            buffer_append_str(&b, "CONTAINER_EXIT_CODE=unknown\n");
        if (r >= 0 && s->exit.signal > 0)
                r = buffer_appendf(&b, "CONTAINER_EXIT_SIGNAL=%d\n", s->exit.signal);
        if (r >= 0)
                r = buffer_appendf(&b, "CONTAINER_OOM_KILLED=%d\n", s->oom);
        if (s->exit.known)
                (void) snprintf(message, sizeof(message), "Container exited with status %d.", s->exit.code);
        else
                (void) snprintf(message, sizeof(message), "Container exited, its status is unknown.");
        if (s->oom)
                journal_event(s, MESSAGE_ID_CONTAINER_OOM, LOG_WARNING, "oom",
                              "The kernel killed a process of the container for want of memory.", NULL);
        journal_event(s, MESSAGE_ID_CONTAINER_EXITED, LOG_INFO, "exited", message, r < 0 ? NULL : &b);
}

static void send_end_event(Shim *s) {
        _cleanup_buffer_ Buffer b = BUFFER_INIT(FIELDS_TEXT_MAX);
        int r = event_begin(&b, s->failed ? "start-failed" : "exited");

        if (r >= 0)
                r = s->exit.known ? fields_putf(&b, '\n', "code", "%d", s->exit.code) :
                                    fields_put(&b, '\n', "code", "unknown");
        if (r >= 0 && s->failed)
                r = fields_put(&b, '\n', "message", strempty(s->fail_message));
        if (r >= 0 && s->exit.signal > 0)
                r = fields_putf(&b, '\n', "signal", "%d", s->exit.signal);
        if (r >= 0)
                r = fields_put(&b, '\n', "oom", s->oom ? "1" : "0");
        if (r >= 0)
                r = fields_putf(&b, '\n', "at", "%" PRIu64, s->exited_at);
        if (r >= 0 && s->will_restart)
                r = fields_put(&b, '\n', "restarting", "1");
        if (r >= 0)
                event_send(s, &b);
}

static void detach_network(Shim *s) {
        _cleanup_buffer_ Buffer b = BUFFER_INIT(1024);
        _cleanup_close_ int fd = -EBADF;
        int r;

        if (!streq(s->config.network, "bridge"))
                return;
        fd = message_connect(BERTH_NETD_SOCKET, true);
        if (fd < 0)
                return;
        r = fields_put(&b, '\n', "verb", "detach");
        if (r >= 0)
                r = fields_put(&b, '\n', "seq", "1");
        if (r >= 0)
                r = fields_put(&b, '\n', "container", s->id);
        if (r >= 0)
                (void) message_send(fd, &b, NULL, 0);
}

static void spawn_quiet(char *const argv[], pid_t *ret) {
        int null = open("/dev/null", O_RDWR | O_CLOEXEC), fds[3] = { null, null, null };

        if (null < 0 || process_spawn(argv, fds, 3, ret) < 0)
                *ret = 0;
        (void) safe_close(null);
}

static void runtime_delete(Shim *s) {
        char *const argv[] = { (char *) s->config.runtime,
                               (char *) "--root",
                               (char *) BERTH_RUNTIME_ROOT,
                               (char *) "delete",
                               (char *) "--force",
                               s->id,
                               NULL };

        spawn_quiet(argv, &s->delete_pid);
}

/* One rename and the container is gone for everybody; the tree is taken apart afterwards. */
static void remove_container(Shim *s) {
        char hex[17], from[256], to[256], name[512], target[CONTAINER_ID_LENGTH + 2];
        ssize_t n;

        if (random_hex(8, hex) < 0)
                memcpy(hex, "0", 2);
        (void) snprintf(from, sizeof(from), BERTH_CONTAINERS_DIR "/%s", s->id);
        (void) snprintf(to, sizeof(to), BERTH_TRASH_DIR "/%s-%s", s->id, hex);
        if (rename(from, to) < 0 && errno == ENOENT) {
                (void) mkdir_parents(BERTH_TRASH_DIR "/", 0700);
                (void) mkdir(BERTH_TRASH_DIR, 0700);
                if (rename(from, to) < 0)
                        (void) log_error_errno(errno, "Cannot remove the container: %m");
        }
        (void) snprintf(name, sizeof(name), BERTH_NAMES_DIR "/%s", s->memory->name);
        n = readlink(name, target, sizeof(target));
        if (n == CONTAINER_ID_LENGTH && memcmp(target, s->id, CONTAINER_ID_LENGTH) == 0)
                (void) unlink(name);
        s->trash = strdup(to);
}

static void empty_trash(Shim *s) {
        char *const argv[] = { (char *) BERTH_LIBEXEC_DIR "/berth-shim-setup", (char *) "--remove", s->trash,
                               NULL };

        if (s->trash)
                spawn_quiet(argv, &s->remove_pid);
}

/* Whoever stops the payload's scope wants the container stopped; found out while the restart waits its time.
 */
static void ask_about_scope(Shim *s) {
        char since[32];
        char *const argv[] = { (char *) BERTH_LIBEXEC_DIR "/berth-shim-setup",
                               (char *) "--scope-was-stopped", s->id, since, NULL };

        if (!s->will_restart)
                return;
        (void) snprintf(since, sizeof(since), "%" PRIu64, s->memory->started_at);
        spawn_quiet(argv, &s->scope_query_pid);
}

/* Everything after the truth is on disk; a successor of a killed shim comes here too. */
static void announce_end(Shim *s) {
        s->status = SHIM_EXITED;
        remember_exit(s);
        s->memory->status = SHIM_EXITED;
        /* Before anybody hears of the end: a start that follows must queue behind this unit's end, not find
         * it active. */
        if (!s->will_restart)
                (void) notify_send("STOPPING=1");
        if (!s->failed)
                journal_exit(s);
        detach_network(s);
        if (s->config.auto_remove)
                remove_container(s);
        send_end_event(s);
        waiter_answer(s, WAIT_EXIT);
        client_check_done_all(&s->stdio);
        if (s->config.auto_remove) {
                event_simple(s, "removed");
                waiter_answer(s, WAIT_REMOVED);
        }
        if (!s->failed)
                runtime_delete(s);
        empty_trash(s);
        ask_about_scope(s);
        shim_check_done(s);
}

/** shim_check_drained - call whenever one of the things the exit record waits for has happened. */
void shim_check_drained(Shim *s) {
        int r;

        if (s->status != SHIM_EXITING)
                return;
        if (!s->drain_over) {
                if (cgroup_populated(s->cgroup_fd) > 0) {
                        watch_cgroup(s);
                        return;
                }
                stdio_set_drain(&s->stdio);
                if (s->status != SHIM_EXITING || !stdio_set_closed(&s->stdio))
                        return;
        }
        stdio_set_flush_journal(&s->stdio);
        if (!journal_has_all(s) && s->journal_blocked && !s->drain_over)
                return;
        if (exec_any_running(s) && !s->drain_over)
                return;
        timer_disarm(&s->loop, &s->drain_timer);
        source_close(&s->loop, &s->cgroup_events);
        decide_restart(s);
        r = record_exit(s);
        if (r < 0)
                (void) log_error_errno(r, "Cannot record the exit: %m");
        announce_end(s);
}

/** shim_start_failed - the payload never ran. */
void shim_start_failed(Shim *s, int code, const char *message) {
        int r;

        if (s->status != SHIM_STARTING)
                return;
        s->failed = true;
        s->fail_message = strdup(message);
        s->exit = (ExitStatus){ .known = true, .code = code };
        s->exited_at = now_realtime();
        s->go_fd = safe_close(s->go_fd);
        source_close(&s->loop, &s->console);
        stdio_set_close(&s->stdio);
        r = record_start_failed(s);
        if (r < 0)
                (void) log_error_errno(r, "Cannot record the failed start: %m");
        journal_event(s, MESSAGE_ID_CONTAINER_START_FAILED, LOG_ERR, "start-failed", message, NULL);
        announce_end(s);
}

static void on_restart(Timer *t) {
        Shim *s = CONTAINER_OF(t, Shim, restart_timer);

        s->loop.done = true;
}

/** shim_check_done - leave when nobody needs us any more; with a restart ahead, after its delay. */
void shim_check_done(Shim *s) {
        if (s->status != SHIM_EXITED || s->loop.done || s->restart_timer.armed)
                return;
        if (s->setup_pid > 0 || s->delete_pid > 0 || s->remove_pid > 0 || s->shutdown_query_pid > 0 ||
            s->scope_query_pid > 0)
                return;
        if (client_any(&s->stdio) || exec_any(s))
                return;
        if (!s->will_restart) {
                s->loop.done = true;
                return;
        }
        timer_arm(&s->loop, &s->restart_timer,
                  s->restart_delay > RESTART_SEC ? s->restart_delay - RESTART_SEC : 0, on_restart);
}

/** shim_cancel_restart - it was to restart, now it is not. */
void shim_cancel_restart(Shim *s) {
        if (!s->will_restart)
                return;
        timer_disarm(&s->loop, &s->restart_timer);
        s->will_restart = false;
        event_simple(s, "restart-cancelled");
        shim_check_done(s);
}

/** shim_on_finish_child - Return: true if @pid was one of the helpers of the end. */
bool shim_on_finish_child(Shim *s, pid_t pid, int wait_status) {
        if (pid == s->delete_pid)
                s->delete_pid = 0;
        else if (pid == s->remove_pid)
                s->remove_pid = 0;
        else if (pid == s->scope_query_pid) {
                s->scope_query_pid = 0;
                if (wait_status == 0) {
                        stop_wanted(s);
                        shim_cancel_restart(s);
                }
        } else
                return false;
        shim_check_done(s);
        return true;
}

/** shim_finish_again - the shim before this one was killed behind its exit record: do the rest. */
void shim_finish_again(Shim *s) {
        if (s->memory->exited_at == 0) /* from before this was noted */
                s->memory->exited_at = now_realtime();
        recall_exit(s);
        decide_restart(s);
        announce_end(s);
}
