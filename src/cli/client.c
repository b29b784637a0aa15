/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The engine over its unix socket: connections, requests, replies. Paths are versioned at once; no request
 * is spent on finding out what the engine speaks. A failure leaves its text in Client.error, once, where the
 * cause is known; the command prints it.
 */
#include "client.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "../basic/fd.h"
#include "../basic/str.h"
#include "../shared/paths.h"

/**
 * client_fail - remember what to tell the user.
 *
 * Return: @error, so that `return client_fail(c, -EIO, "...")` reads as one step.
 */
int client_fail(Client *c, int error, const char *fmt, ...) {
        va_list ap;

        free(c->error);
        va_start(ap, fmt);
        if (vasprintf(&c->error, fmt, ap) < 0)
                c->error = NULL;
        va_end(ap);
        return error;
}

/**
 * client_init - choose the engine.
 * @host: value of -H or NULL; then $BERTH_HOST, $DOCKER_HOST, the default socket. unix:// only.
 *
 * Return: 0, -EOPNOTSUPP for another scheme, -ENAMETOOLONG, -ENOMEM.
 */
int client_init(Client *c, const char *host) {
        const char *path;

        *c = (Client){ .idle = CONNECTION_INIT };
        if (isempty(host))
                host = getenv("BERTH_HOST");
        if (isempty(host))
                host = getenv("DOCKER_HOST");
        if (isempty(host))
                host = "unix://" BERTH_SOCKET;
        path = startswith(host, "unix://");
        if (!path || path[0] != '/')
                return client_fail(c, -EOPNOTSUPP, "unsupported host '%s': only unix:///PATH is supported",
                                   host);
        if (strlen(path) >= sizeof(((struct sockaddr_un *) NULL)->sun_path))
                return client_fail(c, -ENAMETOOLONG, "socket path is too long: %s", path);
        c->socket_path = strdup(path);
        c->host = strdup(host);
        return c->socket_path && c->host ? 0 : client_fail(c, -ENOMEM, "out of memory");
}

/** client_done - close and free; safe after a failed client_init(). */
void client_done(Client *c) {
        connection_done(&c->idle);
        c->socket_path = mfree(c->socket_path);
        c->host = mfree(c->host);
        c->error = mfree(c->error);
}

/** connection_done - close; safe on CONNECTION_INIT and after itself. */
void connection_done(Connection *conn) {
        conn->fd = safe_close(conn->fd);
        buffer_done(&conn->in);
}

/** connection_open - a new connection; the error names the host as docker does. */
int connection_open(Client *c, Connection *ret) {
        _cleanup_close_ int fd = -EBADF;
        struct sockaddr_un sa = { .sun_family = AF_UNIX };
        int e;

        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0)
                return client_fail(c, negative_errno(), "cannot create a socket: %m");
        memcpy(sa.sun_path, c->socket_path, strlen(c->socket_path) + 1);
        if (connect(fd, (struct sockaddr *) &sa, sizeof(sa)) < 0) {
                e = negative_errno();
                if (e == -EACCES || e == -EPERM)
                        return client_fail(c, e, "permission denied while trying to connect to berth at %s",
                                           c->host);
                return client_fail(c, e, "Cannot connect to berth at %s. Is berth.socket running?", c->host);
        }
        *ret = CONNECTION_INIT;
        ret->fd = TAKE_FD(fd);
        return 0;
}

static int send_all(Client *c, Connection *conn, const char *data, size_t size) {
        while (size > 0) {
                ssize_t n = send(conn->fd, data, size, MSG_NOSIGNAL);

                if (n < 0) {
                        if (errno == EINTR)
                                continue;
                        return client_fail(c, negative_errno(), "cannot send to berth at %s: %m", c->host);
                }
                data += n;
                size -= (size_t) n;
        }
        return 0;
}

/** request_send - write a request; small bodies leave with the head in one write. */
int request_send(Client *c, Connection *conn, const Request *rq) {
        _cleanup_buffer_ Buffer b = BUFFER_INIT(HTTP_HEAD_MAX + 64 * 1024 * 1024);
        int r;

        r = buffer_appendf(&b,
                           "%s " API_PREFIX "%s HTTP/1.1\r\nHost: berth\r\nUser-Agent: berth/" BERTH_VERSION
                           "\r\n",
                           rq->method, rq->target);
        if (r >= 0 && rq->upgrade)
                r = buffer_append_str(&b, "Connection: Upgrade\r\nUpgrade: tcp\r\n");
        if (r >= 0 && (rq->body || rq->chunked || rq->upgrade))
                r = buffer_appendf(&b, "Content-Type: %s\r\n",
                                   rq->content_type ? rq->content_type
                                   : rq->body       ? "application/json"
                                                    : "text/plain");
        if (r >= 0 && rq->chunked)
                r = buffer_append_str(&b, "Transfer-Encoding: chunked\r\n\r\n");
        else if (r >= 0 && !streq(rq->method, "GET"))
                r = buffer_appendf(&b, "Content-Length: %zu\r\n\r\n", rq->body_size);
        else if (r >= 0)
                r = buffer_append_str(&b, "\r\n");
        if (r >= 0 && rq->body)
                r = buffer_append(&b, rq->body, rq->body_size);
        if (r < 0)
                return client_fail(c, r, "the request is too large");
        return send_all(c, conn, b.data, b.size);
}

/** request_send_chunk - one piece of a chunked body; @size 0 ends it. Return: 0, -EPIPE if the engine
 * stopped reading. */
int request_send_chunk(Client *c, Connection *conn, const void *data, size_t size) {
        char head[32];
        int n, r;

        n = snprintf(head, sizeof(head), "%zx\r\n", size);
        r = send_all(c, conn, head, (size_t) n);
        if (r >= 0 && size > 0)
                r = send_all(c, conn, data, size);
        if (r >= 0)
                r = send_all(c, conn, "\r\n", 2);
        return r;
}

/* Return: bytes added to conn->in, 0 at the end of the stream. Moves what is unread to the front. */
static ssize_t fill(Client *c, Connection *conn) {
        int r;

        buffer_consume(&conn->in, conn->taken);
        conn->taken = 0;
        r = buffer_reserve(&conn->in, 64 * 1024);
        if (r < 0)
                return client_fail(c, r, "the answer of berth at %s is too large", c->host);
        /* This may wait for long: who follows a log sees by then what came so far. */
        (void) fflush(stdout);
        for (;;) {
                ssize_t n = recv(conn->fd, conn->in.data + conn->in.size, 64 * 1024, 0);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return client_fail(c, negative_errno(), "cannot read from berth at %s: %m", c->host);
                conn->in.size += (size_t) n;
                conn->in.data[conn->in.size] = 0;
                return n;
        }
}

static const char *unread(const Connection *conn, size_t *ret_size) {
        *ret_size = conn->in.size - conn->taken;
        return conn->in.data ? conn->in.data + conn->taken : "";
}

/**
 * response_receive - wait for a response head; interim ones (1xx other than 101) are skipped.
 *
 * Return: 0, -ECONNRESET if the engine closed without a single byte, another error.
 */
int response_receive(Client *c, Connection *conn, const char *method, HttpHead *ret) {
        for (;;) {
                HttpHead head = {};
                size_t size, have;
                const char *data;
                int r;

                for (;;) {
                        ssize_t n;

                        data = unread(conn, &have);
                        r = http_head_size(data, have, &size);
                        if (r != 0)
                                break;
                        n = fill(c, conn);
                        if (n < 0)
                                return (int) n;
                        if (n == 0)
                                return client_fail(c, have > 0 ? -EBADMSG : -ECONNRESET,
                                                   "error during connect: unexpected EOF from berth at %s",
                                                   c->host);
                }
                if (r >= 0)
                        r = http_parse_response(data, size, method, &head);
                if (r < 0)
                        return client_fail(c, r, "malformed answer from berth at %s", c->host);
                conn->taken += size;
                if (head.status >= 200 || head.status == 101) {
                        *ret = head;
                        return 0;
                }
                http_head_done(&head);
        }
}

/**
 * response_read - the next piece of a body.
 * @ret_data: valid until the next call.
 *
 * Return: 1 with data, 0 at the end of the body, -ECONNRESET if it was cut short, another error.
 */
int response_read(Client *c, Connection *conn, HttpBody *body, const char **ret_data, size_t *ret_size) {
        while (!body->done) {
                size_t have, consumed;
                const char *data = unread(conn, &have);
                ssize_t n;
                int r;

                r = http_body_decode(body, data, have, &consumed, ret_data, ret_size);
                if (r < 0)
                        return client_fail(c, r, "malformed answer from berth at %s", c->host);
                conn->taken += consumed;
                if (*ret_size > 0)
                        return 1;
                if (body->done || consumed < have)
                        continue;
                n = fill(c, conn);
                if (n < 0)
                        return (int) n;
                if (n == 0 && body->framing == HTTP_UNTIL_CLOSE)
                        return 0;
                if (n == 0)
                        return client_fail(c, -ECONNRESET, "unexpected EOF from berth at %s", c->host);
        }
        return 0;
}

/** response_read_all - the whole body into @ret. */
int response_read_all(Client *c, Connection *conn, const HttpHead *head, Buffer *ret) {
        HttpBody body;
        const char *data;
        size_t size;
        int r;

        http_body_init(&body, head->framing, head->content_length);
        while ((r = response_read(c, conn, &body, &data, &size)) > 0) {
                r = buffer_append(ret, data, size);
                if (r < 0)
                        return client_fail(c, r, "the answer of berth at %s is too large", c->host);
        }
        return r;
}

static int errno_from_status(unsigned status) {
        switch (status) {
        case 400:
                return -EINVAL;
        case 403:
                return -EPERM;
        case 404:
                return -ENOENT;
        case 409:
                return -EBUSY;
        case 501:
                return -EOPNOTSUPP;
        default:
                return -EREMOTEIO;
        }
}

/**
 * response_check - turn an error answer into Client.error; its body is read.
 *
 * Return: 0 for anything below 400, else an error that tells the kind.
 */
int response_check(Client *c, Connection *conn, const HttpHead *head) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT(1024 * 1024);
        _cleanup_json_ json_object *o = NULL;
        const char *message;
        int r;

        if (head->status < 400)
                return 0;
        r = response_read_all(c, conn, head, &text);
        if (r < 0)
                return r;
        while (text.size > 0 && strchr("\r\n ", text.data[text.size - 1]))
                text.data[--text.size] = 0;
        if (text.size > 0 && json_parse(text.data, text.size, &o) >= 0)
                message = json_string_or(o, "message", text.data);
        else
                message = text.size > 0 ? text.data : head->reason;
        c->status = head->status;
        return client_fail(c, errno_from_status(head->status), "Error response from daemon: %s", message);
}

static int call_once(Client *c, const Request *rq, json_object **ret) {
        _cleanup_http_head_ HttpHead head = {};
        _cleanup_buffer_ Buffer text = BUFFER_INIT(REPLY_MAX);
        int r;

        if (c->idle.fd < 0) {
                r = connection_open(c, &c->idle);
                if (r < 0)
                        return r;
        }
        r = request_send(c, &c->idle, rq);
        if (r >= 0)
                r = response_receive(c, &c->idle, rq->method, &head);
        if (r < 0) {
                bool stale = c->idle.reused && (r == -EPIPE || r == -ECONNRESET);

                connection_done(&c->idle);
                return stale ? -ESTALE : r;
        }
        c->status = head.status;
        r = response_check(c, &c->idle, &head);
        if (r >= 0)
                r = response_read_all(c, &c->idle, &head, &text);
        c->idle.reused = true;
        if (!head.keep_alive || head.framing == HTTP_UNTIL_CLOSE || (r < 0 && head.status < 400))
                connection_done(&c->idle);
        if (r < 0 || !ret)
                return r;
        if (text.size == 0)
                return 0;
        r = json_parse(text.data, text.size, ret);
        return r < 0 ? client_fail(c, r, "berth at %s answered with malformed JSON", c->host) : 0;
}

/**
 * client_call - one request with a JSON answer, over the kept-alive connection.
 * @body: borrowed, may be NULL.
 * @ret: the parsed answer (NULL stays NULL for an empty one), or NULL to drop it.
 *
 * An idle connection that the engine closed meanwhile is replaced once. Return: 0 or an error with
 * Client.error set.
 */
int client_call(Client *c, const char *method, const char *target, json_object *body, json_object **ret) {
        const char *text = body ? json_text(body) : NULL;
        Request rq = {
                .method = method, .target = target, .body = text, .body_size = text ? strlen(text) : 0
        };
        int r;

        c->status = 0;
        r = call_once(c, &rq, ret);
        if (r == -ESTALE)
                r = call_once(c, &rq, ret);
        return r;
}

/** target_printf - @before + escaped @name + @after, NULL on ENOMEM. Slashes and colons of image names stay.
 */
char *target_printf(const char *before, const char *name, const char *after) {
        Buffer b = BUFFER_INIT(HTTP_HEAD_MAX);
        int r = buffer_append_str(&b, before);

        for (; r >= 0 && *name; name++) {
                const char one[2] = { *name, 0 };

                r = strchr("/:@", *name) ? buffer_append(&b, name, 1) : http_percent_encode(&b, one);
        }
        if (r >= 0)
                r = buffer_append_str(&b, after);
        if (r < 0) {
                buffer_done(&b);
                return NULL;
        }
        return buffer_take(&b);
}

/** query_add - append ?key=value or &key=value. */
int query_add(Buffer *b, const char *key, const char *value) {
        int r = buffer_appendf(b, "%c%s=", b->data && strchr(b->data, '?') ? '&' : '?', key);

        return r < 0 ? r : http_percent_encode(b, value);
}
