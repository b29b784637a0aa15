/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Answers that are one JSON object after another: {"stream"}, {"status","id","progress"},
 * {"errorDetail","error"}. */
#include "progress.h"

#include <stdio.h>

#include "../basic/str.h"

typedef struct Progress {
        Client *client;
        FILE *out; /* NULL: silent */
        bool terminal;
} Progress;

static int show(Progress *p, json_object *o) {
        const char *error = json_string_or(json_get(o, "errorDetail"), "message",
                                           json_string_or(o, "error", NULL));
        const char *stream = json_string_or(o, "stream", NULL), *status = json_string_or(o, "status", NULL);
        const char *id = json_string_or(o, "id", NULL), *bar = json_string_or(o, "progress", NULL);

        if (error)
                return client_fail(p->client, -EREMOTEIO, "%s", error);
        if (!p->out)
                return 0;
        if (stream)
                fputs(stream, p->out);
        else if (status && isempty(bar))
                fprintf(p->out, "%s%s%s\n", strempty(id), isempty(id) ? "" : ": ", status);
        else if (status && p->terminal)
                /* One line that is written over; the last state stays only until the next message. */
                fprintf(p->out, "\033[2K%s%s%s %s\r", strempty(id), isempty(id) ? "" : ": ", status, bar);
        return 0;
}

static int show_text(Progress *p, struct json_tokener *tok, const char *data, size_t size) {
        while (size > 0) {
                json_object *o = json_tokener_parse_ex(tok, data, (int) MIN(size, (size_t) INT32_MAX));
                enum json_tokener_error e = json_tokener_get_error(tok);
                size_t used = json_tokener_get_parse_end(tok);
                int r;

                if (e == json_tokener_continue)
                        return 0;
                if (e != json_tokener_success)
                        return client_fail(p->client, -EBADMSG, "berth answered with malformed JSON");
                r = show(p, o);
                json_object_put(o);
                if (r < 0)
                        return r;
                data += used;
                size -= used;
                while (size > 0 && strchr(" \t\r\n", *data)) {
                        data++;
                        size--;
                }
        }
        return 0;
}

/**
 * progress_receive - read an answer of messages and show them.
 * @sending: NULL, or true while the request's body could not be sent whole: an answer is then no surprise.
 *
 * Return: 0, or an error with Client.error set; an error inside the stream counts.
 */
int progress_receive(Client *c, Connection *conn, ProgressMode mode, const bool *sending) {
        Progress p = { .client = c,
                       .out = mode == PROGRESS_STDOUT   ? stdout
                              : mode == PROGRESS_STDERR ? stderr
                                                        : NULL };
        _cleanup_http_head_ HttpHead head = {};
        struct json_tokener *tok;
        HttpBody body;
        const char *data;
        size_t size;
        int r;

        r = response_receive(c, conn, "POST", &head);
        if (r >= 0)
                r = response_check(c, conn, &head);
        if (r < 0)
                return r;
        tok = json_tokener_new_ex(JSON_DEPTH_MAX);
        if (!tok)
                return client_fail(c, -ENOMEM, "out of memory");
        p.terminal = p.out && isatty(fileno(p.out));
        http_body_init(&body, head.framing, head.content_length);
        while ((r = response_read(c, conn, &body, &data, &size)) > 0) {
                r = show_text(&p, tok, data, size);
                if (r < 0)
                        break;
                if (p.out)
                        (void) fflush(p.out);
        }
        json_tokener_free(tok);
        if (r >= 0 && sending && *sending)
                return client_fail(c, -EPIPE, "berth stopped reading the data");
        return r;
}
