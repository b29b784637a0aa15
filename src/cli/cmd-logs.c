/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <stdio.h>

#include "../basic/clock.h"
#include "../basic/str.h"
#include "command.h"
#include "frame.h"

typedef struct LogsOptions {
        bool follow;
        bool timestamps;
        bool details;
        const char *since;
        const char *until;
        const char *tail;
} LogsOptions;

static const LogsOptions defaults = { .tail = "all" };

static const Flag logs_flags[] = {
        { "details", 0, FLAG_BOOL, offsetof(LogsOptions, details), NULL,
          "Show the labels and variables that the log driver keeps" },
        { "follow", 'f', FLAG_BOOL, offsetof(LogsOptions, follow), NULL,
          "Go on with what is written from now on" },
        { "since", 0, FLAG_STRING, offsetof(LogsOptions, since), NULL,
          "Begin here: a time (2013-01-02T13:23:37Z), seconds since 1970, or how long ago (42m)" },
        { "tail", 'n', FLAG_STRING, offsetof(LogsOptions, tail), NULL,
          "Only so many lines from the end (default all)" },
        { "timestamps", 't', FLAG_BOOL, offsetof(LogsOptions, timestamps), NULL,
          "Put the time before each line" },
        { "until", 0, FLAG_STRING, offsetof(LogsOptions, until), NULL, "End here, told like --since" },
        {},
};

/* "42m" ago, RFC 3339, a plain date, or unix time: as unix time with fraction, which the engine takes. */
static int add_time(Client *c, Buffer *query, const char *key, const char *value) {
        _cleanup_free_ char *text = NULL, *whole = NULL;
        int64_t ns;
        usec_t t;

        if (!value)
                return 0;
        if (parse_unix_time(value, &t) >= 0)
                return query_add(query, key, value);
        if (duration_parse(value, &ns) >= 0)
                t = now_realtime() - (usec_t) ns / 1000;
        else if (parse_rfc3339(value, &t) < 0) {
                /* A date, a date and time without zone: UTC. */
                whole = str_concat(value, strchr(value, 'T') ? "Z" : "T00:00:00Z");
                if (!whole || parse_rfc3339(whole, &t) < 0)
                        return client_fail(c, -EINVAL, "invalid value for \"%s\": %s", key, value);
        }
        text = str_printf("%" PRIu64 ".%06" PRIu64 "000", t / USEC_PER_SEC, t % USEC_PER_SEC);
        return text ? query_add(query, key, text) : -ENOMEM;
}

static int write_frames(Client *c, FrameDecoder *d, const char *data, size_t size) {
        while (size > 0) {
                size_t consumed, n;
                const char *payload;
                int r = frame_decode(d, data, size, &consumed, &payload, &n);

                if (r < 0)
                        return client_fail(c, r, "malformed stream from berth");
                /* Both may be the same terminal: the order stays. */
                if (n > 0 && d->stream >= FRAME_STDERR)
                        (void) fflush(stdout);
                if (n > 0 && fwrite(payload, 1, n, d->stream >= FRAME_STDERR ? stderr : stdout) != n)
                        return client_fail(c, -EPIPE, "cannot write: %m");
                data += consumed;
                size -= consumed;
        }
        return 0;
}

static int show(Client *c, Connection *conn, const HttpHead *head) {
        const char *type = http_header(head, "Content-Type");
        bool framed = type && streq(type, "application/vnd.docker.multiplexed-stream");
        FrameDecoder d = {};
        HttpBody body;
        const char *data;
        size_t size;
        int r;

        http_body_init(&body, head->framing, head->content_length);
        while ((r = response_read(c, conn, &body, &data, &size)) > 0) {
                if (framed)
                        r = write_frames(c, &d, data, size);
                else if (fwrite(data, 1, size, stdout) != size)
                        r = client_fail(c, -EPIPE, "cannot write: %m");
                if (r < 0)
                        return r;
        }
        return r;
}

static int exec_logs(Client *c, void *options, char **args) {
        const LogsOptions *o = options;
        _cleanup_buffer_ Buffer query = BUFFER_INIT(HTTP_HEAD_MAX);
        _cleanup_connection_ Connection conn = CONNECTION_INIT;
        _cleanup_http_head_ HttpHead head = {};
        _cleanup_free_ char *target = NULL;
        Request rq = { .method = "GET" };
        int r;

        r = buffer_append_str(&query, "/logs?stderr=1&stdout=1");
        if (r >= 0 && o->details)
                r = query_add(&query, "details", "1");
        if (r >= 0 && o->follow)
                r = query_add(&query, "follow", "1");
        if (r >= 0)
                r = add_time(c, &query, "since", o->since);
        if (r >= 0)
                r = add_time(c, &query, "until", o->until);
        if (r >= 0)
                r = query_add(&query, "tail", o->tail);
        if (r >= 0 && o->timestamps)
                r = query_add(&query, "timestamps", "1");
        target = r < 0 ? NULL : target_printf("/containers/", args[0], query.data);
        rq.target = target;
        if (r >= 0)
                r = target ? connection_open(c, &conn) : -ENOMEM;
        if (r >= 0)
                r = request_send(c, &conn, &rq);
        if (r >= 0)
                r = response_receive(c, &conn, "GET", &head);
        if (r >= 0)
                r = response_check(c, &conn, &head);
        if (r >= 0)
                r = show(c, &conn, &head);
        /* A closed pipe is told by main(), as for every other output. */
        return r >= 0 || r == -EPIPE ? 0 : command_fail(c, 1);
}

const Command command_logs = {
        .name = "logs",
        .alias = "container logs",
        .args = "CONTAINER",
        .usage = "Print what a container wrote",
        .flags = logs_flags,
        .options_size = sizeof(LogsOptions),
        .options = &defaults,
        .args_min = 1,
        .args_max = 1,
        .exec = exec_logs,
};
