/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "http-server.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../basic/clock.h"
#include "../basic/fd.h"
#include "../basic/json.h"
#include "../basic/log.h"
#include "../basic/str.h"
#include "http-connection.h"
#include "http-router.h"

/*
 * One connection carries one request at a time: head, body (when the route wants it), reply, next head.
 * While a reply is pending nothing is read, so a client cannot pile up work; only its leaving is noticed
 * (EPOLLHUP, not half-close). A connection can be given away at any point (http_request_take): then it is
 * gone from here without a trace.
 */
#define CONNECTIONS_MAX 1024
#define READ_SIZE (64 * 1024)
#define HEAD_TIMEOUT (30 * USEC_PER_SEC)
#define IDLE_TIMEOUT (600 * USEC_PER_SEC)
#define LINGER_TIMEOUT (5 * USEC_PER_SEC)
#define LINGER_MAX (1024 * 1024)

static void connection_free(HttpConnection *c) {
        HttpServer *s = c->server;

        if (c->request) {
                if (c->request->cancel)
                        c->request->cancel(c->request, c->request->userdata);
                http_request_free(c->request);
        }
        (void) sd_event_source_disable_unref(c->io);
        (void) sd_event_source_disable_unref(c->timer);
        (void) safe_close(c->fd);
        buffer_done(&c->in);
        buffer_done(&c->out);
        if (c->previous)
                c->previous->next = c->next;
        else
                s->connections = c->next;
        if (c->next)
                c->next->previous = c->previous;
        s->n_connections--;
        manager_release(s->manager);
        free(c);
}

/* Inside the connection's own dispatch the free waits for the way out. */
static void connection_close(HttpConnection *c) {
        c->dead = true;
        if (c->dispatching == 0)
                connection_free(c);
}

static void connection_arm(HttpConnection *c, usec_t timeout) {
        if (timeout == USEC_INFINITY)
                (void) sd_event_source_set_enabled(c->timer, SD_EVENT_OFF);
        else {
                (void) sd_event_source_set_time(c->timer, now_monotonic() + timeout);
                (void) sd_event_source_set_enabled(c->timer, SD_EVENT_ONESHOT);
        }
}

static void connection_update_events(HttpConnection *c) {
        uint32_t events = 0;

        if (c->out.size > 0)
                events |= EPOLLOUT;
        else if (!c->request || c->collecting)
                events |= EPOLLIN;
        (void) sd_event_source_set_io_events(c->io, events);
}

static void start_linger(HttpConnection *c) {
        c->lingering = true;
        buffer_done(&c->in);
        (void) shutdown(c->fd, SHUT_WR);
        connection_arm(c, LINGER_TIMEOUT);
}

/* Return: 1 when all is out, 0 when the socket is full, -errno when the client is gone. */
static int connection_flush(HttpConnection *c) {
        while (c->out.size > 0) {
                ssize_t n = send(c->fd, c->out.data, c->out.size, MSG_NOSIGNAL | MSG_DONTWAIT);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0 && errno == EAGAIN)
                        return 0;
                if (n < 0)
                        return negative_errno();
                buffer_consume(&c->out, (size_t) n);
        }
        buffer_done(&c->out);
        if (c->close_after_reply)
                start_linger(c);
        return 1;
}

/* A request that cannot be understood is answered and ends the connection: what follows cannot be told apart
 * from garbage. */
static void refuse(HttpConnection *c, unsigned status, const char *text) {
        _cleanup_json_ json_object *o = json_object_new_object();

        c->close_after_reply = true;
        c->collecting = false;
        if (c->request) {
                http_request_free(c->request);
                c->request = NULL;
        }
        if (!o || json_set_str(o, "message", text) < 0 ||
            http_connection_reply(c, status, "application/json", json_text(o)) < 0)
                connection_close(c);
}

static int begin_request(HttpConnection *c, size_t head_size) {
        HttpRequest *req = new0(HttpRequest, 1);
        int r;

        if (!req)
                return -ENOMEM;
        req->connection = c;
        req->body = BUFFER_INIT(HTTP_BODY_MAX);
        c->request = req;
        r = http_parse_request(c->in.data, head_size, &req->head);
        if (r < 0)
                return r;
        buffer_consume(&c->in, head_size);
        c->close_after_reply = !req->head.keep_alive;
        c->is_head = streq(req->head.method, "HEAD");
        if (req->head.expect_continue)
                (void) !send(c->fd, "HTTP/1.1 100 Continue\r\n\r\n", 25, MSG_NOSIGNAL | MSG_DONTWAIT);
        return 0;
}

static void dispatch_request(HttpConnection *c) {
        _cleanup_error_ EngineError error = {};
        HttpRequest *req = c->request;
        int r;

        c->collecting = false;
        connection_arm(c, USEC_INFINITY);
        r = c->route->handler(c->server->manager, req, &error);
        if (r < 0)
                (void) http_reply_error(req, r, &error);
}

/* The body is not worth reading: after the reply it is drained unseen, so that the client comes to read the
 * reply. */
static void give_up_body(HttpConnection *c) {
        if (c->request->head.framing == HTTP_NO_BODY)
                return;
        c->close_after_reply = true;
        c->linger_max = SIZE_MAX;
}

/* Return: 1 when the head was complete and routed, 0 when more bytes are needed. */
static int process_head(HttpConnection *c) {
        _cleanup_error_ EngineError error = {};
        size_t head_size;
        int r;

        r = http_head_size(c->in.data, c->in.size, &head_size);
        if (r == 0) {
                connection_arm(c, c->in.size > 0 ? HEAD_TIMEOUT : IDLE_TIMEOUT);
                return 0;
        }
        if (r > 0)
                r = begin_request(c, head_size);
        if (r < 0) {
                refuse(c, r == -E2BIG ? 431 : r == -EPROTONOSUPPORT ? 505 : 400,
                       r == -E2BIG ? "request header too large" : "malformed HTTP request");
                return 1;
        }
        r = http_route(c->server, c->request, &c->route, &error);
        if (r < 0) {
                give_up_body(c);
                (void) http_reply_error(c->request, r, &error);
                return 1;
        }
        if (c->route->flags & ROUTE_TAKE) {
                /* If the handler refuses, the body is still on its way and must not be taken for the next
                 * request. */
                if (c->request->head.framing == HTTP_CHUNKED || c->request->head.content_length > 0)
                        c->close_after_reply = true;
                dispatch_request(c);
                return 1;
        }
        http_body_init(&c->body, c->request->head.framing, c->request->head.content_length);
        c->collecting = true;
        connection_arm(c, HEAD_TIMEOUT);
        return 1;
}

/* Return: 1 when the body is complete, 0 when more bytes are needed, -errno when refused. */
static int process_body(HttpConnection *c) {
        while (!c->body.done && c->in.size > 0) {
                const char *payload;
                size_t used, n;
                int r;

                r = http_body_decode(&c->body, c->in.data, c->in.size, &used, &payload, &n);
                if (r >= 0 && (c->route->flags & ROUTE_BODY))
                        r = buffer_append(&c->request->body, payload, n);
                if (r < 0) {
                        refuse(c, r == -E2BIG ? 413 : 400,
                               r == -E2BIG ? "request body too large" : "malformed request body");
                        return r;
                }
                buffer_consume(&c->in, used);
        }
        return c->body.done;
}

/* Work through what has been read, until more is needed or a reply is pending. */
static void connection_process(HttpConnection *c) {
        c->dispatching++;
        while (!c->dead && !c->taken && !c->lingering && c->out.size == 0) {
                if (!c->request) {
                        if (process_head(c) == 0)
                                break;
                } else if (c->collecting) {
                        int r = process_body(c);

                        if (r == 0)
                                break;
                        if (r > 0)
                                dispatch_request(c);
                } else
                        break;
        }
        c->dispatching--;
        if (c->dead && c->dispatching == 0)
                connection_free(c);
        else if (!c->dead)
                connection_update_events(c);
}

static int connection_read(HttpConnection *c) {
        ssize_t n;
        int r;

        r = buffer_reserve(&c->in, MIN((size_t) READ_SIZE, c->in.max - c->in.size));
        if (r < 0)
                return r;
        n = recv(c->fd, c->in.data + c->in.size, MIN((size_t) READ_SIZE, c->in.max - c->in.size),
                 MSG_DONTWAIT);
        if (n < 0)
                return errno == EAGAIN || errno == EINTR ? -EAGAIN : negative_errno();
        if (n == 0)
                return 0;
        if (c->lingering) {
                c->lingered += (size_t) n;
                return c->lingered <= c->linger_max;
        }
        c->in.size += (size_t) n;
        c->in.data[c->in.size] = 0;
        return 1;
}

static int on_io(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        HttpConnection *c = userdata;
        int r = 1;

        if (events & (EPOLLHUP | EPOLLERR) && !(events & EPOLLIN)) {
                connection_close(c);
                return 0;
        }
        if (events & EPOLLIN) {
                r = connection_read(c);
                /* End of input while a reply is pending is a half-close, not a client that left; see
                 * facts.md section 6. */
                if (r == 0 || (r < 0 && r != -EAGAIN)) {
                        connection_close(c);
                        return 0;
                }
        } else if (events & EPOLLOUT) {
                r = connection_flush(c);
                if (r < 0) {
                        connection_close(c);
                        return 0;
                }
        }
        connection_process(c);
        return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        connection_close(userdata);
        return 0;
}

static int connection_new(HttpServer *s, int fd) {
        HttpConnection *c = new0(HttpConnection, 1);
        int r;

        if (!c) {
                (void) safe_close(fd);
                return -ENOMEM;
        }
        c->server = s;
        c->fd = fd;
        c->in = BUFFER_INIT(HTTP_HEAD_MAX + READ_SIZE);
        c->linger_max = LINGER_MAX;
        c->out = BUFFER_INIT(128 * 1024 * 1024);
        c->next = s->connections;
        if (c->next)
                c->next->previous = c;
        s->connections = c;
        s->n_connections++;
        manager_hold(s->manager);
        r = sd_event_add_io(s->manager->event, &c->io, fd, EPOLLIN, on_io, c);
        if (r >= 0)
                r = sd_event_add_time(s->manager->event, &c->timer, CLOCK_MONOTONIC,
                                      now_monotonic() + HEAD_TIMEOUT, 0, on_timer, c);
        if (r < 0)
                connection_free(c);
        return r;
}

static int on_accept(sd_event_source *source, int listen_fd, uint32_t events, void *userdata) {
        HttpServer *s = userdata;
        int fd, r;

        fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0) {
                if (errno == EMFILE || errno == ENFILE)
                        (void) log_error_errno(errno, "Cannot accept a client: %m");
                return 0;
        }
        if (s->n_connections >= CONNECTIONS_MAX) {
                (void) safe_close(fd);
                log_warning("Refusing a client: %u connections are open.", (unsigned) CONNECTIONS_MAX);
                return 0;
        }
        r = connection_new(s, fd);
        if (r < 0)
                (void) log_error_errno(r, "Cannot serve a client: %m");
        return 0;
}

/** http_server_new - serve on @listen_fd (borrowed: it is systemd's and outlives us). */
int http_server_new(Manager *m, int listen_fd, HttpServer **ret) {
        HttpServer *s = new0(HttpServer, 1);
        int r;

        if (!s)
                return -ENOMEM;
        s->manager = m;
        r = fd_set_nonblock(listen_fd, true);
        if (r >= 0)
                r = sd_event_add_io(m->event, &s->accept_source, listen_fd, EPOLLIN, on_accept, s);
        if (r < 0) {
                (void) http_server_free(s);
                return r;
        }
        *ret = s;
        return 0;
}

/** http_server_free - close every connection. Return: NULL. */
HttpServer *http_server_free(HttpServer *s) {
        if (!s)
                return NULL;
        while (s->connections)
                connection_free(s->connections);
        (void) sd_event_source_disable_unref(s->accept_source);
        free(s->routes);
        free(s);
        return NULL;
}

/** http_server_connections - how many clients are connected. */
size_t http_server_connections(const HttpServer *s) {
        return s ? s->n_connections : 0;
}

/**
 * http_connection_reply - queue head and body of a reply and end the current request.
 * @content_type: NULL for a reply without body (204, 304: @body is ignored).
 */
int http_connection_reply(HttpConnection *c, unsigned status, const char *content_type, const char *body) {
        size_t size = content_type ? strlen(strempty(body)) : 0;
        int r;

        r = http_common_head(&c->out, status, content_type);
        if (r >= 0 && c->request && c->request->extra_headers)
                r = buffer_append_str(&c->out, c->request->extra_headers);
        if (r >= 0 && status != 204 && status != 304)
                r = buffer_appendf(&c->out, "Content-Length: %zu\r\n", c->is_head ? 0 : size);
        if (r >= 0 && c->close_after_reply)
                r = buffer_append_str(&c->out, "Connection: close\r\n");
        if (r >= 0)
                r = buffer_append_str(&c->out, "\r\n");
        if (r >= 0 && size > 0 && !c->is_head)
                r = buffer_append(&c->out, body, size);
        if (c->request) {
                http_request_free(c->request);
                c->request = NULL;
        }
        if (r >= 0)
                r = connection_flush(c);
        /* A client that left is no error of the handler, whose request is gone already. */
        if (r < 0) {
                connection_close(c);
                return 0;
        }
        if (c->dispatching == 0)
                connection_process(c);
        return 0;
}

/** http_request_take - see http-server.h. */
int http_request_take(HttpRequest *req, const char *head, int *ret_fd, int *ret_leftover) {
        HttpConnection *c = req->connection;
        _cleanup_close_ int leftover = -EBADF;
        int r = 0;

        if (head) {
                ssize_t n = send(c->fd, head, strlen(head), MSG_NOSIGNAL | MSG_DONTWAIT);

                if (n != (ssize_t) strlen(head))
                        r = n < 0 ? negative_errno() : -EPIPE;
        }
        if (r >= 0 && c->in.size > 0) {
                leftover = memfd_new_with("berth-leftover", c->in.data, c->in.size);
                if (leftover < 0)
                        r = leftover;
        }
        /* The descriptor must leave epoll before it is given away: a dup keeps it registered. */
        c->io = sd_event_source_disable_unref(c->io);
        if (r >= 0) {
                *ret_fd = TAKE_FD(c->fd);
                *ret_leftover = TAKE_FD(leftover);
        }
        http_request_free(req);
        c->request = NULL;
        c->taken = true;
        connection_close(c);
        return r;
}
