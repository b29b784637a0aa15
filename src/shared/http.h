/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "../basic/buffer.h"
#include "../basic/macro.h"

/*
 * HTTP/1.1 (RFC 9112) message heads and body framing, nothing about sockets: bytes in, facts out. Used by
 * the engine, by workers that take a connection over, and by the client. Strict: Transfer-Encoding together
 * with Content-Length, bad lengths, bad chunks, obsolete folding and NUL bytes are refused.
 */
#define HTTP_HEAD_MAX (256 * 1024)
#define HTTP_HEADERS_MAX 128

typedef struct HttpHeader {
        const char *name;
        const char *value;
} HttpHeader;

typedef enum HttpFraming {
        HTTP_NO_BODY,
        HTTP_LENGTH,
        HTTP_CHUNKED,
        HTTP_UNTIL_CLOSE, /* responses only */
} HttpFraming;

typedef struct HttpHead {
        char *text; /* owned; the strings below point into it */
        const char *method;
        const char *target;
        unsigned status; /* responses: the code; method and target are NULL */
        const char *reason;
        unsigned minor;
        HttpHeader headers[HTTP_HEADERS_MAX];
        size_t n_headers;
        HttpFraming framing;
        uint64_t content_length;
        bool keep_alive;
        bool expect_continue;
} HttpHead;

void http_head_done(HttpHead *h);
#define _cleanup_http_head_ _cleanup_(http_head_done)

int http_head_size(const char *data, size_t size, size_t *ret_size);
int http_parse_request(const char *data, size_t size, HttpHead *ret);
int http_parse_response(const char *data, size_t size, const char *request_method, HttpHead *ret);
const char *http_header(const HttpHead *h, const char *name);
bool http_header_has_token(const HttpHead *h, const char *name, const char *token);

/* Incremental body decoder for any framing. */
typedef struct HttpBody {
        HttpFraming framing;
        uint64_t remaining;
        unsigned state;
        unsigned line;
        bool done;
} HttpBody;

void http_body_init(HttpBody *b, HttpFraming framing, uint64_t content_length);
int http_body_decode(HttpBody *b, const char *data, size_t size, size_t *ret_consumed,
                     const char **ret_payload, size_t *ret_payload_size);

/* Query strings: path?key=value&... */
typedef struct HttpQuery {
        char *text;
        HttpHeader items[64];
        size_t n;
} HttpQuery;
void http_query_done(HttpQuery *q);
int http_query_parse(const char *query, HttpQuery *ret);
const char *http_query_get(const HttpQuery *q, const char *name);
int http_percent_decode(char *s, bool plus_is_space);
int http_percent_encode(Buffer *b, const char *s);
