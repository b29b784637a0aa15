/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../cmocka-prelude.h"
#include "basic/clock.h"

static void test_format(void **state) {
        char s[RFC3339_MAX];

        format_rfc3339(0, s);
        assert_string_equal(s, "0001-01-01T00:00:00Z");
        format_rfc3339(UINT64_C(1795313912123456), s);
        assert_string_equal(s, "2026-11-22T02:18:32.123456000Z");
        format_rfc3339(1, s);
        assert_string_equal(s, "1970-01-01T00:00:00.000001000Z");
        format_rfc3339(USEC_INFINITY, s);
}

static void test_parse(void **state) {
        static const struct {
                const char *text;
                usec_t at;
        } good[] = {
                { "1970-01-01T00:00:01Z", 1000000 },
                { "1970-01-01T00:00:01.5Z", 1500000 },
                { "1970-01-01T00:00:01.000001999Z", 1000001 },
                { "1970-01-01T01:00:01+01:00", 1000000 },
                { "1969-12-31T23:00:01-01:00", 1000000 },
                { "2026-11-22T02:18:32.123456000Z", UINT64_C(1795313912123456) },
        };
        static const char *const bad[] = { "",
                                           "x",
                                           "2026-11-22",
                                           "2026-11-22T02:18:32",
                                           "2026-11-22T02:18:32.Z",
                                           "2026-11-22T02:18:32+0100",
                                           "2026-11-22T02:18:32+/::00",
                                           "2026-11-22T02:18:32+24:00",
                                           "2026-11-22T02:18:32Zx",
                                           "1969-12-31T23:59:59Z" };
        usec_t at;

        for (size_t i = 0; i < ELEMENTSOF(good); i++) {
                assert_int_equal(parse_rfc3339(good[i].text, &at), 0);
                assert_int_equal(at, good[i].at);
        }
        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                assert_int_equal(parse_rfc3339(bad[i], &at), -EINVAL);
}

static void test_unix_time(void **state) {
        static const char *const bad[] = { "",     ".",  "1.",  ".5", "1.x",
                                           "1.5x", "-1", "1e3", " 1", "99999999999999999999" };
        usec_t at;

        assert_int_equal(parse_unix_time("1795313912", &at), 0);
        assert_int_equal(at, UINT64_C(1795313912000000));
        assert_int_equal(parse_unix_time("1795313912.123456789", &at), 0);
        assert_int_equal(at, UINT64_C(1795313912123456));
        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                assert_int_equal(parse_unix_time(bad[i], &at), -EINVAL);
}

static void test_round_trip(void **state) {
        for (usec_t t = 1; t < UINT64_C(4000000000000000); t = t * 7 + 13) {
                char s[RFC3339_MAX];
                usec_t back;

                format_rfc3339(t, s);
                assert_int_equal(parse_rfc3339(s, &back), 0);
                assert_int_equal(back, t);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_format),
                cmocka_unit_test(test_parse),
                cmocka_unit_test(test_unix_time),
                cmocka_unit_test(test_round_trip),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
