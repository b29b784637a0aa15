/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../cmocka-prelude.h"
#include "shared/http.h"

/* Decodes @text in pieces of @step bytes. Return: bytes of @text used up, or -errno. */
static ssize_t decode(HttpBody *b, const char *text, size_t size, size_t step, Buffer *out) {
        size_t done = 0;

        while (!b->done && done < size) {
                size_t used, n, piece = MIN(step, size - done);
                const char *payload;
                int r;

                r = http_body_decode(b, text + done, piece, &used, &payload, &n);
                if (r < 0)
                        return r;
                assert_true(used > 0 && used <= piece);
                assert_true(n == 0 || (payload >= text + done && payload + n <= text + done + piece));
                assert_int_equal(buffer_append(out, payload, n), 0);
                done += used;
        }
        return (ssize_t) done;
}

static void check_chunked(const char *text, const char *expected, const char *rest) {
        for (size_t step = 1; step <= strlen(text); step++) {
                _cleanup_buffer_ Buffer out = BUFFER_INIT(4096);
                HttpBody b;

                http_body_init(&b, HTTP_CHUNKED, 0);
                assert_int_equal(decode(&b, text, strlen(text), step, &out), strlen(text) - strlen(rest));
                assert_true(b.done);
                assert_string_equal(out.data ?: "", expected);
        }
}

static void test_chunked(void **state) {
        check_chunked("5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", "hello world", "");
        check_chunked("0\r\n\r\nGET /", "", "GET /");
        check_chunked("00a;ext=\"x\"\r\n0123456789\r\n0\r\nTrailer: a\r\nOther: b\r\n\r\nnext", "0123456789",
                      "next");
        check_chunked("A\r\n0123456789\r\n000\r\n\r\n", "0123456789", "");
}

static void test_bad_chunks(void **state) {
        static const char *const bad[] = { "\r\n",
                                           "g\r\n",
                                           "-1\r\n",
                                           " 5\r\nhello",
                                           "5 \r\nhello",
                                           "5\nhello\n",
                                           "5\rxhello",
                                           "5\r\nhelloX",
                                           "5\r\nhello\rX",
                                           "5;a\nb\r\n",
                                           "10000000000000000\r\n",
                                           "ffffffffffffffff\r\n",
                                           "0x5\r\n",
                                           "0\r\n\n",
                                           "0\r\na\rb" };

        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                for (size_t step = 1; step <= strlen(bad[i]); step++) {
                        _cleanup_buffer_ Buffer out = BUFFER_INIT(4096);
                        HttpBody b;

                        http_body_init(&b, HTTP_CHUNKED, 0);
                        assert_int_equal(decode(&b, bad[i], strlen(bad[i]), step, &out), -EBADMSG);
                }
}

/* Framing without payload must not go on for ever. */
static void test_endless_framing(void **state) {
        static const char *const starts[] = { "5;", "0\r\nTrailer: ", "" };

        for (size_t i = 0; i < ELEMENTSOF(starts); i++) {
                _cleanup_buffer_ Buffer out = BUFFER_INIT(4096), in = BUFFER_INIT(64 * 1024);
                HttpBody b;

                assert_int_equal(buffer_append_str(&in, starts[i]), 0);
                while (in.size < 10000)
                        assert_int_equal(buffer_append_str(&in, "0"), 0);
                http_body_init(&b, HTTP_CHUNKED, 0);
                assert_int_equal(decode(&b, in.data, in.size, 100, &out), -EBADMSG);
        }
}

static void test_length(void **state) {
        for (size_t step = 1; step < 8; step++) {
                _cleanup_buffer_ Buffer out = BUFFER_INIT(4096);
                HttpBody b;

                http_body_init(&b, HTTP_LENGTH, 5);
                assert_int_equal(decode(&b, "helloGET", 8, step, &out), 5);
                assert_true(b.done);
                assert_string_equal(out.data, "hello");
        }
}

static void test_others(void **state) {
        _cleanup_buffer_ Buffer out = BUFFER_INIT(4096);
        HttpBody b;

        http_body_init(&b, HTTP_NO_BODY, 0);
        assert_true(b.done);
        http_body_init(&b, HTTP_LENGTH, 0);
        assert_true(b.done);
        http_body_init(&b, HTTP_UNTIL_CLOSE, 0);
        assert_int_equal(decode(&b, "all of it", 9, 4, &out), 9);
        assert_false(b.done);
        assert_string_equal(out.data, "all of it");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_chunked),         cmocka_unit_test(test_bad_chunks),
                cmocka_unit_test(test_endless_framing), cmocka_unit_test(test_length),
                cmocka_unit_test(test_others),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
