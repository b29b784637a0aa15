/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../cmocka-prelude.h"
#include "shared/http.h"

static void test_query(void **state) {
        _cleanup_(http_query_done) HttpQuery q = {};

        assert_int_equal(http_query_parse("a=1&b=%7B%22x%22%3A1%7D&flag&c=a+b%20c&a=2&&=&d==", &q), 0);
        assert_string_equal(http_query_get(&q, "a"), "1");
        assert_string_equal(http_query_get(&q, "b"), "{\"x\":1}");
        assert_string_equal(http_query_get(&q, "flag"), "");
        assert_string_equal(http_query_get(&q, "c"), "a b c");
        assert_string_equal(http_query_get(&q, "d"), "=");
        assert_null(http_query_get(&q, "absent"));
}

static void test_empty(void **state) {
        _cleanup_(http_query_done) HttpQuery q = {}, p = {};

        assert_int_equal(http_query_parse(NULL, &q), 0);
        assert_int_equal(q.n, 0);
        assert_int_equal(http_query_parse("", &p), 0);
        assert_int_equal(p.n, 0);
}

static void test_bad(void **state) {
        static const char *const bad[] = { "a=%", "a=%4", "a=%zz", "a=%00", "%00=1", "a=1&b=%g0" };
        _cleanup_buffer_ Buffer many = BUFFER_INIT(4096);
        HttpQuery q = {};

        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                assert_int_equal(http_query_parse(bad[i], &q), -EINVAL);
        for (int i = 0; i < 65; i++)
                assert_int_equal(buffer_append_str(&many, "a=1&"), 0);
        assert_int_equal(http_query_parse(many.data, &q), -E2BIG);
        assert_null(q.text);
}

static void test_encode(void **state) {
        _cleanup_buffer_ Buffer b = BUFFER_INIT(4096);
        char text[64];

        assert_int_equal(http_percent_encode(&b, "a/b c+%\xc3\xa4~"), 0);
        assert_string_equal(b.data, "a%2Fb%20c%2B%25%C3%A4~");
        (void) snprintf(text, sizeof(text), "%s", b.data);
        assert_int_equal(http_percent_decode(text, true), 0);
        assert_string_equal(text, "a/b c+%\xc3\xa4~");
        (void) snprintf(text, sizeof(text), "a+b");
        assert_int_equal(http_percent_decode(text, false), 0);
        assert_string_equal(text, "a+b");
}

int main(void) {
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_query), cmocka_unit_test(test_empty),
                                            cmocka_unit_test(test_bad), cmocka_unit_test(test_encode) };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
