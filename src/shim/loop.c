/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "loop.h"

#include "../basic/clock.h"
#include "../basic/fd.h"

/*
 * One event is fetched at a time: a callback may then free any other source without leaving a stale pointer
 * in a batch, and the kernel's ready list is served round robin, so that no stream starves another.
 */

/** loop_init - make the epoll instance. Return: 0 or -errno. */
int loop_init(Loop *l) {
        *l = (Loop){ .epoll_fd = epoll_create1(EPOLL_CLOEXEC) };
        return l->epoll_fd < 0 ? negative_errno() : 0;
}

/**
 * source_watch - watch @s->fd for @events; 0 takes it out of the set altogether.
 *
 * An fd that stays in the set reports EPOLLHUP whether asked or not, and would spin while its reader is
 * paused.
 *
 * Return: 0 or -errno (-EPERM: a regular file, always ready).
 */
int source_watch(Loop *l, Source *s, uint32_t events) {
        struct epoll_event e = { .events = events, .data.ptr = s };
        int op;

        if (s->fd < 0 || events == s->events)
                return 0;
        op = events == 0 ? EPOLL_CTL_DEL : s->events == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
        if (epoll_ctl(l->epoll_fd, op, s->fd, &e) < 0)
                return negative_errno();
        s->events = events;
        return 0;
}

/** source_close - forget and close the fd; copies elsewhere (fd store, children) keep the file open, so DEL
 * comes first. */
void source_close(Loop *l, Source *s) {
        (void) source_watch(l, s, 0);
        s->events = 0;
        s->fd = safe_close(s->fd);
}

/** timer_disarm - no call will come any more. */
void timer_disarm(Loop *l, Timer *t) {
        if (!t->armed)
                return;
        for (Timer **p = &l->timers; *p; p = &(*p)->next)
                if (*p == t) {
                        *p = t->next;
                        break;
                }
        t->armed = false;
}

/** timer_arm - call @callback once, @delay from now; replaces what was armed. */
void timer_arm(Loop *l, Timer *t, usec_t delay, TimerCallback callback) {
        Timer **p = &l->timers;

        timer_disarm(l, t);
        t->at = now_monotonic() + delay;
        t->callback = callback;
        while (*p && (*p)->at <= t->at)
                p = &(*p)->next;
        t->next = *p;
        *p = t;
        t->armed = true;
}

static int wait_ms(const Loop *l) {
        usec_t now;

        if (!l->timers)
                return -1;
        now = now_monotonic();
        if (l->timers->at <= now)
                return 0;
        return (int) MIN((l->timers->at - now) / USEC_PER_MSEC + 1, (usec_t) 3600 * 1000);
}

/** loop_run - serve until @l->done. Return: 0 or -errno of epoll. */
int loop_run(Loop *l) {
        while (!l->done) {
                struct epoll_event e;
                int n = epoll_wait(l->epoll_fd, &e, 1, wait_ms(l));

                if (n < 0 && errno != EINTR)
                        return negative_errno();
                if (n > 0) {
                        Source *s = e.data.ptr;

                        s->callback(s, e.events);
                }
                while (!l->done && l->timers && l->timers->at <= now_monotonic()) {
                        Timer *t = l->timers;

                        timer_disarm(l, t);
                        t->callback(t);
                }
        }
        return 0;
}
