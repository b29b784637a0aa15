/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "shim-link.h"

#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../basic/fd.h"
#include "../basic/log.h"
#include "../basic/str.h"
#include "../shared/paths.h"
#include "../shared/unit-name.h"
#include "container-internal.h"

/*
 * The engine's end of one shim (docs/contracts.md section 5). Either side may open the connection: a
 * starting shim comes to our socket and asks for parked clients, a restarted engine goes to the shim's. What
 * cannot be sent yet (no shim so far, or its socket is full) waits in the container's queue with its
 * descriptors; a queued client that hangs up is dropped.
 */
#define QUEUE_MAX 256

typedef struct Call {
        struct Call *next;
        uint64_t seq;
        ShimReply reply;
        void *userdata;
} Call;

struct ParkedClient {
        ParkedClient *next;
        Container *container;
        char *verb;
        Buffer text;
        int fds[2];
        size_t n_fds;
        sd_event_source *hangup;
        ShimReply reply;
        void *userdata;
};

struct ShimLink {
        Manager *manager;
        Container *container; /* NULL until the shim said who it is */
        int fd;
        sd_event_source *io;
        Call *calls;
        uint64_t seq;
};

static void parked_free(ParkedClient *p) {
        (void) sd_event_source_disable_unref(p->hangup);
        for (size_t i = 0; i < p->n_fds; i++)
                (void) safe_close(p->fds[i]);
        buffer_done(&p->text);
        free(p->verb);
        manager_release(p->container->manager);
        free(p);
}

static void parked_unlink(ParkedClient *p) {
        for (ParkedClient **i = &p->container->parked; *i; i = &(*i)->next)
                if (*i == p) {
                        *i = p->next;
                        break;
                }
}

static int on_parked_hangup(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        ParkedClient *p = userdata;

        if (events & (EPOLLHUP | EPOLLERR)) {
                parked_unlink(p);
                if (p->reply)
                        p->reply(p->container, -ECANCELED, NULL, p->userdata);
                parked_free(p);
        }
        return 0;
}

static int park(Container *c, const char *verb, const Buffer *text, const int *fds, size_t n_fds,
                ShimReply reply, void *userdata) {
        ParkedClient *p, **tail = &c->parked;
        size_t n = 0;
        int r = 0;

        for (; *tail; tail = &(*tail)->next)
                n++;
        p = n < QUEUE_MAX ? new0(ParkedClient, 1) : NULL;
        if (!p) {
                for (size_t i = 0; i < n_fds; i++)
                        (void) safe_close(fds[i]);
                return n < QUEUE_MAX ? -ENOMEM : -EUSERS;
        }
        p->container = c;
        p->text = BUFFER_INIT(FIELDS_TEXT_MAX);
        p->reply = reply;
        p->userdata = userdata;
        for (size_t i = 0; i < n_fds; i++)
                p->fds[p->n_fds++] = fds[i];
        manager_hold(c->manager);
        p->verb = strdup(verb);
        if (!p->verb)
                r = -ENOMEM;
        if (r >= 0 && text)
                r = buffer_append(&p->text, strempty(text->data), text->size);
        if (r >= 0 && n_fds > 0)
                r = sd_event_add_io(c->manager->event, &p->hangup, fds[0], 0, on_parked_hangup, p);
        if (r < 0) {
                parked_free(p);
                return r;
        }
        *tail = p;
        return 0;
}

static int link_send(ShimLink *l, const char *verb, const Buffer *text, const int *fds, size_t n_fds,
                     ShimReply reply, void *userdata) {
        _cleanup_buffer_ Buffer b = BUFFER_INIT(FIELDS_TEXT_MAX);
        Call *call = NULL;
        int r;

        r = fields_put(&b, '\n', "verb", verb);
        if (r >= 0)
                r = fields_putf(&b, '\n', "seq", "%" PRIu64, ++l->seq);
        if (r >= 0 && text && text->size > 0)
                r = buffer_append(&b, text->data, text->size);
        if (r < 0)
                return r;
        if (reply) {
                call = new0(Call, 1);
                if (!call)
                        return -ENOMEM;
                *call = (Call){ l->calls, l->seq, reply, userdata };
        }
        r = message_send(l->fd, &b, fds, n_fds);
        if (r < 0) {
                free(call);
                return r;
        }
        if (call)
                l->calls = call;
        return 0;
}

/** shim_send - see shim-link.h. */
int shim_send(Container *c, const char *verb, const Buffer *text, const int *fds, size_t n_fds,
              ShimReply reply, void *userdata) {
        int r;

        if (c->link && c->link_ready && !c->parked) {
                r = link_send(c->link, verb, text, fds, n_fds, reply, userdata);
                if (r != -EAGAIN && r != -EPIPE && r != -ECONNRESET) {
                        for (size_t i = 0; i < n_fds; i++)
                                (void) safe_close(fds[i]);
                        return r;
                }
        }
        r = park(c, verb, text, fds, n_fds, reply, userdata);
        if (r >= 0 && c->link && c->link_ready)
                (void) sd_event_source_set_io_events(c->link->io, EPOLLIN | EPOLLOUT);
        return r;
}

/* Send the queue in order; what does not fit now waits for EPOLLOUT. */
static int send_parked(ShimLink *l) {
        Container *c = l->container;

        while (c->parked) {
                ParkedClient *p = c->parked;
                int r;

                p->hangup = sd_event_source_disable_unref(p->hangup);
                r = link_send(l, p->verb, &p->text, p->fds, p->n_fds, p->reply, p->userdata);
                if (r == -EAGAIN) {
                        (void) sd_event_source_set_io_events(l->io, EPOLLIN | EPOLLOUT);
                        return 0;
                }
                if (r < 0)
                        return r;
                c->parked = p->next;
                parked_free(p);
        }
        (void) sd_event_source_set_io_events(l->io, EPOLLIN);
        return 1;
}

/* A client of `wait` whose answer the engine knows: one chunk and the end, as the shim would write it. */
static void answer_wait(ParkedClient *p, int code) {
        char json[64], body[128];
        int n = snprintf(json, sizeof(json), "{\"StatusCode\":%d}\n", code);

        n = snprintf(body, sizeof(body), "%x\r\n%s\r\n0\r\n\r\n", (unsigned) n, json);
        (void) !send(p->fds[0], body, (size_t) n, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/** shim_queue_flush - see shim-link.h. With @removed also those that wait for the removal are answered. */
void shim_queue_flush(Container *c, bool removed) {
        for (ParkedClient **i = &c->parked; *i;) {
                ParkedClient *p = *i;

                if (streq(p->verb, "wait") && !removed && p->text.data &&
                    strstr(p->text.data, "condition=removed")) {
                        i = &p->next;
                        continue;
                }
                *i = p->next;
                if (streq(p->verb, "wait"))
                        answer_wait(p, container_docker_exit_code(c));
                if (p->reply)
                        p->reply(c, -ESRCH, NULL, p->userdata);
                parked_free(p);
        }
}

static void on_reply(ShimLink *l, Message *m) {
        uint64_t seq;

        if (fields_get_u64(&m->fields, "seq", UINT64_MAX, &seq) < 0)
                return;
        for (Call **i = &l->calls; *i; i = &(*i)->next) {
                Call *call = *i;

                if (call->seq != seq)
                        continue;
                *i = call->next;
                call->reply(l->container, -(int) fields_get_i64_or(&m->fields, "errno", EPROTO), &m->fields,
                            call->userdata);
                free(call);
                return;
        }
}

static void link_close(ShimLink *l) {
        Container *c = l->container;

        (void) shim_link_free(l);
        if (c)
                container_on_link_lost(c);
}

static int on_starting(ShimLink *l, Message *m) {
        const char *id = strempty(fields_get(&m->fields, "id"));
        _cleanup_buffer_ Buffer go = BUFFER_INIT(256);
        Container *c;
        int r;

        c = hashmap_get(l->manager->containers, id);
        if (c) {
                if (c->link == l || l->container)
                        return -EPROTO; /* it has said so before */
                if (c->link)
                        (void) shim_link_free(c->link);
                l->container = c;
                c->link = l;
                c->link_ready = true;
                container_on_starting(c);
                r = send_parked(l);
                if (r < 0)
                        return r;
        }
        r = fields_put(&go, '\n', "verb", "go");
        return r < 0 ? r : message_send(l->fd, &go, NULL, 0);
}

static int handle_message(ShimLink *l, Message *m) {
        const char *verb = message_verb(m);

        if (streq(verb, "reply") && l->container)
                on_reply(l, m);
        else if (streq(verb, "event") && l->container)
                container_on_event(l->container, &m->fields);
        else if (streq(verb, "starting"))
                return on_starting(l, m);
        return 0;
}

static int on_link_io(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        ShimLink *l = userdata;
        int r;

        if (events & EPOLLIN) {
                _cleanup_message_ Message m = MESSAGE_INIT;
                Manager *manager = l->manager;
                char id[CONTAINER_ID_LENGTH + 1] = "";

                r = message_receive(fd, &m);
                if (r == -EAGAIN || r == -EBADMSG || r == -E2BIG)
                        return 0;
                if (r <= 0) {
                        link_close(l);
                        return 0;
                }
                if (l->container)
                        memcpy(id, l->container->id, sizeof(id));
                r = handle_message(l, &m);
                /* A `removed` event frees the container and this link with it. */
                if (id[0] && !hashmap_get(manager->containers, id))
                        return 0;
                if (r < 0)
                        link_close(l);
                return 0;
        }
        if (events & EPOLLOUT) {
                if (!l->container || send_parked(l) < 0)
                        link_close(l);
                return 0;
        }
        if (events & (EPOLLHUP | EPOLLERR))
                link_close(l);
        return 0;
}

/** shim_link_free - close the connection; replies that were awaited are told -ECONNRESET. Return: NULL. */
ShimLink *shim_link_free(ShimLink *l) {
        if (!l)
                return NULL;
        if (l->container && l->container->link == l) {
                l->container->link = NULL;
                l->container->link_ready = false;
        }
        (void) sd_event_source_disable_unref(l->io);
        (void) safe_close(l->fd);
        while (l->calls) {
                Call *call = l->calls;

                l->calls = call->next;
                if (l->container)
                        call->reply(l->container, -ECONNRESET, NULL, call->userdata);
                free(call);
        }
        free(l);
        return NULL;
}

static int link_new(Manager *m, int fd, ShimLink **ret) {
        ShimLink *l = new0(ShimLink, 1);
        int r;

        if (!l) {
                (void) safe_close(fd);
                return -ENOMEM;
        }
        l->manager = m;
        l->fd = fd;
        r = sd_event_add_io(m->event, &l->io, fd, EPOLLIN, on_link_io, l);
        if (r < 0) {
                (void) shim_link_free(l);
                return r;
        }
        *ret = l;
        return 0;
}

static void on_hello(Container *c, int error, const Fields *reply, void *userdata) {
        if (error == 0 && reply)
                container_on_hello(c, reply);
}

/** shim_link_connect - see shim-link.h. */
int shim_link_connect(Container *c) {
        _cleanup_free_ char *path = str_concat(BERTH_RUN_CONTAINERS_DIR "/", c->id, "/shim.sock");
        int fd, r;

        if (!path)
                return -ENOMEM;
        fd = message_connect(path, true);
        if (fd < 0)
                return fd;
        r = link_new(c->manager, fd, &c->link);
        if (r < 0)
                return r;
        c->link->container = c;
        c->link_ready = true;
        r = link_send(c->link, "hello", NULL, NULL, 0, on_hello, NULL);
        if (r >= 0)
                r = send_parked(c->link);
        if (r < 0)
                (void) shim_link_free(c->link);
        return r;
}

static int on_shim_accept(sd_event_source *source, int listen_fd, uint32_t events, void *userdata) {
        Manager *m = userdata;
        ShimLink *l;
        int fd, r;

        fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0)
                return 0;
        r = link_new(m, fd, &l);
        if (r < 0)
                (void) log_error_errno(r, "Cannot talk to a starting shim: %m");
        return 0;
}

/** shim_link_listen - see shim-link.h. */
int shim_link_listen(Manager *m) {
        m->engine_fd = message_listen(BERTH_ENGINE_SOCKET, 0600);
        if (m->engine_fd < 0)
                return m->engine_fd;
        return sd_event_add_io(m->event, NULL, m->engine_fd, EPOLLIN, on_shim_accept, m);
}
