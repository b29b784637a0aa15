/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <syslog.h>
#include <unistd.h>

#include "../basic/clock.h"
#include "../basic/fd.h"
#include "../basic/log.h"
#include "../basic/str.h"
#include "../shared/journal-fields.h"
#include "../shared/message.h"
#include "../shared/state-log.h"
#include "cgroup.h"
#include "client.h"
#include "control.h"
#include "fd-role.h"
#include "log-journal.h"
#include "notify.h"
#include "shim.h"
#include "stop.h"
#include "terminal.h"
#include "waiter.h"

/*
 * The way up. berth-shim-setup does the work (docs/contracts.md section 4) and reports `created`, then waits
 * for the go byte, which needs the engine's parked clients to be here, then reports `started`, or `failed`
 * at any point.
 */
#define SETTLE_DELAY (200 * USEC_PER_MSEC)

static void on_console(Source *source, uint32_t revents) {
        Shim *s = CONTAINER_OF(source, Shim, console);
        int r = terminal_receive(&s->loop, source, &s->stdio);

        if (r < 0)
                (void) log_error_errno(r, "Cannot take over the container's terminal: %m");
        else if (s->memory->height > 0)
                (void) stdio_set_resize(&s->stdio, s->memory->height, s->memory->width);
}

/** shim_prepare_stdio - the container's stdio before it has any. The child's ends are made by
 * shim_spawn_setup(). */
int shim_prepare_stdio(Shim *s) {
        stdio_set_init(&s->stdio, s, NULL, s->config.tty);
        s->memory->height = s->config.height;
        s->memory->width = s->config.width;
        if (!s->config.tty)
                return 0;
        s->stdio.streams[0].closed = false; /* it is still to come */
        s->memory->streams[1].closed = true;
        return terminal_listen(s, "console.sock", &s->console, on_console);
}

/** shim_store_fds - everything a successor needs goes into the fd store, in one datagram (and stdin, which
 * may have to go). */
void shim_store_fds(Shim *s) {
        FdIdentity *known = s->memory->fds;
        int fds[6];
        size_t n = 0;

        fds[n++] = s->memory_fd;
        fds[n++] = s->listener.fd;
        (void) fd_identify(s->listener.fd, &known[FD_ROLE_LISTENER]);
        if (s->payload.fd >= 0)
                fds[n++] = s->payload.fd;
        for (unsigned i = 0; i < 2; i++)
                if (s->stdio.streams[i].source.fd >= 0) {
                        (void) fd_identify(s->stdio.streams[i].source.fd, &known[FD_ROLE_OUT + i]);
                        fds[n++] = s->stdio.streams[i].source.fd;
                }
        (void) notify_store("main", "", fds, n);
        if (s->stdio.in.fd >= 0 && !s->stdio.tty) {
                (void) fd_identify(s->stdio.in.fd, &known[FD_ROLE_IN]);
                (void) notify_store("in", "", &s->stdio.in.fd, 1);
        }
}

/**
 * shim_hold_mounts - with the last process of a mount namespace the kernel takes its mounts apart before
 * anybody learns of the process's end, and an overlay writes its whole file system to disk then. As long as
 * we hold the namespace that waits for us.
 */
void shim_hold_mounts(Shim *s) {
        char path[64];

        (void) snprintf(path, sizeof(path), "/proc/%d/ns/mnt", s->memory->pid);
        s->mount_ns_fd = open(path, O_RDONLY | O_CLOEXEC);
        /* Another process may have the number by now. */
        if (process_pidfd_signal(s->payload.fd, 0) < 0)
                s->mount_ns_fd = safe_close(s->mount_ns_fd);
}

static void on_created(Shim *s, const Fields *f) {
        const char *cgroup = strempty(fields_get(f, "cgroup"));
        uint64_t pid;

        if (fields_get_u64(f, "pid", INT32_MAX, &pid) < 0 || pid == 0)
                return;
        s->memory->pid = (int32_t) pid;
        (void) snprintf(s->memory->cgroup, sizeof(s->memory->cgroup), "%s", cgroup);
        s->cgroup_fd = cgroup[0] ? cgroup_open(cgroup) : -EBADF;
        shim_watch_memory(s);
        /* It is our child (the runtime has gone) and not reaped before we ask, so the number is still its
         * own. */
        s->payload.fd = process_pidfd_open((pid_t) pid);
        shim_hold_mounts(s);
        if (s->console.fd >= 0)
                on_console(&s->console, 0);
        shim_store_fds(s);
        s->created = true;
        shim_check_go(s);
}

/** shim_check_go - let the helper start the payload when it is created and the engine's clients are
 * attached. */
void shim_check_go(Shim *s) {
        if (s->go)
                timer_disarm(&s->loop, &s->go_timer);
        if (!s->created || !s->go || s->go_fd < 0)
                return;
        (void) write_all(s->go_fd, "g", 1);
        s->go_fd = safe_close(s->go_fd);
}

/* Not at once: most of what `run` attaches is over before a datagram to PID 1 for each of them would pay. */
static void store_clients(Shim *s) {
        client_store_all(s);
        waiter_store_all(s);
}

static void on_settled(Timer *t) {
        Shim *s = CONTAINER_OF(t, Shim, settle_timer);

        if (s->status < SHIM_EXITING)
                store_clients(s);
}

/** shim_record_started - write the record that the payload runs. */
void shim_record_started(Shim *s) {
        _cleanup_buffer_ Buffer b = BUFFER_INIT(1024);
        int r = state_record_begin(&b, "started");

        if (r >= 0)
                r = fields_putf(&b, '\t', "pid", "%d", s->memory->pid);
        if (r >= 0)
                r = fields_putf(&b, '\t', "epoch", "%" PRIu64, s->memory->epoch);
        if (r >= 0)
                r = state_log_append(s->dir_fd, &b, s->config.auto_remove ? 0 : STATE_LOG_RESERVE);
        if (r < 0)
                (void) log_error_errno(r, "Cannot record the start: %m");
}

static void announce_started(Shim *s) {
        _cleanup_buffer_ Buffer b = BUFFER_INIT(1024), extra = BUFFER_INIT(1024);
        int r = event_begin(&b, "started");

        if (r >= 0)
                r = fields_putf(&b, '\n', "pid", "%d", s->memory->pid);
        if (r >= 0)
                r = fields_putf(&b, '\n', "at", "%" PRIu64, s->memory->started_at);
        if (r >= 0)
                r = fields_putf(&b, '\n', "epoch", "%" PRIu64, s->memory->epoch);
        if (r >= 0)
                event_send(s, &b);
        r = buffer_appendf(&extra, "CONTAINER_PID=%d\n", s->memory->pid);
        journal_event(s, MESSAGE_ID_CONTAINER_STARTED, LOG_INFO, "started", "Container started.",
                      r < 0 ? NULL : &extra);
}

static void on_started(Shim *s) {
        int status;

        if (!s->created || s->started)
                return;
        s->started = true;
        s->status = SHIM_RUNNING;
        s->memory->started_at = now_realtime();
        s->memory->status = SHIM_RUNNING;
        shim_record_started(s);
        (void) notify_send("READY=1");
        announce_started(s);
        timer_arm(&s->loop, &s->settle_timer, SETTLE_DELAY, on_settled);
        stdio_set_update(&s->stdio);
        if (process_recall(s->memory->pid, &status))
                shim_payload_exited(s, exit_status_from_wait(status));
        else if (s->memory->no_restart)
                stop_begin(s, s->config.stop_signal, s->config.stop_timeout);
}

static void on_report(Source *source, uint32_t revents) {
        Shim *s = CONTAINER_OF(source, Shim, setup_report);
        _cleanup_message_ Message m = MESSAGE_INIT;
        int r = message_receive(source->fd, &m);

        if (r == -EAGAIN || r == -EBADMSG)
                return;
        if (r <= 0) {
                /* Its end is told by SIGCHLD, which also says how. */
                source_close(&s->loop, source);
                return;
        }
        if (streq(message_verb(&m), "created"))
                on_created(s, &m.fields);
        else if (streq(message_verb(&m), "started"))
                on_started(s);
        else if (streq(message_verb(&m), "failed"))
                shim_start_failed(s, (int) fields_get_i64_or(&m.fields, "code", 128),
                                  strempty(fields_get(&m.fields, "message")));
}

/** shim_on_setup_ended - the helper has exited; what it said before that is read first. */
void shim_on_setup_ended(Shim *s, int wait_status) {
        s->setup_pid = 0;
        while (s->setup_report.fd >= 0 && s->status != SHIM_EXITED)
                on_report(&s->setup_report, EPOLLIN);
        if (s->status == SHIM_STARTING)
                shim_start_failed(s, 128, "The set-up helper of the container died.");
        else if (s->status == SHIM_EXITED)
                shim_check_done(s);
}

static int open_nulls(int child[3]) {
        for (unsigned i = 0; i < 3; i++) {
                child[i] = open("/dev/null", O_RDWR | O_CLOEXEC);
                if (child[i] < 0)
                        return negative_errno();
        }
        return 0;
}

/** shim_spawn_setup - make the pipes and start the helper. Return: 0 or -errno. */
int shim_spawn_setup(Shim *s) {
        char *const argv[] = { (char *) BERTH_LIBEXEC_DIR "/berth-shim-setup", s->id, NULL };
        int fds[5] = { -EBADF, -EBADF, -EBADF, -EBADF, -EBADF }, report[2] = { -EBADF, -EBADF },
            go[2] = { -EBADF, -EBADF };
        int r = 0;

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, report) < 0 || pipe2(go, O_CLOEXEC) < 0)
                r = negative_errno();
        if (r >= 0)
                r = s->config.tty ? open_nulls(fds)
                                  : stdio_set_make_pipes(&s->stdio, s->config.stdin_open, fds);
        fds[3] = report[1];
        fds[4] = go[0];
        if (r >= 0)
                r = process_spawn(argv, fds, 5, &s->setup_pid);
        for (unsigned i = 0; i < 5; i++)
                (void) safe_close(fds[i]);
        s->go_fd = go[1];
        if (r < 0) {
                (void) safe_close(report[0]);
                return r;
        }
        (void) fd_set_nonblock(report[0], true);
        s->setup_report = (Source){ .fd = report[0], .callback = on_report };
        return source_watch(&s->loop, &s->setup_report, EPOLLIN);
}
