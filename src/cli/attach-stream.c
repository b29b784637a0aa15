/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The pump behind run, start -a, attach and exec: one poll() over the upgraded stream, our stdio, signals,
 * the pending answer to `start` and the parked `wait`. Invariants:
 *
 * - output is written in the order it came, and the stream is read to its end before the exit code counts,
 * so the last bytes are never lost; what we have read but not written is one bounded buffer;
 * - the end of stdin closes our half of the stream only;
 * - nothing here blocks on stdout: a slow reader stops the reading of the stream, not the signals.
 */
#include "attach-stream.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "../basic/fd.h"
#include "../basic/str.h"

#define OUT_MAX (256 * 1024)
#define IN_CHUNK (16 * 1024)
#define INTERRUPTS_MAX 3

/** session_init - nothing open yet. */
void session_init(Session *s, Client *c) {
        *s = (Session){ .client = c,
                        .stream = CONNECTION_INIT,
                        .wait = CONNECTION_INIT,
                        .start = CONNECTION_INIT,
                        .exit_code = -1,
                        .out = BUFFER_INIT(OUT_MAX),
                        .in = BUFFER_INIT(2 * IN_CHUNK),
                        .out_fd = STDOUT_FILENO,
                        .signal_fd = -EBADF };
        for (size_t i = 0; i < SESSION_CONTROLS; i++)
                s->controls[i] = -EBADF;
}

/** session_done - close everything and give the terminal back. */
void session_done(Session *s) {
        terminal_restore(&s->terminal);
        connection_done(&s->stream);
        connection_done(&s->wait);
        connection_done(&s->start);
        http_head_done(&s->wait_head);
        buffer_done(&s->out);
        buffer_done(&s->in);
        s->signal_fd = safe_close(s->signal_fd);
        for (size_t i = 0; i < SESSION_CONTROLS; i++)
                s->controls[i] = safe_close(s->controls[i]);
}

/** session_stream_head - read the answer to attach or exec start; its content type tells the framing. */
int session_stream_head(Session *s) {
        _cleanup_http_head_ HttpHead head = {};
        const char *type;
        int r;

        r = response_receive(s->client, &s->stream, "POST", &head);
        if (r >= 0)
                r = response_check(s->client, &s->stream, &head);
        if (r < 0)
                return r;
        if (head.status != 101 && head.status != 200)
                return client_fail(s->client, -EPROTO, "unable to upgrade to tcp, received %u", head.status);
        type = http_header(&head, "Content-Type");
        s->framed = type ? streq(type, "application/vnd.docker.multiplexed-stream") : !s->tty;
        return 0;
}

/* Asks the engine for something whose answer does not matter, without waiting for it. */
static void post(Session *s, const char *target) {
        Connection conn = CONNECTION_INIT;
        Request rq = { .method = "POST", .target = target };
        size_t slot = 0;

        for (size_t i = 0; i < SESSION_CONTROLS; i++)
                if (s->controls[i] < 0)
                        slot = i;
        if (connection_open(s->client, &conn) >= 0 && request_send(s->client, &conn, &rq) >= 0) {
                (void) safe_close(s->controls[slot]);
                s->controls[slot] = TAKE_FD(conn.fd);
        }
        connection_done(&conn);
}

static void forward_signal(Session *s, int sig) {
        _cleanup_buffer_ Buffer b = BUFFER_INIT(HTTP_HEAD_MAX);
        _cleanup_free_ char *number = NULL;
        const char *name = signal_to_name(sig);

        if (!name)
                name = number = str_printf("%d", sig);
        if (name && buffer_append_str(&b, s->kill_target) >= 0 && query_add(&b, "signal", name) >= 0)
                post(s, b.data);
}

static void send_resize(Session *s) {
        _cleanup_free_ char *target = NULL;
        unsigned rows, columns;

        if (!s->resize_target || terminal_size(&rows, &columns) < 0)
                return;
        target = str_printf("%s?h=%u&w=%u", s->resize_target, rows, columns);
        if (target)
                post(s, target);
}

static bool is_request_to_end(int sig) {
        return sig == SIGINT || sig == SIGTERM || sig == SIGHUP || sig == SIGQUIT;
}

static void on_signal(Session *s) {
        struct signalfd_siginfo si;

        if (read(s->signal_fd, &si, sizeof(si)) != sizeof(si))
                return;
        if (si.ssi_signo == SIGWINCH) {
                if (s->start.fd < 0)
                        send_resize(s);
        } else if (!s->kill_target)
                s->died_of = (int) si.ssi_signo;
        else if (s->start.fd < 0)
                forward_signal(s, (int) si.ssi_signo);
        else {
                /* Nothing to signal yet: it goes out behind the answer to `start`. A user who insists
                 * leaves. */
                if (s->n_signals < SESSION_SIGNALS)
                        s->signals[s->n_signals++] = (int) si.ssi_signo;
                if (is_request_to_end((int) si.ssi_signo) && ++s->n_interrupts >= INTERRUPTS_MAX)
                        s->died_of = (int) si.ssi_signo;
        }
}

static int catch_signals(Session *s, sigset_t *ret_old) {
        static const int forwarded[] = { SIGHUP,    SIGINT,  SIGQUIT, SIGUSR1,   SIGUSR2,
                                         SIGALRM,   SIGTERM, SIGCONT, SIGTSTP,   SIGXCPU,
                                         SIGVTALRM, SIGPROF, SIGIO,   SIGSTKFLT, SIGPWR };
        sigset_t set;

        (void) sigemptyset(&set);
        if (s->kill_target)
                for (size_t i = 0; i < ELEMENTSOF(forwarded); i++)
                        (void) sigaddset(&set, forwarded[i]);
        else if (s->terminal.raw) {
                (void) sigaddset(&set, SIGTERM);
                (void) sigaddset(&set, SIGHUP);
                (void) sigaddset(&set, SIGINT);
                (void) sigaddset(&set, SIGQUIT);
        }
        if (s->resize_target)
                (void) sigaddset(&set, SIGWINCH);
        if (sigprocmask(SIG_BLOCK, &set, ret_old) < 0)
                return negative_errno();
        s->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
        return s->signal_fd < 0 ? negative_errno() : 0;
}

static bool out_pending(const Session *s) {
        return s->out_written < s->out.size;
}

/* Moves what was read from the stream into the output buffer, up to a change of the stream it is for. */
static int decode(Session *s) {
        Connection *c = &s->stream;

        while (c->taken < c->in.size && s->out.size < OUT_MAX / 2) {
                const char *data = c->in.data + c->taken, *payload = data;
                size_t have = c->in.size - c->taken, consumed = have, size = have;
                int r, fd = STDOUT_FILENO;

                if (s->framed) {
                        if (s->decoder.remaining > 0 && s->decoder.stream >= FRAME_STDERR)
                                fd = STDERR_FILENO;
                        if (s->decoder.remaining > 0 && fd != s->out_fd && out_pending(s))
                                return 0;
                        r = frame_decode(&s->decoder, data, have, &consumed, &payload, &size);
                        if (r < 0)
                                return client_fail(s->client, r, "malformed stream from berth");
                }
                if (size > 0) {
                        s->out_fd = fd;
                        r = buffer_append(&s->out, payload, size);
                        if (r < 0)
                                return client_fail(s->client, r, "out of memory");
                }
                c->taken += consumed;
        }
        return 0;
}

/* A pipe that polls writable has room for a page; more could block. */
static void flush_out(Session *s) {
        struct stat st;
        bool regular = fstat(s->out_fd, &st) >= 0 && S_ISREG(st.st_mode);

        while (out_pending(s)) {
                struct pollfd p = { .fd = s->out_fd, .events = POLLOUT };
                size_t size = s->out.size - s->out_written;
                ssize_t n;

                if (!regular && poll(&p, 1, 0) <= 0)
                        return;
                n = write(s->out_fd, s->out.data + s->out_written,
                          regular ? size : MIN(size, (size_t) 4096));
                if (n < 0 && (errno == EINTR || errno == EAGAIN))
                        return;
                if (n < 0 && s->out_fd == STDOUT_FILENO) {
                        s->stdout_error = errno;
                        return;
                }
                s->out_written += n < 0 ? size : (size_t) n;
        }
        s->out.size = s->out_written = 0;
}

static int pump_out(Session *s) {
        do {
                int r = decode(s);

                if (r < 0)
                        return r;
                flush_out(s);
        } while (!out_pending(s) && s->stream.taken < s->stream.in.size);
        return 0;
}

static int read_stream(Session *s) {
        Connection *c = &s->stream;
        ssize_t n;
        int r;

        buffer_consume(&c->in, c->taken);
        c->taken = 0;
        r = buffer_reserve(&c->in, OUT_MAX / 4);
        if (r < 0)
                return client_fail(s->client, r, "out of memory");
        n = recv(c->fd, c->in.data + c->in.size, OUT_MAX / 4, MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return 0;
        if (n <= 0)
                /* A reset is an end like any other: the exit code tells what happened. */
                s->stream_open = false;
        else
                c->in.size += (size_t) n;
        return 0;
}

static void close_write(Session *s) {
        s->stdin_open = s->write_open = false;
        (void) shutdown(s->stream.fd, SHUT_WR);
}

static void read_stdin(Session *s) {
        char data[IN_CHUNK], filtered[IN_CHUNK + DETACH_KEYS_MAX];
        ssize_t n = read(STDIN_FILENO, data, sizeof(data));
        size_t size;

        if (n < 0 && (errno == EINTR || errno == EAGAIN))
                return;
        if (n <= 0) {
                s->stdin_open = false;
                return;
        }
        if (s->terminal.raw) {
                s->detached = detach_keys_filter(&s->keys, data, (size_t) n, filtered, &size);
                (void) buffer_append(&s->in, filtered, size);
        } else
                (void) buffer_append(&s->in, data, (size_t) n);
}

static void write_stream(Session *s) {
        ssize_t n = send(s->stream.fd, s->in.data, s->in.size, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (n >= 0)
                buffer_consume(&s->in, (size_t) n);
        else if (errno != EAGAIN && errno != EINTR) {
                /* Nobody reads any more; the output may still come. */
                s->in.size = 0;
                s->stdin_open = s->write_open = false;
        }
}

static int on_start_answer(Session *s) {
        _cleanup_http_head_ HttpHead head = {};
        int r;

        r = response_receive(s->client, &s->start, "POST", &head);
        if (r >= 0)
                r = response_check(s->client, &s->start, &head);
        connection_done(&s->start);
        if (r < 0) {
                s->start_failed = true;
                return r;
        }
        send_resize(s);
        for (size_t i = 0; i < s->n_signals; i++)
                forward_signal(s, s->signals[i]);
        s->n_signals = 0;
        return 0;
}

static int wait_again(Session *s) {
        Request rq = { .method = "POST", .target = s->wait_again };
        int r;

        connection_done(&s->wait);
        http_head_done(&s->wait_head);
        r = connection_open(s->client, &s->wait);
        if (r >= 0)
                r = request_send(s->client, &s->wait, &rq);
        if (r >= 0)
                r = response_receive(s->client, &s->wait, "POST", &s->wait_head);
        if (r >= 0)
                r = response_check(s->client, &s->wait, &s->wait_head);
        if (r < 0)
                connection_done(&s->wait);
        return r;
}

static int on_wait_answer(Session *s) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT(1024 * 1024);
        _cleanup_json_ json_object *o = NULL;
        int64_t code;
        int r;

        r = response_read_all(s->client, &s->wait, &s->wait_head, &text);
        if (r >= 0 && text.size > 0 && json_parse(text.data, text.size, &o) >= 0 &&
            json_get_int(o, "StatusCode", INT32_MIN, INT32_MAX, &code) > 0) {
                s->exit_code = (int) (code & 255);
                connection_done(&s->wait);
                return 0;
        }
        /* Whoever held the connection died before the container: ask once more, the container may run on. */
        if (s->wait_again && !s->asked) {
                s->asked = true;
                return wait_again(s);
        }
        connection_done(&s->wait);
        return client_fail(s->client, -ECONNRESET, "error waiting for container: unexpected EOF");
}

/* The stream ended and no exit code follows: the keys may have been recognised by the other side. */
static void check_detached(Session *s) {
        _cleanup_json_ json_object *o = NULL;
        bool running = false;

        s->looked = true;
        if (!s->inspect || client_call(s->client, "GET", s->inspect, NULL, &o) < 0)
                return;
        if (json_get_bool(json_get(o, "State"), "Running", &running) > 0 && running)
                s->detached = true;
}

enum {
        P_STREAM,
        P_WAIT,
        P_START,
        P_SIGNAL,
        P_STDIN,
        P_OUT,
        P_CONTROL,
        P_MAX = P_CONTROL + SESSION_CONTROLS
};

static void prepare(const Session *s, struct pollfd p[P_MAX]) {
        for (size_t i = 0; i < P_MAX; i++)
                p[i] = (struct pollfd){ .fd = -1 };
        if (s->stream_open) {
                short events = (short) ((out_pending(s) ? 0 : POLLIN) |
                                        (s->in.size > 0 && s->write_open ? POLLOUT : 0));

                p[P_STREAM] = (struct pollfd){ .fd = events ? s->stream.fd : -1, .events = events };
        }
        p[P_WAIT] = (struct pollfd){ .fd = s->wait.fd, .events = POLLIN };
        p[P_START] = (struct pollfd){ .fd = s->start.fd, .events = POLLIN };
        p[P_SIGNAL] = (struct pollfd){ .fd = s->signal_fd, .events = POLLIN };
        if (s->stdin_open && s->in.size == 0 && s->stream_open)
                p[P_STDIN] = (struct pollfd){ .fd = STDIN_FILENO, .events = POLLIN };
        if (out_pending(s))
                p[P_OUT] = (struct pollfd){ .fd = s->out_fd, .events = POLLOUT };
        for (size_t i = 0; i < SESSION_CONTROLS; i++)
                p[P_CONTROL + i] = (struct pollfd){ .fd = s->controls[i], .events = POLLIN };
}

static int dispatch(Session *s, const struct pollfd p[P_MAX]) {
        int r = 0;

        if (p[P_START].revents)
                r = on_start_answer(s);
        if (r >= 0 && p[P_STREAM].revents & (POLLIN | POLLHUP | POLLERR) && !out_pending(s))
                r = read_stream(s);
        if (r >= 0)
                r = pump_out(s);
        if (r >= 0 && p[P_WAIT].revents)
                r = on_wait_answer(s);
        if (r < 0)
                return r;
        if (p[P_SIGNAL].revents)
                on_signal(s);
        if (p[P_STDIN].revents)
                read_stdin(s);
        if (s->in.size > 0 && s->write_open && s->stream_open)
                write_stream(s);
        if (!s->stdin_open && s->in.size == 0 && s->write_open && s->stream_open)
                close_write(s);
        for (size_t i = 0; i < SESSION_CONTROLS; i++)
                if (p[P_CONTROL + i].revents)
                        s->controls[i] = safe_close(s->controls[i]);
        return 0;
}

static bool finished(const Session *s) {
        if (s->detached || s->died_of || s->stdout_error)
                return true;
        return !s->stream_open && !out_pending(s) && s->wait.fd < 0 && s->start.fd < 0;
}

static int loop(Session *s) {
        while (!finished(s)) {
                bool lonely = !s->stream_open && !out_pending(s) && s->start.fd < 0 && s->tty && !s->looked;
                struct pollfd p[P_MAX];
                int r;

                prepare(s, p);
                r = poll(p, P_MAX, lonely ? 1000 : -1);
                if (r < 0 && errno != EINTR)
                        return client_fail(s->client, negative_errno(), "poll failed: %m");
                if (r == 0)
                        check_detached(s);
                if (r > 0) {
                        r = dispatch(s, p);
                        if (r < 0)
                                return r;
                }
        }
        return 0;
}

/**
 * session_run - pump until the process ended and all its output is out; the results are in @s.
 *
 * Return: 0, or an error with Client.error set (start_failed tells that `start` was refused).
 */
int session_run(Session *s) {
        sigset_t old;
        int r;

        s->stream_open = s->write_open = true;
        s->stdin_open = s->with_stdin;
        if (s->tty && s->with_stdin && isatty(STDIN_FILENO)) {
                r = detach_keys_parse(isempty(s->detach_keys) ? "ctrl-p,ctrl-q" : s->detach_keys, &s->keys);
                if (r < 0)
                        return client_fail(s->client, r, "invalid detach keys (%s)", s->detach_keys);
                r = terminal_set_raw(&s->terminal);
                if (r < 0)
                        return client_fail(s->client, r, "cannot set the terminal to raw mode: %s",
                                           strerror(-r));
        }
        r = catch_signals(s, &old);
        if (r < 0)
                return client_fail(s->client, r, "cannot catch signals: %s", strerror(-r));
        if (!s->with_stdin)
                close_write(s);
        if (s->start.fd < 0)
                send_resize(s);
        r = pump_out(s);
        if (r >= 0 && s->wait.fd >= 0 && s->wait.taken < s->wait.in.size)
                r = on_wait_answer(s);
        if (r >= 0)
                r = loop(s);
        terminal_restore(&s->terminal);
        (void) sigprocmask(SIG_SETMASK, &old, NULL);
        return r;
}
