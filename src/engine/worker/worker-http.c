/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "worker-http.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "../../basic/clock.h"
#include "../../basic/fd.h"
#include "../../basic/file.h"
#include "../../basic/json.h"
#include "../../basic/str.h"

/*
 * The socket may be non-blocking, as the engine used it; the flag is shared with whoever else holds the
 * socket and is left alone: every call that would block waits in poll().
 */
#define READ_SIZE (256 * 1024)
#define EARLY_MAX (64 * 1024 * 1024)
/* How long a client that is still sending is listened to after an error, so that it gets to read the answer.
 */
#define LINGER_USEC (10 * USEC_PER_SEC)

/** worker_http_done - close the connection; safe on a zeroed one with fd -EBADF. */
void worker_http_done(WorkerHttp *h) {
        h->fd = safe_close(h->fd);
        h->buffer = mfree(h->buffer);
}

static int parse_framing(WorkerHttp *h, const char *framing) {
        const char *length = startswith(framing, "length:");
        uint64_t n = 0;

        if (streq(framing, "chunked"))
                http_body_init(&h->body, HTTP_CHUNKED, 0);
        else if (streq(framing, "none"))
                http_body_init(&h->body, HTTP_NO_BODY, 0);
        else if (length && parse_u64(length, INT64_MAX, &n) >= 0)
                http_body_init(&h->body, HTTP_LENGTH, n);
        else
                return -EINVAL;
        return 0;
}

/**
 * worker_http_open - take over a connection.
 * @client_fd: consumed on success. @early_fd: borrowed, or -EBADF.
 *
 * Return: 0, -EINVAL for a bad @framing, -errno.
 */
int worker_http_open(WorkerHttp *h, int client_fd, int early_fd, const char *framing) {
        _cleanup_free_ char *early = NULL;
        size_t n = 0;
        int r;

        r = parse_framing(h, framing);
        if (r < 0)
                return r;
        if (early_fd >= 0) {
                if (lseek(early_fd, 0, SEEK_SET) < 0)
                        return negative_errno();
                r = read_fd(early_fd, EARLY_MAX, &early, &n);
                if (r < 0)
                        return r;
        }
        if (n < READ_SIZE) {
                char *p = realloc(early, READ_SIZE);

                if (!p)
                        return -ENOMEM;
                early = p;
        }
        h->buffer = TAKE_PTR(early);
        h->start = 0;
        h->end = n;
        h->fd = client_fd;
        return 0;
}

static int wait_for(WorkerHttp *h, short events, int timeout_msec) {
        struct pollfd p = { .fd = h->fd, .events = events };
        int r;

        do
                r = poll(&p, 1, timeout_msec);
        while (r < 0 && errno == EINTR);
        return r < 0 ? negative_errno() : r;
}

static int send_all(WorkerHttp *h, struct iovec *iov, size_t n) {
        while (n > 0) {
                struct msghdr m = { .msg_iov = iov, .msg_iovlen = n };
                ssize_t k = sendmsg(h->fd, &m, MSG_NOSIGNAL);

                if (k < 0 && errno == EINTR)
                        continue;
                if (k < 0 && errno == EAGAIN) {
                        int r = wait_for(h, POLLOUT, -1);

                        if (r < 0)
                                return r;
                        continue;
                }
                if (k < 0) {
                        h->gone = true;
                        return -EPIPE;
                }
                while (n > 0 && (size_t) k >= iov->iov_len) {
                        k -= (ssize_t) iov->iov_len;
                        iov++;
                        n--;
                }
                if (n > 0) {
                        iov->iov_base = (char *) iov->iov_base + k;
                        iov->iov_len -= (size_t) k;
                }
        }
        return 0;
}

static int send_text(WorkerHttp *h, const char *text) {
        struct iovec iov = { (void *) text, strlen(text) };

        return send_all(h, &iov, 1);
}

/* Refills the empty buffer. Return: bytes, 0 at the end of the stream. */
static ssize_t fill(WorkerHttp *h, int timeout_msec) {
        int r;

        if (h->expect_continue) {
                h->expect_continue = false;
                r = send_text(h, "HTTP/1.1 100 Continue\r\n\r\n");
                if (r < 0)
                        return r;
        }
        for (;;) {
                ssize_t n = recv(h->fd, h->buffer, READ_SIZE, MSG_DONTWAIT);

                if (n >= 0) {
                        h->start = 0;
                        h->end = (size_t) n;
                        return n;
                }
                if (errno == EINTR)
                        continue;
                if (errno != EAGAIN)
                        return negative_errno();
                r = wait_for(h, POLLIN, timeout_msec);
                if (r <= 0)
                        return r < 0 ? r : -ETIMEDOUT;
        }
}

static ssize_t read_body(WorkerHttp *h, void *data, size_t size, int timeout_msec) {
        while (!h->body.done) {
                size_t consumed, n;
                const char *payload;
                int r;

                if (h->start == h->end) {
                        ssize_t k = fill(h, timeout_msec);

                        if (k <= 0)
                                return k == 0 ? -ECONNRESET : k;
                }
                r = http_body_decode(&h->body, h->buffer + h->start, MIN(h->end - h->start, size), &consumed,
                                     &payload, &n);
                if (r < 0)
                        return r;
                h->start += consumed;
                if (n > 0) {
                        memcpy(data, payload, n);
                        return (ssize_t) n;
                }
        }
        return 0;
}

/** worker_http_read - see worker-http.h. */
ssize_t worker_http_read(WorkerHttp *h, void *data, size_t size) {
        return read_body(h, data, size, -1);
}

/** worker_http_body_taken - see worker-http.h. */
void worker_http_body_taken(WorkerHttp *h, bool complete) {
        http_body_init(&h->body, complete ? HTTP_NO_BODY : HTTP_UNTIL_CLOSE, 0);
        h->start = h->end = 0;
        h->expect_continue = false;
}

static const char *reason(unsigned status) {
        switch (status) {
        case 200: return "OK";
        case 201: return "Created";
        case 204: return "No Content";
        case 400: return "Bad Request";
        case 404: return "Not Found";
        case 409: return "Conflict";
        case 500: return "Internal Server Error";
        case 501: return "Not Implemented";
        default: return "Status";
        }
}

static int send_head(WorkerHttp *h, unsigned status, const char *content_type, const char *framing) {
        _cleanup_free_ char *head = NULL;

        head = str_printf(
                        "HTTP/1.1 %u %s\r\nApi-Version: 1.50\r\nDocker-Experimental: false\r\nOstype: linux\r\n"
                        "Server: berth/" BERTH_VERSION " (linux)\r\nConnection: close\r\n%s%s%s%s\r\n",
                        status, reason(status), content_type ? "Content-Type: " : "", strempty(content_type),
                        content_type ? "\r\n" : "", framing);
        if (!head)
                return -ENOMEM;
        h->begun = true;
        return send_text(h, head);
}

/** worker_http_begin - send the response's head. Return: 0, -EALREADY, -EPIPE, -ENOMEM. */
int worker_http_begin(WorkerHttp *h, unsigned status, const char *content_type) {
        if (h->begun)
                return -EALREADY;
        return send_head(h, status, content_type, h->http10 ? "" : "Transfer-Encoding: chunked\r\n");
}

/** worker_http_write - a piece of the body; nothing for size 0. Return: 0 or -EPIPE. */
int worker_http_write(WorkerHttp *h, const void *data, size_t size) {
        struct iovec iov[3] = { {}, { (void *) data, size }, { (void *) "\r\n", 2 } };
        char head[32];

        if (size == 0)
                return 0;
        if (h->http10)
                return send_all(h, iov + 1, 1);
        iov[0].iov_base = head;
        iov[0].iov_len = (size_t) snprintf(head, sizeof(head), "%zx\r\n", size);
        return send_all(h, iov, ELEMENTSOF(iov));
}

/** worker_http_line - one JSON object on a line; begins the response when needed; consumes @line. Return: 0,
 * -EPIPE, -ENOMEM. */
int worker_http_line(WorkerHttp *h, json_object *line) {
        _cleanup_json_ json_object *o = line;
        _cleanup_free_ char *text = NULL;
        int r = 0;

        text = o ? str_concat(json_text(o), "\r\n") : NULL;
        if (!text)
                return -ENOMEM;
        if (!h->begun)
                r = worker_http_begin(h, 200, "application/json");
        return r < 0 ? r : worker_http_write(h, text, strlen(text));
}

/* Reads what the client still sends, for a bounded time: closing on it could cost it the answer. */
static void linger(WorkerHttp *h) {
        usec_t until = now_monotonic() + LINGER_USEC;
        char scrap[16 * 1024];

        h->expect_continue = false;
        (void) shutdown(h->fd, SHUT_WR);
        while (!h->body.done) {
                usec_t now = now_monotonic();
                ssize_t n = now < until ? read_body(h, scrap, sizeof(scrap),
                                                    (int) ((until - now) / USEC_PER_MSEC) + 1)
                                        : 0;

                if (n <= 0)
                        break;
        }
}

/** worker_http_end - last chunk; the response is complete. Return: 0 or -EPIPE. */
int worker_http_end(WorkerHttp *h) {
        int r = 0;

        if (h->ended)
                return 0;
        h->ended = true;
        if (!h->http10)
                r = send_text(h, "0\r\n\r\n");
        linger(h);
        return r;
}

static int error_line(WorkerHttp *h, const char *message) {
        json_object *o = json_object_new_object(), *detail = json_object_new_object();
        int r;

        r = json_set_str(detail, "message", message);
        if (r < 0 || !o) {
                json_object_put(detail);
                json_object_put(o);
                return -ENOMEM;
        }
        r = json_set(o, "errorDetail", detail);
        if (r >= 0)
                r = json_set_str(o, "error", message);
        if (r >= 0)
                r = worker_http_line(h, json_object_get(o));
        json_object_put(o);
        return r < 0 ? r : worker_http_end(h);
}

/** worker_http_error - see worker-http.h. Return: 0, -EPIPE, -ENOMEM. */
int worker_http_error(WorkerHttp *h, unsigned status, const char *message) {
        _cleanup_json_ json_object *o = NULL;
        _cleanup_free_ char *text = NULL, *framing = NULL;
        int r;

        if (h->fd < 0 || h->ended)
                return 0;
        if (h->begun)
                return error_line(h, message);
        o = json_object_new_object();
        if (!o || json_set_str(o, "message", message) < 0)
                return -ENOMEM;
        text = str_concat(json_text(o), "\n");
        framing = text ? str_printf("Content-Length: %zu\r\n", strlen(text)) : NULL;
        if (!framing)
                return -ENOMEM;
        h->ended = true;
        r = send_head(h, status, "application/json", framing);
        if (r >= 0)
                r = send_text(h, text);
        linger(h);
        return r;
}

/** worker_http_client_gone - see worker-http.h. */
bool worker_http_client_gone(WorkerHttp *h) {
        struct pollfd p = { .fd = h->fd };

        if (h->fd >= 0 && !h->gone && poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLERR)))
                h->gone = true;
        return h->gone;
}
