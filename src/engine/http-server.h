/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <json-c/json.h>

#include "../shared/http.h"
#include "error.h"
#include "manager.h"

#define API_MINOR_MAX 50
#define API_MINOR_MIN 24
#define HTTP_BODY_MAX (16 * 1024 * 1024)

typedef struct HttpConnection HttpConnection;
typedef struct HttpRequest HttpRequest;

typedef enum RouteFlags {
        ROUTE_BODY = 1 << 0, /* collect the body (at most HTTP_BODY_MAX) before calling the handler */
        ROUTE_TAKE = 1 << 1, /* call at the head: the handler takes the connection with the unread body */
} RouteFlags;

/*
 * A handler parses, calls the object model, and either replies (http_reply_*), keeps the request for later
 * (set req->cancel so that it hears of a client that leaves), or gives the connection away
 * (http_request_take). A negative return is answered from @reterr by the server.
 */
typedef int (*RouteHandler)(Manager *m, HttpRequest *req, EngineError *reterr);

typedef struct Route {
        const char *method;
        const char *pattern; /* "/containers/{}/json"; "{*}" matches one or more segments (image names) */
        RouteFlags flags;
        RouteHandler handler;
} Route;

struct HttpRequest {
        HttpConnection *connection;
        HttpHead head;
        HttpQuery query;
        unsigned api_minor;
        char *args[3]; /* what {} and {*} matched, percent-decoded */
        size_t n_args;
        Buffer body;
        void (*cancel)(HttpRequest *req,
                       void *userdata); /* the client left before the reply: drop every pointer to @req */
        void *userdata;
        const char *extra_headers; /* static lines, each ending in CRLF, for http_reply_text and
                                      http_reply_json */
};

int http_server_new(Manager *m, int listen_fd, HttpServer **ret);
HttpServer *http_server_free(HttpServer *s);
size_t http_server_connections(const HttpServer *s);
int http_server_add_routes(HttpServer *s, const Route *routes, size_t n);
#define HTTP_SERVER_ADD_ROUTES(s, routes) http_server_add_routes((s), (routes), ELEMENTSOF(routes))

/* Each ends the request: @req is gone afterwards. http_reply_json consumes @body. */
int http_reply_json(HttpRequest *req, unsigned status, json_object *body);
int http_reply_empty(HttpRequest *req, unsigned status);
int http_reply_text(HttpRequest *req, unsigned status, const char *content_type, const char *text);
int http_reply_error(HttpRequest *req, int error, EngineError *e);

/* JSON body of @req; -EINVAL with Docker's texts for absent or malformed bodies. @required: an empty body is
 * an error. */
int http_request_json(HttpRequest *req, bool required, json_object **ret, EngineError *reterr);
int http_query_bool(HttpRequest *req, const char *name, bool fallback);
const char *http_query(HttpRequest *req, const char *name);

/*
 * Give the socket away: writes @head (may be NULL), returns the fd and, when bytes of the client were
 * already read, a memfd with them (else -EBADF). The connection and @req are gone afterwards, whatever is
 * returned.
 */
int http_request_take(HttpRequest *req, const char *head, int *ret_fd, int *ret_leftover);

/* Heads for hijacked streams: 101 or 200 as the client asked, raw or multiplexed by @tty and API version. */
int http_hijack_head(const HttpRequest *req, bool tty, Buffer *ret);
/* Common response headers (Api-Version, Server, ...) ending without the empty line. */
int http_common_head(Buffer *b, unsigned status, const char *content_type);
