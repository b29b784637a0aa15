/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../cmocka-prelude.h"
#include <string.h>

#include "basic/macro.h"
#include "cli/terminal.h"

static void test_parse(void **state) {
        DetachKeys d;

        assert_int_equal(detach_keys_parse("ctrl-p,ctrl-q", &d), 0);
        assert_int_equal(d.n, 2);
        assert_memory_equal(d.keys, "\x10\x11", 2);
        assert_int_equal(detach_keys_parse("a,ctrl-@,ctrl-\\", &d), 0);
        assert_memory_equal(d.keys, "a\0\x1c", 3);
        for (size_t i = 0; i < 5; i++)
                assert_int_equal(detach_keys_parse((const char *[]){ "", "ctrl-", "ab", "ctrl-1",
                                                                     "ctrl-pp" }[i],
                                                   &d),
                                 -EINVAL);
}

/* Feeds @in byte by byte and whole: the same bytes pass. */
static void check(const char *keys, const char *in, size_t size, const char *passed, size_t n_passed,
                  bool detached) {
        for (size_t piece = 1; piece <= size; piece++) {
                char out[128];
                size_t n = 0;
                bool found = false;
                DetachKeys d;

                assert_int_equal(detach_keys_parse(keys, &d), 0);
                for (size_t at = 0; at < size && !found; at += piece) {
                        size_t got;

                        found = detach_keys_filter(&d, in + at, MIN(piece, size - at), out + n, &got);
                        n += got;
                }
                assert_int_equal(found, detached);
                assert_int_equal(n, n_passed);
                assert_memory_equal(out, passed, n_passed);
        }
}

static void test_filter(void **state) {
        check("ctrl-p,ctrl-q", "ab\x10\x11zz", 6, "ab", 2, true);
        check("ctrl-p,ctrl-q", "a\x10y\x11", 4, "a\x10y\x11", 4, false);
        check("ctrl-p,ctrl-q", "a\x10\x10\x11", 4, "a\x10", 2, true);
        check("x", "abx", 3, "ab", 2, true);
        check("a,b,c", "ababc", 5, "ab", 2, true);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_parse),
                cmocka_unit_test(test_filter),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
