/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <syslog.h>
#include <unistd.h>

#include "../basic/fd.h"
#include "../shared/journal-fields.h"
#include "exec.h"
#include "log-journal.h"
#include "notify.h"
#include "shim.h"

/*
 * One attached connection. Output goes out at once if the socket takes it, else into a buffer of the
 * client's own; while that is full the payload's output is not read (the other clients wait with it), and a
 * client that has taken nothing for STALL_MAX with a full buffer is dropped. The end of the client's input
 * is not the end of the client: only EPOLLHUP is. O_NONBLOCK belongs to whoever else holds the socket, so
 * every call says MSG_DONTWAIT itself.
 */
#define CLIENT_BUFFER_MAX (1024 * 1024)
#define CLIENT_FULL (CLIENT_BUFFER_MAX - 2 * STREAM_BUFFER_SIZE)
#define INPUT_CHUNK 4096
#define EARLY_INPUT_MAX (1024 * 1024)
#define STALL_MAX (10 * USEC_PER_SEC)
#define RAW_HEAD_SIZE 8

struct Client {
        Client *next;
        StdioSet *set;
        Source source;
        ClientFlags flags;
        DetachKeys keys;
        Buffer out;
        Buffer in;
        bool input_ended;
        bool detached;
        int slot; /* in the memory, -1: not stored */
        Timer stall;
};

static bool client_input(Client *c);
static void on_stalled(Timer *timer);

static void update(Client *c) {
        Shim *s = c->set->shim;
        uint32_t events = EPOLLHUP;

        if (!c->input_ended && c->in.size == 0)
                events |= EPOLLIN;
        if (c->out.size > 0)
                events |= EPOLLOUT;
        (void) source_watch(&s->loop, &c->source, events);
}

static void unstore(Client *c) {
        char name[16];

        if (c->slot < 0)
                return;
        c->set->shim->memory->clients[c->slot].used = false;
        (void) snprintf(name, sizeof(name), "c%d", c->slot);
        (void) notify_unstore(name);
        c->slot = -1;
}

/** client_free - hang up. shutdown() first: the fd store may hold a copy that would keep the peer waiting.
 */
void client_free(Client *c) {
        StdioSet *t = c->set;

        for (Client **p = &t->clients; *p; p = &(*p)->next)
                if (*p == c) {
                        *p = c->next;
                        break;
                }
        timer_disarm(&t->shim->loop, &c->stall);
        if (c->source.fd >= 0)
                (void) shutdown(c->source.fd, SHUT_RDWR);
        source_close(&t->shim->loop, &c->source);
        unstore(c);
        buffer_done(&c->out);
        buffer_done(&c->in);
        free(c);
}

static bool set_is_over(const StdioSet *t) {
        return t->exec ? exec_is_over(t->exec) : t->shim->status == SHIM_EXITED;
}

/** client_check_done_all - see client.h. */
void client_check_done_all(StdioSet *t) {
        if (!set_is_over(t))
                return;
        for (Client *c = t->clients, *next; c; c = next) {
                next = c->next;
                if (c->out.size == 0)
                        client_free(c);
                else if (!c->stall.armed) /* no more output will notice that it does not read */
                        timer_arm(&t->shim->loop, &c->stall, STALL_MAX, on_stalled);
        }
}

/* A client has gone or taken something: somebody's end may have waited for that. May free the exec. */
static void after_change(StdioSet *t) {
        stdio_set_update(t);
        if (t->exec) {
                exec_check_done(t->exec);
                return;
        }
        if (t->shim->status == SHIM_EXITED) {
                client_check_done_all(t);
                shim_check_done(t->shim);
        } else if (t->shim->status == SHIM_EXITING)
                shim_check_drained(t->shim);
}

/** client_free_all - hang up on everybody at once. */
void client_free_all(StdioSet *t) {
        while (t->clients)
                client_free(t->clients);
}

static void on_stalled(Timer *timer) {
        Client *c = CONTAINER_OF(timer, Client, stall);
        StdioSet *t = c->set;

        journal_event(t->shim, MESSAGE_ID_CLIENT_DROPPED, LOG_WARNING, "client-dropped",
                      "An attached client took no output for 10 s and was disconnected.", NULL);
        client_free(c);
        after_change(t);
}

static void took_some(Client *c) {
        if (c->out.size >= CLIENT_FULL || (c->out.size > 0 && stdio_set_closed(c->set)))
                timer_arm(&c->set->shim->loop, &c->stall, STALL_MAX, on_stalled);
        else
                timer_disarm(&c->set->shim->loop, &c->stall);
}

/* Return: false when the peer is gone. */
static bool flush(Client *c) {
        while (c->out.size > 0) {
                ssize_t n = send(c->source.fd, c->out.data, c->out.size, MSG_DONTWAIT | MSG_NOSIGNAL);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return errno == EAGAIN;
                buffer_consume(&c->out, (size_t) n);
                took_some(c);
        }
        if (c->out.allocated > 0)
                buffer_done(&c->out);
        return true;
}

/* Return: false when the peer is gone or cannot be served. */
static bool client_write(Client *c, unsigned stream, const char *data, size_t size) {
        uint8_t head[RAW_HEAD_SIZE] = { (uint8_t) (stream + 1) };
        uint32_t n = htonl((uint32_t) size);
        size_t head_size = c->flags & CLIENT_MUX ? sizeof(head) : 0, skip = 0;
        struct iovec iov[2] = { { head, head_size }, { (char *) data, size } };

        memcpy(head + 4, &n, 4);
        if (c->out.size == 0) {
                struct msghdr mh = { .msg_iov = iov, .msg_iovlen = 2 };
                ssize_t sent = sendmsg(c->source.fd, &mh, MSG_DONTWAIT | MSG_NOSIGNAL);

                if (sent < 0 && errno != EAGAIN && errno != EINTR)
                        return false;
                skip = sent > 0 ? (size_t) sent : 0;
        }
        for (unsigned i = 0; i < 2; i++) {
                size_t s = MIN(skip, iov[i].iov_len);

                skip -= s;
                if (iov[i].iov_len > s &&
                    buffer_append(&c->out, (char *) iov[i].iov_base + s, iov[i].iov_len - s) < 0)
                        return false;
        }
        if (c->out.size >= CLIENT_FULL && !c->stall.armed)
                took_some(c);
        update(c);
        return true;
}

/** client_write_all - @stream (0 stdout, 1 stderr) said @data. */
void client_write_all(StdioSet *t, unsigned stream, const char *data, size_t size) {
        for (Client *c = t->clients, *next; c; c = next) {
                next = c->next;
                if (!c->detached && c->flags & (stream == 0 ? CLIENT_STDOUT : CLIENT_STDERR) &&
                    !client_write(c, stream, data, size))
                        client_free(c);
        }
}

/** client_any_full - somebody must take something before more is read. */
bool client_any_full(const StdioSet *t) {
        for (const Client *c = t->clients; c; c = c->next)
                if (c->out.size >= CLIENT_FULL)
                        return true;
        return false;
}

/** client_any - somebody is attached. */
bool client_any(const StdioSet *t) {
        return t->clients;
}

static void input_end(Client *c) {
        StdioSet *t = c->set;

        c->input_ended = true;
        if (c->slot >= 0)
                t->shim->memory->clients[c->slot].flags |= CLIENT_INPUT_ENDED;
        if (c->in.size > 0 || !(c->flags & CLIENT_STDIN) || t->tty)
                return;
        if (t->exec || t->shim->config.stdin_once)
                stdio_set_close_input(t);
}

/* Pass on what is in c->in. Return: true when all of it went (or nobody will ever want it). */
static bool client_input(Client *c) {
        while (c->in.size > 0) {
                ssize_t n = stdio_set_write(c->set, c->in.data, c->in.size);

                if (n == 0)
                        return false;
                buffer_consume(&c->in, n < 0 ? c->in.size : (size_t) n);
        }
        if (c->in.allocated > 0)
                buffer_done(&c->in);
        if (c->input_ended)
                input_end(c);
        return true;
}

/** client_resume_all_input - the process takes input (again). */
void client_resume_all_input(StdioSet *t) {
        for (Client *c = t->clients, *next; c; c = next) {
                bool pending = c->in.size > 0;

                next = c->next;
                if (pending && !client_input(c))
                        return;
                if (pending && c->source.fd < 0)
                        client_free(c); /* it had left; this was all that was still here of it */
                else if (pending)
                        update(c);
        }
}

/* Return: false when the client typed its detach keys. */
static bool take_input(Client *c, const char *data, size_t size) {
        int r;

        if (!(c->flags & CLIENT_STDIN))
                return true;
        r = detach_keys_filter(&c->keys, data, size, &c->in);
        if (r == 1)
                return false;
        (void) client_input(c);
        return true;
}

/* Return: false when the client is to be closed. */
static bool read_input(Client *c) {
        char buf[INPUT_CHUNK];
        ssize_t n = recv(c->source.fd, buf, sizeof(buf), MSG_DONTWAIT);

        if (n < 0)
                return errno == EAGAIN || errno == EINTR;
        if (n == 0) {
                input_end(c);
                return true;
        }
        return take_input(c, buf, (size_t) n);
}

static void on_client(Source *source, uint32_t revents) {
        Client *c = CONTAINER_OF(source, Client, source);
        StdioSet *t = c->set;
        bool alive = true;

        if (revents & EPOLLIN)
                alive = read_input(c);
        else if (revents & (EPOLLHUP | EPOLLERR)) {
                /* Input may still be waiting for the payload to take it; output is for nobody. */
                if (c->in.size > 0 && !c->input_ended && c->flags & CLIENT_STDIN) {
                        c->detached = true;
                        buffer_done(&c->out);
                        input_end(c);
                        unstore(c);
                        source_close(&t->shim->loop, &c->source);
                        after_change(t);
                        return;
                }
                if (!c->input_ended)
                        input_end(c);
                alive = false;
        }
        if (alive && revents & EPOLLOUT)
                alive = flush(c);
        if (alive)
                update(c);
        else
                client_free(c);
        after_change(t);
}

static Client *client_alloc(StdioSet *t, int fd, ClientFlags flags) {
        Client *c = new0(Client, 1);

        if (!c)
                return NULL;
        c->set = t;
        c->source = (Source){ .fd = fd, .callback = on_client };
        c->flags = flags;
        c->slot = -1;
        c->out = BUFFER_INIT(CLIENT_BUFFER_MAX);
        c->in = BUFFER_INIT(EARLY_INPUT_MAX + INPUT_CHUNK);
        c->next = t->clients;
        t->clients = c;
        return c;
}

static int take_early(Client *c, int early) {
        char buf[INPUT_CHUNK];
        ssize_t n;

        while ((n = read(early, buf, sizeof(buf))) > 0)
                if (!take_input(c, buf, (size_t) n))
                        return 1;
        return 0;
}

/** client_new - see client.h. Return: 0 or -errno (-EUSERS: too many). */
int client_new(StdioSet *t, int fd, int early, ClientFlags flags, const DetachKeys *keys) {
        _cleanup_close_ int early_fd = early;
        size_t n = 0;
        Client *c;

        for (c = t->clients; c; c = c->next)
                n++;
        c = n < CLIENTS_MAX ? client_alloc(t, fd, flags) : NULL;
        if (!c) {
                (void) safe_close(fd);
                return n < CLIENTS_MAX ? -ENOMEM : -EUSERS;
        }
        if (keys && t->tty)
                c->keys = *keys;
        update(c);
        if (early_fd >= 0 && lseek(early_fd, 0, SEEK_SET) == 0 && take_early(c, early_fd) > 0)
                client_free(c);
        else
                update(c);
        return 0;
}

/** client_restore - take a client over from a killed shim. Return: 0 or -errno. */
int client_restore(StdioSet *t, int fd, unsigned slot) {
        ClientMemory *m = &t->shim->memory->clients[slot];
        Client *c = client_alloc(t, fd, (ClientFlags) m->flags);

        if (!c)
                return -ENOMEM;
        c->slot = (int) slot;
        c->input_ended = m->flags & CLIENT_INPUT_ENDED;
        c->keys.n = m->n_keys;
        memcpy(c->keys.keys, m->keys, sizeof(m->keys));
        update(c);
        return 0;
}

static void store(Client *c) {
        Memory *m = c->set->shim->memory;
        char name[16];

        for (unsigned i = 0; i < CLIENTS_MAX; i++) {
                if (m->clients[i].used)
                        continue;
                m->clients[i] = (ClientMemory){ .used = true,
                                                .exec = (int16_t) exec_slot(c->set->exec),
                                                .n_keys = c->keys.n,
                                                .flags = c->flags |
                                                         (c->input_ended ? CLIENT_INPUT_ENDED : 0) };
                memcpy(m->clients[i].keys, c->keys.keys, sizeof(m->clients[i].keys));
                (void) snprintf(name, sizeof(name), "c%u", i);
                if (notify_store(name, "", &c->source.fd, 1) < 0)
                        m->clients[i].used = false;
                else
                        c->slot = (int) i;
                return;
        }
}

static void store_set(StdioSet *t) {
        for (Client *c = t->clients; c; c = c->next)
                if (c->slot < 0 && c->source.fd >= 0)
                        store(c);
}

/** client_store_all - put clients that have no place in the fd store yet there. */
void client_store_all(Shim *s) {
        store_set(&s->stdio);
        for (Exec *e = s->execs; e; e = exec_next(e))
                store_set(exec_stdio(e));
}
