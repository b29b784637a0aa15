/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../cmocka-prelude.h"
#include "basic/buffer.h"

static void test_append(void **state) {
        _cleanup_buffer_ Buffer b = BUFFER_INIT(64);

        assert_int_equal(buffer_append_str(&b, "hello "), 0);
        assert_int_equal(buffer_appendf(&b, "%s %i", "world", 42), 0);
        assert_string_equal(b.data, "hello world 42");
        assert_int_equal(b.size, 14);
}

static void test_maximum(void **state) {
        _cleanup_buffer_ Buffer b = BUFFER_INIT(4);

        assert_int_equal(buffer_append(&b, "abc", 3), 0);
        assert_int_equal(buffer_append(&b, "de", 2), -E2BIG);
        assert_string_equal(b.data, "abc");
        assert_int_equal(buffer_append(&b, "d", 1), 0);
        assert_int_equal(buffer_append(&b, "", 0), 0);
        assert_int_equal(buffer_append(&b, "e", 1), -E2BIG);
        assert_int_equal(buffer_reserve(&b, SIZE_MAX), -E2BIG);
        assert_string_equal(b.data, "abcd");
}

static void test_consume(void **state) {
        _cleanup_buffer_ Buffer b = BUFFER_INIT(64);

        buffer_consume(&b, 0);
        assert_null(b.data);
        assert_int_equal(buffer_append_str(&b, "abcdef"), 0);
        buffer_consume(&b, 2);
        assert_string_equal(b.data, "cdef");
        buffer_consume(&b, 4);
        assert_int_equal(b.size, 0);
        assert_string_equal(b.data, "");
}

static void test_take(void **state) {
        _cleanup_buffer_ Buffer b = BUFFER_INIT(64);
        _cleanup_free_ char *s = NULL;

        assert_null(buffer_take(&b));
        assert_int_equal(buffer_append_str(&b, "x"), 0);
        s = buffer_take(&b);
        assert_string_equal(s, "x");
        assert_int_equal(b.size, 0);
        assert_int_equal(buffer_append_str(&b, "again"), 0);
        assert_string_equal(b.data, "again");
}

static void test_binary(void **state) {
        _cleanup_buffer_ Buffer b = BUFFER_INIT(1024 * 1024);

        for (int i = 0; i < 100000; i++)
                assert_int_equal(buffer_append(&b, "a\0b", 3), 0);
        assert_int_equal(b.size, 300000);
        assert_memory_equal(b.data + 299997, "a\0b", 3);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_append),  cmocka_unit_test(test_maximum),
                cmocka_unit_test(test_consume), cmocka_unit_test(test_take),
                cmocka_unit_test(test_binary),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
