/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <strings.h>

#include "../basic/json.h"
#include "../basic/log.h"
#include "../basic/str.h"
#include "http-connection.h"

static const char *reason_phrase(unsigned status) {
        switch (status) {
        case 101:
                return "UPGRADED";
        case 200:
                return "OK";
        case 201:
                return "Created";
        case 204:
                return "No Content";
        case 304:
                return "Not Modified";
        case 400:
                return "Bad Request";
        case 403:
                return "Forbidden";
        case 404:
                return "Not Found";
        case 409:
                return "Conflict";
        case 413:
                return "Content Too Large";
        case 431:
                return "Request Header Fields Too Large";
        case 501:
                return "Not Implemented";
        case 503:
                return "Service Unavailable";
        case 504:
                return "Gateway Timeout";
        case 505:
                return "HTTP Version Not Supported";
        case 507:
                return "Insufficient Storage";
        default:
                return "Internal Server Error";
        }
}

/** http_common_head - see http-server.h. */
int http_common_head(Buffer *b, unsigned status, const char *content_type) {
        int r;

        r = buffer_appendf(
                        b,
                        "HTTP/1.1 %u %s\r\nApi-Version: 1.%u\r\nDocker-Experimental: false\r\nOstype: linux\r\n"
                        "Server: berth/" BERTH_VERSION " (linux)\r\n",
                        status, reason_phrase(status), API_MINOR_MAX);
        if (r >= 0 && content_type)
                r = buffer_appendf(b, "Content-Type: %s\r\n", content_type);
        return r;
}

/** http_hijack_head - see http-server.h. */
int http_hijack_head(const HttpRequest *req, bool tty, Buffer *ret) {
        const char *type = tty || req->api_minor < 42 ? "application/vnd.docker.raw-stream"
                                                      : "application/vnd.docker.multiplexed-stream";
        const char *upgrade = http_header(&req->head, "Upgrade");

        if (!upgrade || !http_header_has_token(&req->head, "Connection", "Upgrade"))
                return buffer_append_str(
                                ret,
                                "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n");
        return buffer_appendf(
                        ret,
                        "HTTP/1.1 101 UPGRADED\r\nContent-Type: %s\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n",
                        type);
}

/** http_reply_json - answer with JSON; @body is consumed, NULL is answered as 500. */
int http_reply_json(HttpRequest *req, unsigned status, json_object *body) {
        _cleanup_json_ json_object *o = body;
        _cleanup_free_ char *text = NULL;

        if (o)
                text = str_concat(json_text(o), "\n");
        if (!text)
                return http_connection_reply(req->connection, 500, "application/json",
                                             "{\"message\":\"out of memory\"}\n");
        return http_connection_reply(req->connection, status, "application/json", text);
}

/** http_reply_text - answer with @text as @content_type. */
int http_reply_text(HttpRequest *req, unsigned status, const char *content_type, const char *text) {
        return http_connection_reply(req->connection, status, content_type, text);
}

/** http_reply_empty - answer without a body. */
int http_reply_empty(HttpRequest *req, unsigned status) {
        return http_connection_reply(req->connection, status, NULL, NULL);
}

/** http_reply_error - answer with @error and the text in @e (filled in when empty). -EALREADY is 304 without
 * a body. */
int http_reply_error(HttpRequest *req, int error, EngineError *e) {
        json_object *o;

        (void) error_fill(e, error);
        if (e->code == 0)
                e->code = error < 0 ? -error : error;
        if (error_http_status(e) == 304)
                return http_reply_empty(req, 304);
        if (error_http_status(e) == 500)
                log_error("%s %s: %s", req->head.method, req->head.target, e->message);
        o = json_object_new_object();
        if (o && json_set_str(o, "message", strempty(e->message)) < 0) {
                json_object_put(o);
                o = NULL;
        }
        return http_reply_json(req, error_http_status(e), o);
}

/** http_request_json - see http-server.h. @ret is NULL for an empty body that is not required. */
int http_request_json(HttpRequest *req, bool required, json_object **ret, EngineError *reterr) {
        int r;

        *ret = NULL;
        r = json_parse(strempty(req->body.data), req->body.size, ret);
        if (r == -ENODATA)
                return required ? error_set(reterr, -EINVAL,
                                            "invalid JSON: got EOF while reading request body")
                                : 0;
        if (r == -EBADMSG)
                return error_set(reterr, -EINVAL, "invalid JSON: malformed request body");
        return r;
}

/** http_query - a query parameter, NULL when absent. */
const char *http_query(HttpRequest *req, const char *name) {
        return http_query_get(&req->query, name);
}

/** http_query_bool - Docker's rule: anything but the words for no is yes. */
int http_query_bool(HttpRequest *req, const char *name, bool fallback) {
        const char *v = http_query(req, name);

        return v ? parse_bool(v) != 0 : fallback;
}
