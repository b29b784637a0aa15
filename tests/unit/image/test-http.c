/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../cmocka-prelude.h"

#include <sys/socket.h>

#include "basic/fd.h"
#include "basic/str.h"
#include "engine/worker/worker-http.h"

typedef struct Pair {
        WorkerHttp http;
        int client;
} Pair;

static void open_pair(Pair *p, const char *framing, const char *early) {
        _cleanup_close_ int memfd = early ? memfd_new_with("early", early, strlen(early)) : -EBADF;
        int fds[2];

        *p = (Pair){ .http = { .fd = -EBADF } };
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
        p->client = fds[1];
        assert_int_equal(worker_http_open(&p->http, fds[0], memfd, framing), 0);
}

static void send_text(Pair *p, const char *text) {
        assert_int_equal(write_all(p->client, text, strlen(text)), 0);
}

static char *body(Pair *p, int *ret_error) {
        char text[4096];
        size_t used = 0;
        ssize_t n;

        while ((n = worker_http_read(&p->http, text + used, 7)) > 0)
                used += (size_t) n;
        *ret_error = (int) n;
        return strndup(text, used);
}

static char *answer(Pair *p) {
        char *text = calloc(1, 65536);
        ssize_t n;

        worker_http_done(&p->http);
        n = read_all(p->client, text, 65535);
        assert_true(n >= 0);
        (void) close(p->client);
        return text;
}

static void test_bodies(void **state) {
        static const struct {
                const char *framing, *early, *late, *body;
                int error;
        } cases[] = {
                { "none", NULL, "", "", 0 },
                { "length:11", NULL, "hello world", "hello world", 0 },
                { "length:11", "hello", " world", "hello world", 0 },
                { "length:5", "hello", "", "hello", 0 },
                { "length:11", "hello", "", "hello", -ECONNRESET },
                { "chunked", NULL, "5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n\r\n", "hello world", 0 },
                { "chunked", "5\r\nhel", "lo\r\n0\r\n\r\n", "hello", 0 },
                { "chunked", "5\r\nhello\r\n", "", "hello", -ECONNRESET },
                { "chunked", NULL, "zz\r\n", "", -EBADMSG },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_free_ char *got = NULL;
                int error;
                Pair p;

                open_pair(&p, cases[i].framing, cases[i].early);
                send_text(&p, cases[i].late);
                (void) shutdown(p.client, SHUT_WR);
                got = body(&p, &error);
                assert_string_equal(got, cases[i].body);
                assert_int_equal(error, cases[i].error);
                /* A half-close is no leaving. */
                assert_false(worker_http_client_gone(&p.http));
                (void) close(p.client);
                assert_true(worker_http_client_gone(&p.http));
                assert_int_equal(worker_http_begin(&p.http, 200, NULL), -EPIPE);
                worker_http_done(&p.http);
        }
}

static void test_lines(void **state) {
        _cleanup_free_ char *text = NULL;
        Pair p;

        open_pair(&p, "none", NULL);
        assert_int_equal(worker_http_line(&p.http, json_object_new_string("x")), 0);
        assert_int_equal(worker_http_error(&p.http, 500, "broken"), 0);
        text = answer(&p);
        assert_non_null(strstr(text, "HTTP/1.1 200 OK\r\n"));
        assert_non_null(strstr(text, "Connection: close\r\n"));
        assert_non_null(strstr(text, "\r\n\r\n5\r\n\"x\"\r\n\r\n"));
        assert_non_null(strstr(
                        text,
                        "{\"errorDetail\":{\"message\":\"broken\"},\"error\":\"broken\"}\r\n\r\n0\r\n\r\n"));
}

static void test_error(void **state) {
        _cleanup_free_ char *text = NULL;
        Pair p;

        open_pair(&p, "length:100000", NULL);
        send_text(&p, "some of it");
        (void) shutdown(p.client, SHUT_WR);
        assert_int_equal(worker_http_error(&p.http, 400, "bad \"thing\""), 0);
        text = answer(&p);
        assert_non_null(strstr(text, "HTTP/1.1 400 Bad Request\r\n"));
        assert_non_null(strstr(text, "\r\n\r\n{\"message\":\"bad \\\"thing\\\"\"}\n"));
        assert_null(strstr(text, "chunked"));
}

static void test_http10(void **state) {
        _cleanup_free_ char *text = NULL;
        Pair p;

        open_pair(&p, "none", NULL);
        p.http.http10 = true;
        assert_int_equal(worker_http_line(&p.http, json_object_new_string("x")), 0);
        assert_int_equal(worker_http_end(&p.http), 0);
        text = answer(&p);
        assert_non_null(strstr(text, "\r\n\r\n\"x\"\r\n"));
        assert_null(strstr(text, "chunked"));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_bodies),
                cmocka_unit_test(test_lines),
                cmocka_unit_test(test_error),
                cmocka_unit_test(test_http10),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
