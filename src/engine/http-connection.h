/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "http-server.h"

/* Shared by http-server.c (sockets), http-router.c (paths) and http-reply.c (answers); nobody else looks
 * inside. */
struct HttpServer {
        Manager *manager;
        sd_event_source *accept_source;
        HttpConnection *connections;
        size_t n_connections;
        Route *routes;
        size_t n_routes;
};

struct HttpConnection {
        HttpServer *server;
        HttpConnection *next, *previous;
        int fd;
        sd_event_source *io, *timer;
        Buffer in, out;
        HttpRequest *request;
        const Route *route;
        HttpBody body;
        unsigned dispatching;
        size_t lingered, linger_max; /* bytes read and dropped behind a last reply, so that the client can
                                        still read it */
        bool collecting, close_after_reply, is_head, lingering, taken, dead;
};

void http_request_free(HttpRequest *req);
int http_connection_reply(HttpConnection *c, unsigned status, const char *content_type, const char *body);
