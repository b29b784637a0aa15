/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../cmocka-prelude.h"
#include "shared/http.h"

static int request(const char *text, HttpHead *ret) {
        size_t n;

        if (http_head_size(text, strlen(text), &n) != 1)
                return -EAGAIN;
        return http_parse_request(text, n, ret);
}

#define LINE "GET /x HTTP/1.1\r\n"

static void test_request(void **state) {
        _cleanup_http_head_ HttpHead h = {};

        assert_int_equal(
                        request("POST /v1.50/a?b=c HTTP/1.1\r\nHost: x\r\n"
                                 "Content-Type:text/plain  \r\nX-Empty:\r\nContent-Length: 5\r\n\r\nhello",
                                &h),
                        0);
        assert_string_equal(h.method, "POST");
        assert_string_equal(h.target, "/v1.50/a?b=c");
        assert_int_equal(h.minor, 1);
        assert_string_equal(http_header(&h, "content-type"), "text/plain");
        assert_string_equal(http_header(&h, "X-EMPTY"), "");
        assert_null(http_header(&h, "absent"));
        assert_int_equal(h.framing, HTTP_LENGTH);
        assert_int_equal(h.content_length, 5);
        assert_true(h.keep_alive);
        assert_false(h.expect_continue);
}

static void test_refused(void **state) {
        static const char *const bad[] = {
                "GET\r\n\r\n",
                "GET /x\r\n\r\n",
                "GET x HTTP/1.1\r\n\r\n",
                "G@T /x HTTP/1.1\r\n\r\n",
                " GET /x HTTP/1.1\r\n\r\n",
                "GET  /x HTTP/1.1\r\n\r\n",
                "GET /x\x01 HTTP/1.1\r\n\r\n",
                LINE "no colon\r\n\r\n",
                LINE ": empty\r\n\r\n",
                LINE "a b: c\r\n\r\n",
                LINE "a : c\r\n\r\n",
                LINE "a: b\r\n folded\r\n\r\n",
                LINE "a: b\nc: d\r\n\r\n",
                LINE "a: b\rc\r\n\r\n",
                LINE "a: \x7f\r\n\r\n",
                LINE "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
                LINE "Content-Length: 1\r\nContent-Length: 1\r\n\r\n",
                LINE "Content-Length: 1, 1\r\n\r\n",
                LINE "Content-Length: -1\r\n\r\n",
                LINE "Content-Length: +1\r\n\r\n",
                LINE "Content-Length: 0x1\r\n\r\n",
                LINE "Content-Length: \r\n\r\n",
                LINE "Content-Length: 9223372036854775808\r\n\r\n",
                LINE "Transfer-Encoding: gzip, chunked\r\n\r\n",
                LINE "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
                LINE "Transfer-Encoding: identity\r\n\r\n",
                "GET /x HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
        };
        HttpHead h = {};

        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                assert_int_equal(request(bad[i], &h), -EBADMSG);
        assert_int_equal(request("GET /x HTTP/2.0\r\n\r\n", &h), -EPROTONOSUPPORT);
        assert_int_equal(request("GET /x HTTP/1.10\r\n\r\n", &h), -EPROTONOSUPPORT);
        assert_int_equal(http_parse_request("GET /x\0y HTTP/1.1\r\n\r\n", 21, &h), -EBADMSG);
        assert_null(h.text);
}

static void test_size(void **state) {
        static char big[HTTP_HEAD_MAX + 64];
        size_t n = 0;

        assert_int_equal(http_head_size("GET / HT", 8, &n), 0);
        assert_int_equal(http_head_size("a\r\n\r\nrest", 9, &n), 1);
        assert_int_equal(n, 5);
        memset(big, 'x', sizeof(big));
        assert_int_equal(http_head_size(big, HTTP_HEAD_MAX, &n), 0);
        assert_int_equal(http_head_size(big, HTTP_HEAD_MAX + 1, &n), -E2BIG);
        memcpy(big + HTTP_HEAD_MAX + 10, "\r\n\r\n", 4);
        assert_int_equal(http_head_size(big, sizeof(big), &n), -E2BIG);
}

static void test_too_many_headers(void **state) {
        _cleanup_buffer_ Buffer b = BUFFER_INIT(64 * 1024);
        HttpHead h = {};

        assert_int_equal(buffer_append_str(&b, LINE), 0);
        for (int i = 0; i <= HTTP_HEADERS_MAX; i++)
                assert_int_equal(buffer_append_str(&b, "a: b\r\n"), 0);
        assert_int_equal(buffer_append_str(&b, "\r\n"), 0);
        assert_int_equal(request(b.data, &h), -E2BIG);
}

static void test_connection(void **state) {
        _cleanup_http_head_ HttpHead a = {}, b = {}, c = {}, d = {};

        assert_int_equal(request("GET / HTTP/1.0\r\n\r\n", &a), 0);
        assert_false(a.keep_alive);
        assert_int_equal(request("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", &b), 0);
        assert_true(b.keep_alive);
        assert_int_equal(request(LINE "Connection: foo , CLOSE\r\nExpect: 100-continue\r\n\r\n", &c), 0);
        assert_false(c.keep_alive);
        assert_true(c.expect_continue);
        assert_int_equal(request(LINE "Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n", &d), 0);
        assert_true(http_header_has_token(&d, "connection", "upgrade"));
        assert_false(http_header_has_token(&d, "connection", "up"));
        assert_true(d.keep_alive);
}

static void test_response(void **state) {
        _cleanup_http_head_ HttpHead a = {}, b = {}, c = {}, d = {};
        static const char text[] = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n",
                          bare[] = "HTTP/1.1 204\r\n\r\n", open_end[] = "HTTP/1.0 500 Oh no\r\n\r\n";

        assert_int_equal(http_parse_response(text, sizeof(text) - 1, "GET", &a), 0);
        assert_int_equal(a.status, 200);
        assert_string_equal(a.reason, "OK");
        assert_int_equal(a.framing, HTTP_LENGTH);
        assert_int_equal(http_parse_response(text, sizeof(text) - 1, "HEAD", &b), 0);
        assert_int_equal(b.framing, HTTP_NO_BODY);
        assert_int_equal(http_parse_response(bare, sizeof(bare) - 1, "GET", &c), 0);
        assert_int_equal(c.framing, HTTP_NO_BODY);
        assert_int_equal(http_parse_response(open_end, sizeof(open_end) - 1, "GET", &d), 0);
        assert_string_equal(d.reason, "Oh no");
        assert_int_equal(d.framing, HTTP_UNTIL_CLOSE);
}

static void test_bad_response(void **state) {
        static const char *const bad[] = { "HTTP/1.1\r\n\r\n",        "HTTP/1.1 20\r\n\r\n",
                                           "HTTP/1.1 2000 x\r\n\r\n", "HTTP/1.1 099 x\r\n\r\n",
                                           "HTTP/1.1 abc x\r\n\r\n",  "HTTP/1.1 200 OK\r\nx\r\n\r\n" };
        HttpHead h = {};

        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                assert_int_equal(http_parse_response(bad[i], strlen(bad[i]), "GET", &h), -EBADMSG);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_request),      cmocka_unit_test(test_refused),
                cmocka_unit_test(test_size),         cmocka_unit_test(test_too_many_headers),
                cmocka_unit_test(test_connection),   cmocka_unit_test(test_response),
                cmocka_unit_test(test_bad_response),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
