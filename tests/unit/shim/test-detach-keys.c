/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../cmocka-prelude.h"

#include "shim/detach-keys.h"

static int feed(DetachKeys *d, const char *text, Buffer *out) {
        return detach_keys_filter(d, text, strlen(text), out);
}

static void test_parse(void **state) {
        DetachKeys d;

        assert_int_equal(detach_keys_parse(DETACH_KEYS_DEFAULT, &d), 0);
        assert_int_equal(d.n, 2);
        assert_int_equal(d.keys[0], 16);
        assert_int_equal(d.keys[1], 17);
        assert_int_equal(detach_keys_parse("", &d), 0);
        assert_int_equal(d.n, 0);
        assert_int_equal(detach_keys_parse("ctrl-[,a,ctrl-@,ctrl-_", &d), 0);
        assert_memory_equal(d.keys, "\x1b" "a" "\0" "\x1f", 4);
        assert_int_equal(detach_keys_parse("ctrl-A", &d), -EINVAL);
        assert_int_equal(detach_keys_parse("ab", &d), -EINVAL);
        assert_int_equal(detach_keys_parse("a,", &d), -EINVAL);
        assert_int_equal(detach_keys_parse("a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a", &d), -E2BIG);
}

static void test_split_over_reads(void **state) {
        _cleanup_buffer_ Buffer out = BUFFER_INIT(1024);
        DetachKeys d;

        assert_int_equal(detach_keys_parse(DETACH_KEYS_DEFAULT, &d), 0);
        assert_int_equal(feed(&d, "abc\x10", &out), 0);
        assert_string_equal(out.data, "abc");
        assert_int_equal(feed(&d, "\x11rest", &out), 1);
        assert_string_equal(out.data, "abc");
}

static void test_false_starts_are_given_back(void **state) {
        _cleanup_buffer_ Buffer out = BUFFER_INIT(1024);
        DetachKeys d;

        assert_int_equal(detach_keys_parse("a,a,b", &d), 0);
        assert_int_equal(feed(&d, "aaax", &out), 0);
        assert_string_equal(out.data, "aaax");
        assert_int_equal(feed(&d, "caa", &out), 0);
        assert_string_equal(out.data, "aaaxc");
        assert_int_equal(feed(&d, "ab", &out), 1);
        assert_string_equal(out.data, "aaaxca");
}

static void test_no_keys_passes_all(void **state) {
        _cleanup_buffer_ Buffer out = BUFFER_INIT(1024);
        DetachKeys d = {};

        assert_int_equal(feed(&d, "\x10\x11", &out), 0);
        assert_int_equal(out.size, 2);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_parse),
                cmocka_unit_test(test_split_over_reads),
                cmocka_unit_test(test_false_starts_are_given_back),
                cmocka_unit_test(test_no_keys_passes_all),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
