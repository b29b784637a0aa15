/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

#include "../basic/buffer.h"
#include "../basic/json.h"
#include "../shared/http.h"

#define API_VERSION "1.50"
#define API_PREFIX "/v" API_VERSION
#define REPLY_MAX (256 * 1024 * 1024)

/* One connection to the engine. Bytes behind what was asked for (the stream after an upgrade) stay in @in.
 */
typedef struct Connection {
        int fd;
        Buffer in;
        size_t taken; /* bytes at the front of @in that are used up */
        bool reused;
} Connection;

#define CONNECTION_INIT ((Connection){ .fd = -EBADF, .in = BUFFER_INIT(HTTP_HEAD_MAX + 256 * 1024) })

/* Who we talk to, and what went wrong last. */
typedef struct Client {
        char *socket_path;
        char *host;       /* as messages name it */
        Connection idle;  /* kept alive for the next request */
        char *error;      /* text for the user, NULL while all is well */
        unsigned status;  /* HTTP status behind @error, 0 if the engine said nothing */
} Client;

int client_init(Client *c, const char *host);
void client_done(Client *c);
int client_fail(Client *c, int error, const char *fmt, ...) _printf_(3, 4);

int connection_open(Client *c, Connection *ret);
void connection_done(Connection *conn);
#define _cleanup_connection_ _cleanup_(connection_done)

typedef struct Request {
        const char *method;
        const char *target;       /* behind API_PREFIX */
        const char *body;         /* NULL: none */
        size_t body_size;
        const char *content_type; /* NULL: application/json */
        bool upgrade;
        bool chunked;             /* the caller sends the body with request_send_chunk() */
} Request;

int request_send(Client *c, Connection *conn, const Request *rq);
int request_send_chunk(Client *c, Connection *conn, const void *data, size_t size);
int response_receive(Client *c, Connection *conn, const char *method, HttpHead *ret);
int response_read(Client *c, Connection *conn, HttpBody *body, const char **ret_data, size_t *ret_size);
int response_read_all(Client *c, Connection *conn, const HttpHead *head, Buffer *ret);
int response_check(Client *c, Connection *conn, const HttpHead *head);

int client_call(Client *c, const char *method, const char *target, json_object *body, json_object **ret);

/* Targets: "/containers/" + escaped name + rest. */
char *target_printf(const char *before, const char *name, const char *after);
int query_add(Buffer *b, const char *key, const char *value);
