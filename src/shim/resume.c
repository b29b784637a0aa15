/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <sys/mman.h>
#include <syslog.h>

#include "../basic/fd.h"
#include "../basic/log.h"
#include "../basic/str.h"
#include "../shared/journal-fields.h"
#include "cgroup.h"
#include "client.h"
#include "control.h"
#include "exec.h"
#include "fd-role.h"
#include "log-journal.h"
#include "notify.h"
#include "shim.h"
#include "stop.h"
#include "waiter.h"

/*
 * A shim that was killed while its container ran finds everything in the fd store and goes on. One that was
 * killed before the payload started, or whose fd store is of a run that was finished, begins anew.
 */

static void drop_all(StoredFd *fds, size_t n) {
        for (size_t i = 0; i < n; i++) {
                (void) notify_unstore(fds[i].name);
                fds[i].fd = safe_close(fds[i].fd);
        }
}

static bool find_memory(Shim *s, StoredFd *fds, size_t n) {
        for (size_t i = 0; i < n; i++)
                if (streq(fds[i].name, "main") && fd_role(fds[i].fd, NULL) == FD_ROLE_MEMORY &&
                    memory_map(fds[i].fd, &s->memory) >= 0) {
                        s->memory_fd = TAKE_FD(fds[i].fd);
                        return true;
                }
        return false;
}

static void adopt(Shim *s, int fd) {
        switch (fd_role(fd, s->memory->fds)) {
        case FD_ROLE_PIDFD:
                s->payload.fd = fd;
                return;
        case FD_ROLE_LISTENER:
                (void) control_restore_listener(s, fd);
                return;
        case FD_ROLE_PTY:
                (void) stdio_set_adopt_terminal(&s->stdio, fd);
                return;
        case FD_ROLE_IN:
                s->stdio.in.fd = fd;
                return;
        case FD_ROLE_OUT:
                stdio_set_adopt_stream(&s->stdio, 0, fd);
                return;
        case FD_ROLE_ERR:
                stdio_set_adopt_stream(&s->stdio, 1, fd);
                return;
        default:
                (void) safe_close(fd);
        }
}

static void adopt_exec(Shim *s, StoredFd *fds, size_t n, const char *name) {
        uint64_t slot;
        int group[8];
        size_t m = 0;

        for (size_t i = 0; i < n; i++)
                if (fds[i].fd >= 0 && streq(fds[i].name, name) && m < ELEMENTSOF(group))
                        group[m++] = TAKE_FD(fds[i].fd);
        if (parse_u64(name + 1, EXECS_MAX - 1, &slot) >= 0 && s->memory->execs[slot].used) {
                (void) exec_restore(s, (unsigned) slot, group, m);
                return;
        }
        (void) notify_unstore(name);
        for (size_t i = 0; i < m; i++)
                (void) safe_close(group[i]);
}

static void adopt_client(Shim *s, const char *name, int fd) {
        ClientMemory *m;
        uint64_t slot;
        Exec *e;

        if (parse_u64(name + 1, CLIENTS_MAX - 1, &slot) < 0 || !s->memory->clients[slot].used) {
                (void) notify_unstore(name);
                (void) safe_close(fd);
                return;
        }
        m = &s->memory->clients[slot];
        if (m->waiter) {
                (void) waiter_restore(s, fd, (unsigned) slot);
                return;
        }
        e = exec_by_slot(s, m->exec);
        (void) client_restore(e ? exec_stdio(e) : &s->stdio, fd, (unsigned) slot);
}

static void on_info_timeout(Timer *t) {
        shim_payload_exited(CONTAINER_OF(t, Shim, settle_timer), EXIT_STATUS_UNKNOWN);
}

/* The payload is PID 1's child now; its status is in the pidfd once PID 1 has reaped it. */
static void on_payload(Source *source, uint32_t revents) {
        Shim *s = CONTAINER_OF(source, Shim, payload);
        ExitStatus status;
        int r = process_pidfd_exit_status(source->fd, &status);

        if (r == -EAGAIN) {
                (void) source_watch(&s->loop, source, EPOLLHUP);
                if (!s->settle_timer.armed)
                        timer_arm(&s->loop, &s->settle_timer, USEC_PER_SEC, on_info_timeout);
                return;
        }
        shim_payload_exited(s, r < 0 ? EXIT_STATUS_UNKNOWN : status);
}

/* Return: 0 or -errno; the container is as good as dead to us when its pidfd is missing. */
static int go_on(Shim *s) {
        stream_memory_recover(s->memory);
        s->status = (ShimStatus) s->memory->status;
        s->started = s->created = s->go = true;
        /* Killed between the payload's start and the record of it. */
        if (s->history.epoch != s->memory->epoch)
                shim_record_started(s);
        if (s->payload.fd >= 0)
                shim_hold_mounts(s);
        s->cgroup_fd = s->memory->cgroup[0] ? cgroup_open(s->memory->cgroup) : -EBADF;
        shim_watch_memory(s);
        journal_event(s, MESSAGE_ID_SHIM_RESUMED, LOG_NOTICE, "shim-resumed",
                      "The container's shim was killed and has resumed; the container was not touched.",
                      NULL);
        (void) notify_send("READY=1");
        if (s->listener.fd < 0)
                (void) control_listen(s);
        if (s->status == SHIM_EXITED) {
                shim_finish_again(s);
                return 0;
        }
        if (s->status == SHIM_EXITING)
                s->status = SHIM_RUNNING;
        stdio_set_flush_journal(&s->stdio);
        stdio_set_update(&s->stdio);
        if (s->payload.fd < 0 || s->memory->exited_at > 0) {
                shim_payload_exited(s, EXIT_STATUS_UNKNOWN);
                return 0;
        }
        stop_go_on(s);
        s->payload.callback = on_payload;
        return source_watch(&s->loop, &s->payload, EPOLLIN);
}

/**
 * shim_resume - look at what systemd kept for us.
 *
 * Return: 0 and whether the container goes on (else: start it), or -errno.
 */
int shim_resume(Shim *s, bool *ret_resumed) {
        _cleanup_free_ StoredFd *fds = NULL;
        size_t n;
        int r;

        *ret_resumed = false;
        r = stored_fds_take(&fds, &n);
        if (r < 0)
                return r;
        if (n == 0)
                return 0;
        if (!find_memory(s, fds, n) || s->memory->finished || s->memory->status < SHIM_RUNNING) {
                if (s->memory)
                        (void) munmap(s->memory, MEMORY_SIZE);
                s->memory = NULL;
                s->memory_fd = safe_close(s->memory_fd);
                drop_all(fds, n);
                return 0;
        }
        s->resumed = *ret_resumed = true;
        stdio_set_init(&s->stdio, s, NULL, s->config.tty);
        for (size_t i = 0; i < n; i++)
                if (fds[i].fd >= 0 && (streq(fds[i].name, "main") || streq(fds[i].name, "in")))
                        adopt(s, TAKE_FD(fds[i].fd));
        for (size_t i = 0; i < n; i++)
                if (fds[i].fd >= 0 && fds[i].name[0] == 'x')
                        adopt_exec(s, fds, n, fds[i].name);
        for (size_t i = 0; i < n; i++)
                if (fds[i].fd >= 0)
                        adopt_client(s, fds[i].name, TAKE_FD(fds[i].fd));
        return go_on(s);
}
