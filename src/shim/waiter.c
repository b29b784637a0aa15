/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "waiter.h"

#include <stdio.h>
#include <sys/socket.h>

#include "../basic/fd.h"
#include "../basic/str.h"
#include "notify.h"
#include "shim.h"

/*
 * HTTP clients of `wait`. The engine has sent the response head; the answer is one chunk and the end, after
 * which the connection is closed.
 */
struct Waiter {
        Waiter *next;
        Shim *shim;
        Source source;
        WaitCondition condition;
        int slot;
};

/** wait_condition_from_string - Return: the condition (absent: not-running) or _WAIT_INVALID. */
WaitCondition wait_condition_from_string(const char *s) {
        if (isempty(s) || streq(s, "not-running") || streq(s, "next-exit"))
                return WAIT_EXIT;
        return streq(s, "removed") ? WAIT_REMOVED : _WAIT_INVALID;
}

static void waiter_free(Waiter *w) {
        Shim *s = w->shim;
        char name[16];

        for (Waiter **p = &s->waiters; *p; p = &(*p)->next)
                if (*p == w) {
                        *p = w->next;
                        break;
                }
        (void) shutdown(w->source.fd, SHUT_RDWR);
        source_close(&s->loop, &w->source);
        if (w->slot >= 0) {
                s->memory->clients[w->slot].used = false;
                (void) snprintf(name, sizeof(name), "c%d", w->slot);
                (void) notify_unstore(name);
        }
        free(w);
}

static void on_waiter(Source *source, uint32_t revents) {
        waiter_free(CONTAINER_OF(source, Waiter, source));
}

static int waiter_add(Shim *s, int fd, WaitCondition condition, int slot) {
        Waiter *w = new0(Waiter, 1);

        if (!w) {
                (void) safe_close(fd);
                return -ENOMEM;
        }
        *w = (Waiter){ .next = s->waiters, .shim = s, .condition = condition, .slot = slot,
                       .source = { .fd = fd, .callback = on_waiter } };
        s->waiters = w;
        return source_watch(&s->loop, &w->source, EPOLLHUP);
}

static bool is_due(const Shim *s, WaitCondition condition) {
        return s->status == SHIM_EXITED && (condition == WAIT_EXIT || s->trash);
}

/** waiter_new - @fd (consumed) waits for @condition. Return: 0 or -errno (-EUSERS: too many). */
int waiter_new(Shim *s, int fd, WaitCondition condition) {
        size_t n = 0;
        int r;

        for (Waiter *w = s->waiters; w; w = w->next)
                n++;
        if (n >= CLIENTS_MAX) {
                (void) safe_close(fd);
                return -EUSERS;
        }
        r = waiter_add(s, fd, condition, -1);
        if (r >= 0 && is_due(s, condition))
                waiter_answer(s, condition);
        return r;
}

/** waiter_restore - take one over from a killed shim. Return: 0 or -errno. */
int waiter_restore(Shim *s, int fd, unsigned slot) {
        return waiter_add(s, fd, (WaitCondition) s->memory->clients[slot].condition, (int) slot);
}

/** waiter_answer - tell everybody who waits for @condition, and hang up. */
void waiter_answer(Shim *s, WaitCondition condition) {
        char json[128], text[192];
        int n;

        n = snprintf(json, sizeof(json), "{\"StatusCode\":%d%s}\n", s->exit.code,
                     s->exit.known ? "" : ",\"Error\":{\"Message\":\"the exit status is unknown\"}");
        n = snprintf(text, sizeof(text), "%x\r\n%s\r\n0\r\n\r\n", (unsigned) n, json);
        for (Waiter *w = s->waiters, *next; w; w = next) {
                next = w->next;
                if (w->condition != condition)
                        continue;
                (void) !send(w->source.fd, text, (size_t) n, MSG_NOSIGNAL | MSG_DONTWAIT);
                waiter_free(w);
        }
}

/** waiter_store_all - put waiters that have no place in the fd store yet there. */
void waiter_store_all(Shim *s) {
        for (Waiter *w = s->waiters; w; w = w->next)
                for (unsigned i = 0; w->slot < 0 && i < CLIENTS_MAX; i++) {
                        ClientMemory *m = &s->memory->clients[i];
                        char name[16];

                        if (m->used)
                                continue;
                        *m = (ClientMemory){
                                .used = true, .waiter = true, .condition = (uint8_t) w->condition, .exec = -1
                        };
                        (void) snprintf(name, sizeof(name), "c%u", i);
                        if (notify_store(name, "", &w->source.fd, 1) < 0) {
                                m->used = false;
                                return;
                        }
                        w->slot = (int) i;
                }
}
