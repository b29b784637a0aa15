/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Order on the wire: attach and wait leave together on connections of their own; start is sent only when
 * both answered, so no output and no exit can slip past. The connections may be opened before the id is
 * known, while the engine works on `create`.
 */
#include "run-session.h"

#include <signal.h>
#include <stdio.h>

#include "../basic/str.h"
#include "command.h"

/** container_session_init - nothing open yet. */
void container_session_init(ContainerSession *s, Client *c) {
        *s = (ContainerSession){};
        session_init(&s->session, c);
}

/** container_session_done - close everything. */
void container_session_done(ContainerSession *s) {
        session_done(&s->session);
        s->kill_target = mfree(s->kill_target);
        s->resize_target = mfree(s->resize_target);
        s->wait_target = mfree(s->wait_target);
        s->inspect_target = mfree(s->inspect_target);
        s->start_target = mfree(s->start_target);
}

/** container_session_connect - open the two connections of a session ahead of their use. */
int container_session_connect(ContainerSession *s) {
        int r = connection_open(s->session.client, &s->session.stream);

        return r < 0 ? r : connection_open(s->session.client, &s->session.wait);
}

static int send_attach(ContainerSession *s, const char *id, const AttachSettings *a) {
        _cleanup_buffer_ Buffer query = BUFFER_INIT(HTTP_HEAD_MAX);
        _cleanup_free_ char *target = NULL;
        Request rq = { .method = "POST", .upgrade = true };
        int r = buffer_append_str(&query, "/attach");

        if (r >= 0 && !isempty(a->detach_keys))
                r = query_add(&query, "detachKeys", a->detach_keys);
        if (r >= 0 && a->with_stderr)
                r = query_add(&query, "stderr", "1");
        if (r >= 0 && a->with_stdin)
                r = query_add(&query, "stdin", "1");
        if (r >= 0 && a->with_stdout)
                r = query_add(&query, "stdout", "1");
        if (r >= 0)
                r = query_add(&query, "stream", "1");
        target = r < 0 ? NULL : target_printf("/containers/", id, query.data);
        if (!target)
                return -ENOMEM;
        rq.target = target;
        return request_send(s->session.client, &s->session.stream, &rq);
}

static int make_targets(ContainerSession *s, const char *id, const AttachSettings *a) {
        s->wait_target = target_printf("/containers/", id, "/wait");
        s->inspect_target = target_printf("/containers/", id, "/json");
        s->start_target = target_printf("/containers/", id, "/start");
        s->kill_target = target_printf("/containers/", id, "/kill");
        s->resize_target = target_printf("/containers/", id, "/resize");
        if (!s->wait_target || !s->inspect_target || !s->start_target || !s->kill_target ||
            !s->resize_target)
                return -ENOMEM;
        s->session.kill_target = a->sig_proxy ? s->kill_target : NULL;
        s->session.resize_target = a->tty ? s->resize_target : NULL;
        s->session.wait_again = s->wait_target;
        s->session.inspect = s->inspect_target;
        s->session.tty = a->tty;
        s->session.with_stdin = a->with_stdin;
        s->session.detach_keys = a->detach_keys;
        return 0;
}

static int send_wait(ContainerSession *s, const AttachSettings *a) {
        _cleanup_free_ char *target = str_concat(s->wait_target, "?condition=", a->wait_condition);
        Request rq = { .method = "POST", .target = target };

        return target ? request_send(s->session.client, &s->session.wait, &rq) : -ENOMEM;
}

static int send_start(ContainerSession *s) {
        Client *c = s->session.client;
        Request rq = { .method = "POST", .target = s->start_target };

        /* The connection that carried `create` is at hand and warm. */
        if (c->idle.fd >= 0) {
                s->session.start = c->idle;
                c->idle = CONNECTION_INIT;
                if (request_send(c, &s->session.start, &rq) >= 0)
                        return 0;
                connection_done(&s->session.start);
        }
        return connection_open(c, &s->session.start) < 0 ? -ENOTCONN
                                                         : request_send(c, &s->session.start, &rq);
}

/**
 * container_session_run - attach, arm the wait, start if asked, pump until the end.
 *
 * Return: 0 with the results in @s->session, or an error with Client.error set.
 */
int container_session_run(ContainerSession *s, const char *id, const AttachSettings *a) {
        Session *e = &s->session;
        int r;

        r = make_targets(s, id, a);
        if (r >= 0 && e->stream.fd < 0)
                r = container_session_connect(s);
        if (r >= 0)
                r = send_attach(s, id, a);
        if (r >= 0)
                r = send_wait(s, a);
        if (r >= 0)
                r = session_stream_head(e);
        if (r >= 0)
                r = response_receive(e->client, &e->wait, "POST", &e->wait_head);
        if (r >= 0)
                r = response_check(e->client, &e->wait, &e->wait_head);
        if (r >= 0 && a->start)
                r = send_start(s);
        return r < 0 ? r : session_run(e);
}

/** exit_status_of_start_error - 127 and 126 as a shell would give them, by the daemon's words; else 125. */
int exit_status_of_start_error(const char *message) {
        static const char *const not_found[] = { "executable file not found", "no such file or directory" };
        static const char *const not_runnable[] = { "permission denied", "is a directory" };

        for (size_t i = 0; message && i < ELEMENTSOF(not_found); i++)
                if (strcasestr(message, not_found[i]))
                        return 127;
        for (size_t i = 0; message && i < ELEMENTSOF(not_runnable); i++)
                if (strcasestr(message, not_runnable[i]))
                        return 126;
        return 125;
}

/** session_exit_status - of a session that ended without an error. Dies by SIGPIPE if stdout was closed. */
int session_exit_status(const Session *s) {
        if (s->stdout_error == EPIPE) {
                (void) signal(SIGPIPE, SIG_DFL);
                (void) raise(SIGPIPE);
        }
        if (s->stdout_error) {
                fprintf(stderr, "berth: cannot write to stdout: %s\n", strerror(s->stdout_error));
                return 125;
        }
        if (s->died_of > 0)
                return 128 + s->died_of;
        if (s->detached) {
                fprintf(stderr, "read escape sequence\n");
                return 0;
        }
        return s->exit_code >= 0 ? s->exit_code : 125;
}
