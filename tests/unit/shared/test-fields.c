/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../cmocka-prelude.h"
#include "shared/fields.h"

static int parse(const char *text, char separator, Fields *ret) {
        return fields_parse(text, strlen(text), separator, ret);
}

static void test_parse(void **state) {
        _cleanup_fields_ Fields f = {};
        uint64_t n;

        assert_int_equal(parse("id=x\nlower=a\nlower=b\nempty=\nn=12\nyes=1\nesc=a\\nb\\\\c\\td\\r\n", '\n',
                               &f),
                         0);
        assert_int_equal(f.n, 7);
        assert_string_equal(fields_get(&f, "id"), "x");
        assert_string_equal(fields_get(&f, "lower"), "b");
        assert_string_equal(fields_get_nth(&f, "lower", 0), "a");
        assert_null(fields_get_nth(&f, "lower", 2));
        assert_string_equal(fields_get(&f, "empty"), "");
        assert_null(fields_get(&f, "absent"));
        assert_string_equal(fields_get(&f, "esc"), "a\nb\\c\td\r");
        assert_int_equal(fields_get_u64(&f, "n", 100, &n), 0);
        assert_int_equal(n, 12);
        assert_int_equal(fields_get_u64(&f, "n", 11, &n), -ERANGE);
        assert_int_equal(fields_get_u64(&f, "id", 11, &n), -EINVAL);
        assert_int_equal(fields_get_u64(&f, "absent", 11, &n), -ENODATA);
        assert_true(fields_get_bool(&f, "yes"));
        assert_false(fields_get_bool(&f, "n"));
        assert_int_equal(fields_get_i64_or(&f, "n", -1), 12);
        assert_int_equal(fields_get_i64_or(&f, "id", -1), -1);
}

static void test_malformed(void **state) {
        static const char *const bad[] = { "x",          "=x",    "X=1",   "1a=1", "a_b=1",
                                           "a=1\n\nb=2", "\na=1", "a=\\x", "a=\\", "a=1\nb" };
        Fields f = {};

        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                assert_int_equal(parse(bad[i], '\n', &f), -EBADMSG);
        assert_int_equal(fields_parse("a=1\0b", 5, '\n', &f), -EBADMSG);
        assert_int_equal(f.n, 0);
}

static void test_empty(void **state) {
        _cleanup_fields_ Fields f = {}, g = {};

        assert_int_equal(parse("", '\n', &f), 0);
        assert_int_equal(f.n, 0);
        assert_int_equal(parse("\n", '\n', &g), 0);
        assert_int_equal(g.n, 0);
        assert_null(fields_get(&g, "a"));
}

static void test_limits(void **state) {
        _cleanup_buffer_ Buffer b = BUFFER_INIT(FIELDS_TEXT_MAX * 2);
        _cleanup_fields_ Fields f = {}, g = {};

        for (int i = 0; i < FIELDS_MAX; i++)
                assert_int_equal(fields_put(&b, '\n', "k", "v"), 0);
        assert_int_equal(fields_parse(b.data, b.size, '\n', &f), 0);
        assert_int_equal(f.n, FIELDS_MAX);
        assert_int_equal(fields_put(&b, '\n', "k", "v"), 0);
        assert_int_equal(fields_parse(b.data, b.size, '\n', &g), -E2BIG);
        while (b.size <= FIELDS_TEXT_MAX)
                assert_int_equal(buffer_append_str(&b, "kkkkkkkkkkkkkkkk"), 0);
        assert_int_equal(fields_parse(b.data, b.size, '\n', &g), -E2BIG);
}

static void test_round_trip(void **state) {
        static const char nasty[] = "a=b\nc\td\re\\f\\n \x01\xff";
        static const char separators[] = { '\n', '\t' };

        for (size_t i = 0; i < sizeof(separators); i++) {
                _cleanup_buffer_ Buffer b = BUFFER_INIT(4096);
                _cleanup_fields_ Fields f = {};

                assert_int_equal(fields_put(&b, separators[i], "first", nasty), 0);
                assert_int_equal(fields_putf(&b, separators[i], "second", "%s%i", nasty, 7), 0);
                assert_int_equal(fields_parse(b.data, b.size, separators[i], &f), 0);
                assert_string_equal(fields_get(&f, "first"), nasty);
                assert_int_equal(strncmp(fields_get(&f, "second"), nasty, sizeof(nasty) - 1), 0);
        }
}

static void test_full_buffer(void **state) {
        _cleanup_buffer_ Buffer b = BUFFER_INIT(10);

        assert_int_equal(fields_put(&b, '\n', "a", "1"), 0);
        assert_int_equal(fields_put(&b, '\n', "b", "a\nlong\nvalue"), -E2BIG);
        assert_string_equal(b.data, "a=1\n");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_parse),      cmocka_unit_test(test_malformed),
                cmocka_unit_test(test_empty),      cmocka_unit_test(test_limits),
                cmocka_unit_test(test_round_trip), cmocka_unit_test(test_full_buffer),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
