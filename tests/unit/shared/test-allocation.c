/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../cmocka-prelude.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>

#include "basic/buffer.h"
#include "basic/file.h"
#include "basic/hashmap.h"
#include "basic/str.h"
#include "shared/http.h"
#include "shared/message.h"
#include "shared/state-log.h"

/* Fails the n-th allocation of a scenario, for n = 1, 2, ... until the scenario gets through. */
static long countdown = -1;

static bool fails(void) {
        if (countdown < 0)
                return false;
        if (countdown-- > 0)
                return false;
        errno = ENOMEM;
        return true;
}

#define WRAP(type, name, parameters, arguments)       \
        type __real_##name parameters;                \
        type __wrap_##name parameters;                \
        type __wrap_##name parameters {               \
                return fails() ? (type) 0 : __real_##name arguments; \
        }

WRAP(void *, malloc, (size_t n), (n))
WRAP(void *, calloc, (size_t n, size_t m), (n, m))
WRAP(void *, realloc, (void *p, size_t n), (p, n))
WRAP(void *, reallocarray, (void *p, size_t n, size_t m), (p, n, m))
WRAP(char *, strdup, (const char *s), (s))
WRAP(char *, strndup, (const char *s, size_t n), (s, n))

int __real_vasprintf(char **ret, const char *fmt, va_list ap);
int __wrap_vasprintf(char **ret, const char *fmt, va_list ap);
int __wrap_vasprintf(char **ret, const char *fmt, va_list ap) {
        return fails() ? -1 : __real_vasprintf(ret, fmt, ap);
}

static void exhaust(int (*scenario)(void)) {
        for (long n = 0; n < 1000; n++) {
                int r;

                countdown = n;
                r = scenario();
                if (countdown >= 0) {
                        countdown = -1;
                        assert_int_equal(r, 0);
                        assert_true(n > 0);
                        return;
                }
                countdown = -1;
                assert_int_equal(r, -ENOMEM);
        }
        fail_msg("no end");
}

static int parse_fields(void) {
        _cleanup_fields_ Fields f = {};

        return fields_parse("a=1\nb=2\n", 8, '\n', &f);
}

static int parse_request(void) {
        static const char text[] = "GET /x HTTP/1.1\r\nHost: a\r\n\r\n";
        _cleanup_http_head_ HttpHead h = {};

        return http_parse_request(text, sizeof(text) - 1, &h);
}

static int parse_query(void) {
        _cleanup_(http_query_done) HttpQuery q = {};

        return http_query_parse("a=1&b=2", &q);
}

static int fill_hashmap(void) {
        _cleanup_hashmap_ Hashmap *h = hashmap_new();
        static char keys[64][4];
        int r = h ? 0 : -ENOMEM;

        for (int i = 0; r >= 0 && i < 64; i++) {
                (void) snprintf(keys[i], sizeof(keys[i]), "%i", i);
                r = hashmap_put(h, keys[i], keys[i]);
        }
        return r;
}

static int use_strings(void) {
        _cleanup_strv_ char **l = NULL, **split = NULL;
        _cleanup_free_ char *joined = NULL, *text = NULL, *concat = NULL;
        int r;

        r = strv_extend(&l, "a");
        if (r >= 0)
                r = strv_split("x,y,z", ',', &split);
        if (r < 0)
                return r;
        joined = strv_join(split, "-");
        text = joined ? str_printf("%s", joined) : NULL;
        concat = text ? str_concat(text, "b") : NULL;
        return concat ? 0 : -ENOMEM;
}

static int put_fields(void) {
        _cleanup_buffer_ Buffer b = BUFFER_INIT(4096);
        int r;

        r = fields_put(&b, '\n', "verb", "x");
        if (r >= 0)
                r = fields_putf(&b, '\n', "n", "%i", 5);
        return r < 0 ? r : message_put_reply(&b, "1", -EIO, NULL);
}

static int ignore_record(const Fields *f, void *userdata) {
        return 0;
}

static int use_state_log(void) {
        char directory[] = "/tmp/berth-test-XXXXXX";
        int r, dir_fd;

        assert_non_null(mkdtemp(directory));
        dir_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        {
                _cleanup_buffer_ Buffer b = BUFFER_INIT(4096);

                r = state_record_begin(&b, "created");
                if (r >= 0)
                        r = state_log_append(dir_fd, &b, STATE_LOG_CREATE);
                if (r >= 0)
                        r = state_log_read(dir_fd, ignore_record, NULL);
                if (r >= 0)
                        r = write_file_at(dir_fd, "x", "y", 1, 0600, WRITE_REPLACE | WRITE_SYNC);
        }
        (void) unlinkat(dir_fd, STATE_LOG_NAME, 0);
        (void) unlinkat(dir_fd, "x", 0);
        (void) close(dir_fd);
        (void) rmdir(directory);
        return r;
}

static int receive_message(void) {
        _cleanup_message_ Message m = MESSAGE_INIT;
        _cleanup_close_ int a = -EBADF, b = -EBADF;
        int pair[2], r;

        assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
        a = pair[0];
        b = pair[1];
        assert_int_equal(send_with_fds(a, "verb=x\n", 7, &a, 1, 0), 7);
        r = message_receive(b, &m);
        return r > 0 ? 0 : r;
}

#define SCENARIO(f)                            \
        static void test_##f(void **state) {   \
                exhaust(f);                    \
        }
SCENARIO(parse_fields)
SCENARIO(parse_request)
SCENARIO(parse_query)
SCENARIO(fill_hashmap)
SCENARIO(use_strings)
SCENARIO(put_fields)
SCENARIO(use_state_log)
SCENARIO(receive_message)

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_parse_fields),  cmocka_unit_test(test_parse_request),
                cmocka_unit_test(test_parse_query),   cmocka_unit_test(test_fill_hashmap),
                cmocka_unit_test(test_use_strings),   cmocka_unit_test(test_put_fields),
                cmocka_unit_test(test_use_state_log), cmocka_unit_test(test_receive_message),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
