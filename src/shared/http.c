/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "http.h"

#include <strings.h>

#include "../basic/str.h"

/** http_head_done - free what a parse made; safe on a zeroed head. */
void http_head_done(HttpHead *h) {
        h->text = mfree(h->text);
        h->n_headers = 0;
}

/**
 * http_head_size - is the head complete in @data?
 *
 * Return: 1 with its size including the empty line, 0 if more bytes are needed, -E2BIG past HTTP_HEAD_MAX.
 */
int http_head_size(const char *data, size_t size, size_t *ret_size) {
        const char *e = memmem(data, size, "\r\n\r\n", 4);

        if (!e)
                return size > HTTP_HEAD_MAX ? -E2BIG : 0;
        if ((size_t) (e - data) + 4 > HTTP_HEAD_MAX)
                return -E2BIG;
        *ret_size = (size_t) (e - data) + 4;
        return 1;
}

static bool is_token_char(unsigned char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               (c && strchr("!#$%&'*+-.^_`|~", c));
}

static bool is_token(const char *s) {
        if (!*s)
                return false;
        for (; *s; s++)
                if (!is_token_char((unsigned char) *s))
                        return false;
        return true;
}

/** http_header - value of the first header called @name (any case), or NULL. */
const char *http_header(const HttpHead *h, const char *name) {
        for (size_t i = 0; i < h->n_headers; i++)
                if (strcasecmp(h->headers[i].name, name) == 0)
                        return h->headers[i].value;
        return NULL;
}

/** http_header_has_token - is @token in the comma lists of all headers called @name? */
bool http_header_has_token(const HttpHead *h, const char *name, const char *token) {
        size_t n = strlen(token);

        for (size_t i = 0; i < h->n_headers; i++) {
                const char *p = h->headers[i].value;

                if (strcasecmp(h->headers[i].name, name) != 0)
                        continue;
                while (*p) {
                        size_t length;

                        p += strspn(p, " \t,");
                        length = strcspn(p, " \t,");
                        if (length == n && strncasecmp(p, token, n) == 0)
                                return true;
                        p += length;
                }
        }
        return false;
}

static int parse_header_line(HttpHead *h, char *line) {
        char *colon = strchr(line, ':'), *value, *end;

        if (!colon || h->n_headers >= HTTP_HEADERS_MAX)
                return colon ? -E2BIG : -EBADMSG;
        *colon = 0;
        if (!is_token(line))
                return -EBADMSG;
        value = colon + 1 + strspn(colon + 1, " \t");
        for (end = value + strlen(value); end > value && strchr(" \t", end[-1]);)
                *--end = 0;
        for (const char *p = value; *p; p++)
                if (((unsigned char) *p < 0x20 && *p != '\t') || *p == 0x7f)
                        return -EBADMSG;
        h->headers[h->n_headers++] = (HttpHeader){ line, value };
        return 0;
}

static int parse_headers(HttpHead *h, char *p) {
        while (*p) {
                char *e = strstr(p, "\r\n");
                int r;

                if (!e)
                        return -EBADMSG;
                *e = 0;
                if (e == p)
                        return e[2] ? -EBADMSG : 0;
                r = parse_header_line(h, p);
                if (r < 0)
                        return r;
                p = e + 2;
        }
        return -EBADMSG;
}

static int parse_framing(HttpHead *h) {
        const char *length = NULL, *te = NULL;

        for (size_t i = 0; i < h->n_headers; i++) {
                const char **slot = strcasecmp(h->headers[i].name, "Content-Length") == 0      ? &length
                                    : strcasecmp(h->headers[i].name, "Transfer-Encoding") == 0 ? &te
                                                                                                : NULL;
                if (!slot)
                        continue;
                if (*slot)
                        return -EBADMSG;
                *slot = h->headers[i].value;
        }
        if (te && (length || strcasecmp(te, "chunked") != 0 || h->minor == 0))
                return -EBADMSG;
        if (te)
                h->framing = HTTP_CHUNKED;
        else if (length) {
                if (parse_u64(length, INT64_MAX, &h->content_length) < 0)
                        return -EBADMSG;
                h->framing = HTTP_LENGTH;
        }
        h->keep_alive = h->minor == 0 ? http_header_has_token(h, "Connection", "keep-alive")
                                      : !http_header_has_token(h, "Connection", "close");
        h->expect_continue = h->minor > 0 && http_header_has_token(h, "Expect", "100-continue");
        return 0;
}

static int parse_version(const char *s, unsigned *ret_minor) {
        if (!startswith(s, "HTTP/1.") || (s[7] != '0' && s[7] != '1') || s[8] != 0)
                return -EPROTONOSUPPORT;
        *ret_minor = (unsigned) (s[7] - '0');
        return 0;
}

static int take_first_line(HttpHead *h, const char *data, size_t size, char **ret_rest) {
        char *e;

        if (memchr(data, 0, size))
                return -EBADMSG;
        h->text = strndup(data, size);
        if (!h->text)
                return -ENOMEM;
        e = strstr(h->text, "\r\n");
        if (!e)
                return -EBADMSG;
        *e = 0;
        *ret_rest = e + 2;
        return 0;
}

/**
 * http_parse_request - parse one complete head (see http_head_size()).
 *
 * Return: 0, -EBADMSG for a malformed head, -E2BIG for too many headers, -EPROTONOSUPPORT for another HTTP
 * version, -ENOMEM.
 */
int http_parse_request(const char *data, size_t size, HttpHead *ret) {
        _cleanup_http_head_ HttpHead h = {};
        char *rest, *target, *version;
        int r;

        r = take_first_line(&h, data, size, &rest);
        if (r < 0)
                return r;
        target = strchr(h.text, ' ');
        if (!target)
                return -EBADMSG;
        *target++ = 0;
        version = strchr(target, ' ');
        if (!version)
                return -EBADMSG;
        *version++ = 0;
        if (!is_token(h.text) || target[0] != '/')
                return -EBADMSG;
        for (const char *p = target; *p; p++)
                if ((unsigned char) *p <= 0x20 || *p == 0x7f)
                        return -EBADMSG;
        r = parse_version(version, &h.minor);
        if (r < 0)
                return r;
        h.method = h.text;
        h.target = target;
        r = parse_headers(&h, rest);
        if (r >= 0)
                r = parse_framing(&h);
        if (r < 0)
                return r;
        *ret = h;
        h.text = NULL;
        return 0;
}

/**
 * http_parse_response - parse one complete response head.
 * @request_method: what was asked; a HEAD has no body whatever the head says.
 *
 * Return: as http_parse_request().
 */
int http_parse_response(const char *data, size_t size, const char *request_method, HttpHead *ret) {
        _cleanup_http_head_ HttpHead h = {};
        char *rest, *code;
        uint64_t status;
        int r;

        r = take_first_line(&h, data, size, &rest);
        if (r < 0)
                return r;
        code = strchr(h.text, ' ');
        if (!code)
                return -EBADMSG;
        *code++ = 0;
        r = parse_version(h.text, &h.minor);
        if (r < 0)
                return r;
        h.reason = "";
        if (strlen(code) > 3) {
                if (code[3] != ' ')
                        return -EBADMSG;
                code[3] = 0;
                h.reason = code + 4;
        }
        if (parse_u64(code, 999, &status) < 0 || status < 100)
                return -EBADMSG;
        h.status = (unsigned) status;
        r = parse_headers(&h, rest);
        if (r >= 0)
                r = parse_framing(&h);
        if (r < 0)
                return r;
        if (streq(request_method, "HEAD") || h.status < 200 || h.status == 204 || h.status == 304)
                h.framing = HTTP_NO_BODY;
        else if (h.framing == HTTP_NO_BODY)
                h.framing = HTTP_UNTIL_CLOSE;
        *ret = h;
        h.text = NULL;
        return 0;
}

enum {
        CHUNK_SIZE,
        CHUNK_EXTENSION,
        CHUNK_SIZE_LF,
        CHUNK_DATA,
        CHUNK_DATA_CR,
        CHUNK_DATA_LF,
        TRAILER_START,
        TRAILER,
        TRAILER_LF,
        LAST_LF
};

/** http_body_init - start decoding a body. */
void http_body_init(HttpBody *b, HttpFraming framing, uint64_t content_length) {
        *b = (HttpBody){ .framing = framing,
                         .remaining = framing == HTTP_LENGTH ? content_length : 0,
                         .done = framing == HTTP_NO_BODY ||
                                 (framing == HTTP_LENGTH && content_length == 0) };
}

static int hex_digit(char c) {
        if (c >= '0' && c <= '9')
                return c - '0';
        if (c >= 'a' && c <= 'f')
                return c - 'a' + 10;
        if (c >= 'A' && c <= 'F')
                return c - 'A' + 10;
        return -EBADMSG;
}

#define CHUNK_LINE_MAX 4096

/* One byte of chunk framing (everything but payload). */
static int chunk_step(HttpBody *b, char c) {
        int digit;

        if (b->state != CHUNK_DATA_CR && b->state != CHUNK_DATA_LF && ++b->line > CHUNK_LINE_MAX)
                return -EBADMSG;
        switch (b->state) {
        case CHUNK_SIZE:
                digit = hex_digit(c);
                if (digit >= 0) {
                        if (b->remaining >> 56)
                                return -EBADMSG;
                        b->remaining = b->remaining << 4 | (unsigned) digit;
                        return 0;
                }
                if (b->line == 1 || (c != '\r' && c != ';'))
                        return -EBADMSG;
                b->state = c == '\r' ? CHUNK_SIZE_LF : CHUNK_EXTENSION;
                return 0;
        case CHUNK_EXTENSION:
                if (c == '\n' || c == 0)
                        return -EBADMSG;
                if (c == '\r')
                        b->state = CHUNK_SIZE_LF;
                return 0;
        case CHUNK_SIZE_LF:
                if (c != '\n')
                        return -EBADMSG;
                b->line = 0;
                b->state = b->remaining > 0 ? CHUNK_DATA : TRAILER_START;
                return 0;
        case CHUNK_DATA_CR:
                if (c != '\r')
                        return -EBADMSG;
                b->state = CHUNK_DATA_LF;
                return 0;
        case CHUNK_DATA_LF:
                if (c != '\n')
                        return -EBADMSG;
                b->state = CHUNK_SIZE;
                b->line = 0;
                return 0;
        case TRAILER_START:
                if (c == '\n' || c == 0)
                        return -EBADMSG;
                b->state = c == '\r' ? LAST_LF : TRAILER;
                return 0;
        case TRAILER:
                if (c == '\n' || c == 0)
                        return -EBADMSG;
                if (c == '\r')
                        b->state = TRAILER_LF;
                return 0;
        case TRAILER_LF:
                if (c != '\n')
                        return -EBADMSG;
                b->state = TRAILER_START;
                return 0;
        case LAST_LF:
                if (c != '\n')
                        return -EBADMSG;
                b->done = true;
                return 0;
        }
        return -EBADMSG;
}

/**
 * http_body_decode - take the next piece out of @data.
 * @ret_consumed: bytes of @data that are used up (payload included); bytes behind the end of the body are
 * left.
 * @ret_payload: points into @data, or @ret_payload_size is 0 when only framing was consumed.
 *
 * Call again with the rest until it consumes nothing or @b->done. Return: 0 or -EBADMSG.
 */
int http_body_decode(HttpBody *b, const char *data, size_t size, size_t *ret_consumed,
                     const char **ret_payload, size_t *ret_payload_size) {
        size_t used = 0, n = 0;
        int r;

        *ret_payload_size = 0;
        *ret_payload = data;
        while (!b->done && used < size) {
                if (b->framing == HTTP_CHUNKED && b->state != CHUNK_DATA) {
                        r = chunk_step(b, data[used++]);
                        if (r < 0)
                                return r;
                        continue;
                }
                n = b->framing == HTTP_UNTIL_CLOSE ? size - used
                                                   : (size_t) MIN((uint64_t) (size - used), b->remaining);
                *ret_payload = data + used;
                *ret_payload_size = n;
                used += n;
                if (b->framing != HTTP_UNTIL_CLOSE)
                        b->remaining -= n;
                if (b->remaining == 0 && b->framing == HTTP_CHUNKED)
                        b->state = CHUNK_DATA_CR;
                else if (b->remaining == 0 && b->framing == HTTP_LENGTH)
                        b->done = true;
                break;
        }
        *ret_consumed = used;
        return 0;
}

/** http_percent_decode - in place. Return: 0, -EINVAL for a bad escape or an encoded NUL. */
int http_percent_decode(char *s, bool plus_is_space) {
        char *out = s;

        for (; *s; s++) {
                if (*s == '%') {
                        int hi = hex_digit(s[1]), lo = hi < 0 ? hi : hex_digit(s[2]);

                        if (lo < 0 || (hi == 0 && lo == 0))
                                return -EINVAL;
                        *out++ = (char) (hi << 4 | lo);
                        s += 2;
                } else
                        *out++ = *s == '+' && plus_is_space ? ' ' : *s;
        }
        *out = 0;
        return 0;
}

/** http_percent_encode - append @s with everything but unreserved characters escaped. */
int http_percent_encode(Buffer *b, const char *s) {
        for (; *s; s++) {
                unsigned char c = (unsigned char) *s;
                bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                             strchr("-._~", c);
                int r = plain ? buffer_append(b, s, 1) : buffer_appendf(b, "%%%02X", c);

                if (r < 0)
                        return r;
        }
        return 0;
}

/** http_query_done - free a parsed query; safe on a zeroed one. */
void http_query_done(HttpQuery *q) {
        q->text = mfree(q->text);
        q->n = 0;
}

/** http_query_parse - `a=1&b=%20&c`; NULL is empty. Return: 0, -EINVAL for bad escapes, -E2BIG, -ENOMEM. */
int http_query_parse(const char *query, HttpQuery *ret) {
        HttpQuery q = { .text = strdup(strempty(query)) };
        int r = 0;

        if (!q.text)
                return -ENOMEM;
        for (char *p = q.text; r >= 0 && *p;) {
                char *e = strchrnul(p, '&'), *next = *e ? e + 1 : e, *eq;

                *e = 0;
                eq = strchr(p, '=');
                if (eq)
                        *eq = 0;
                r = http_percent_decode(p, true);
                if (r >= 0 && eq)
                        r = http_percent_decode(eq + 1, true);
                if (r >= 0 && q.n >= ELEMENTSOF(q.items))
                        r = -E2BIG;
                if (r >= 0 && (*p || eq))
                        q.items[q.n++] = (HttpHeader){ p, eq ? eq + 1 : "" };
                p = next;
        }
        if (r < 0) {
                http_query_done(&q);
                return r;
        }
        *ret = q;
        return 0;
}

/** http_query_get - the first value of @name, or NULL. */
const char *http_query_get(const HttpQuery *q, const char *name) {
        for (size_t i = 0; i < q->n; i++)
                if (streq(q->items[i].name, name))
                        return q->items[i].value;
        return NULL;
}
