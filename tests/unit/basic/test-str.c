/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../cmocka-prelude.h"

#include <signal.h>

#include "basic/crc32c.h"
#include "basic/str.h"

static void test_strv(void **state) {
        _cleanup_strv_ char **l = NULL, **split = NULL, **empty = NULL;
        _cleanup_free_ char *joined = NULL, *nothing = NULL;

        assert_int_equal(strv_length(NULL), 0);
        assert_int_equal(strv_extend(&l, "a"), 0);
        assert_int_equal(strv_extend(&l, "b c"), 0);
        assert_int_equal(strv_consume(&l, NULL), -ENOMEM);
        assert_int_equal(strv_length(l), 2);
        joined = strv_join(l, ", ");
        assert_string_equal(joined, "a, b c");
        nothing = strv_join(NULL, ",");
        assert_string_equal(nothing, "");
        assert_int_equal(strv_split(",,a,,b,", ',', &split), 0);
        assert_int_equal(strv_length(split), 2);
        assert_string_equal(split[1], "b");
        assert_int_equal(strv_split("", ',', &empty), 0);
        assert_int_equal(strv_length(empty), 0);
}

static void test_affixes(void **state) {
        _cleanup_free_ char *s = str_concat("a", "", "bc"), *f = str_printf("%i-%s", 7, "x");

        assert_string_equal(startswith("sha256:ab", "sha256:"), "ab");
        assert_null(startswith("sha", "sha256:"));
        assert_string_equal(endswith("a.json", ".json"), ".json");
        assert_null(endswith("json", ".json"));
        assert_string_equal(endswith("x", ""), "");
        assert_string_equal(s, "abc");
        assert_string_equal(f, "7-x");
}

static void test_numbers(void **state) {
        static const char *const bad[] = { "", " 1", "1 ", "+1", "-1", "0x1", "1.0", "a" };
        uint64_t u;
        int64_t i;

        for (size_t n = 0; n < ELEMENTSOF(bad); n++)
                assert_int_equal(parse_u64(bad[n], UINT64_MAX, &u), -EINVAL);
        assert_int_equal(parse_u64(NULL, 1, &u), -EINVAL);
        assert_int_equal(parse_u64("18446744073709551615", UINT64_MAX, &u), 0);
        assert_true(u == UINT64_MAX);
        assert_int_equal(parse_u64("18446744073709551616", UINT64_MAX, &u), -ERANGE);
        assert_int_equal(parse_u64("99999999999999999999999", UINT64_MAX, &u), -ERANGE);
        assert_int_equal(parse_u64("11", 10, &u), -ERANGE);
        assert_int_equal(parse_u64("0010", 10, &u), 0);
        assert_int_equal(parse_i64("-5", -5, 5, &i), 0);
        assert_int_equal(i, -5);
        assert_int_equal(parse_i64("-6", -5, 5, &i), -ERANGE);
        assert_int_equal(parse_i64("--5", -5, 5, &i), -EINVAL);
        assert_int_equal(parse_i64("-", -5, 5, &i), -EINVAL);
        assert_int_equal(parse_i64(NULL, -5, 5, &i), -EINVAL);
}

static void test_bool(void **state) {
        assert_int_equal(parse_bool("1"), 1);
        assert_int_equal(parse_bool("True"), 1);
        assert_int_equal(parse_bool("0"), 0);
        assert_int_equal(parse_bool(""), 0);
        assert_int_equal(parse_bool("none"), 0);
        assert_int_equal(parse_bool("maybe"), -EINVAL);
}

static void test_hex(void **state) {
        char hex[65], other[65];

        hex_encode("\x00\xff\x1a", 3, hex);
        assert_string_equal(hex, "00ff1a");
        assert_true(hex_is_valid("00ff", 4));
        assert_false(hex_is_valid("00fF", 4));
        assert_false(hex_is_valid("00f", 4));
        assert_false(hex_is_valid("00fff", 4));
        assert_int_equal(random_hex(32, hex), 0);
        assert_int_equal(random_hex(32, other), 0);
        assert_true(hex_is_valid(hex, 64));
        assert_string_not_equal(hex, other);
}

static void test_signals(void **state) {
        static const struct {
                const char *name;
                int number;
        } table[] = {
                { "9", 9 },
                { "KILL", 9 },
                { "SIGKILL", 9 },
                { "sigterm", 15 },
                { "hup", 1 },
                { "IOT", 6 },
                { "CLD", SIGCHLD },
                { "0", -EINVAL },
                { "", -EINVAL },
                { "NOPE", -EINVAL },
                { "SIG", -EINVAL },
                { "-9", -EINVAL },
                { "65", -EINVAL },
                { "RTMIN+99", -EINVAL },
                { "RTMIN-1", -EINVAL },
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++)
                assert_int_equal(signal_from_string(table[i].name), table[i].number);
        assert_int_equal(signal_from_string("SIGRTMIN+3"), SIGRTMIN + 3);
        assert_int_equal(signal_from_string("RTMAX"), SIGRTMAX);
        assert_int_equal(signal_from_string("rtmax-1"), SIGRTMAX - 1);
        assert_string_equal(signal_to_name(15), "TERM");
}

static void test_crc(void **state) {
        /* RFC 3720, B.4 */
        assert_int_equal(crc32c("123456789", 9), 0xe3069283);
        assert_int_equal(crc32c("", 0), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_strv), cmocka_unit_test(test_affixes), cmocka_unit_test(test_numbers),
                cmocka_unit_test(test_bool), cmocka_unit_test(test_hex),     cmocka_unit_test(test_signals),
                cmocka_unit_test(test_crc),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
