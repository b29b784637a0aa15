/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../cmocka-prelude.h"
#include "basic/json.h"
#include "basic/str.h"

static int parse(const char *text) {
        _cleanup_json_ json_object *o = NULL;

        return json_parse(text, strlen(text), &o);
}

static void test_parse(void **state) {
        static const char *const bad[] = { "{",     "}",    "{\"a\"}", "{\"a\":1,}",  "[1",
                                           "\"abc", "nul",  "{}x",     "{} {}",       "'a'",
                                           "{a:1}", "[1,]", "NaN",     "[-Infinity]", "{\"a\":NaN}" };
        static const char *const good[] = {
                "{}", " {} ", "[]", "12", "\"x\"", "true", "{\"a\":{\"b\":[1,2,{}]}}", "-1.5e3\n", "\"NaN\""
        };

        assert_int_equal(parse(""), -ENODATA);
        assert_int_equal(parse(" \n\t"), -ENODATA);
        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                assert_int_equal(parse(bad[i]), -EBADMSG);
        for (size_t i = 0; i < ELEMENTSOF(good); i++)
                assert_int_equal(parse(good[i]), 0);
}

static void test_hostile(void **state) {
        _cleanup_json_ json_object *o = NULL;
        static char deep[200001];

        memset(deep, '[', 100000);
        memset(deep + 100000, ']', 100000);
        assert_int_equal(parse(deep), -EBADMSG);
        assert_int_equal(json_parse("{}\0{}", 5, &o), -EBADMSG);
}

static void test_getters(void **state) {
        static const char text[] =
                        "{\"s\":\"x\",\"n\":5,\"b\":true,\"a\":[\"p\",\"q\"],"
                "\"o\":{},\"z\":null,\"nul\":\"a\\u0000b\",\"m\":[1]}";
        _cleanup_json_ json_object *o = NULL;
        _cleanup_strv_ char **l = NULL;
        const char *s = "kept";
        json_object *v;
        int64_t n = 0;
        bool b = false;

        assert_int_equal(json_parse(text, strlen(text), &o), 0);
        assert_int_equal(json_get_string(o, "s", &s), 1);
        assert_string_equal(s, "x");
        assert_int_equal(json_get_string(o, "absent", &s), 0);
        assert_string_equal(s, "x");
        assert_int_equal(json_get_string(o, "z", &s), 0);
        assert_int_equal(json_get_string(o, "n", &s), -EINVAL);
        assert_int_equal(json_get_string(o, "nul", &s), -EINVAL);
        assert_int_equal(json_get_int(o, "n", 0, 10, &n), 1);
        assert_int_equal(n, 5);
        assert_int_equal(json_get_int(o, "n", 6, 10, &n), -ERANGE);
        assert_int_equal(json_get_int(o, "s", 0, 10, &n), -EINVAL);
        assert_int_equal(json_get_bool(o, "b", &b), 1);
        assert_true(b);
        assert_int_equal(json_get_object(o, "o", &v), 1);
        assert_int_equal(json_get_object(o, "a", &v), -EINVAL);
        assert_int_equal(json_get_array(o, "a", &v), 1);
        assert_int_equal(json_get_strv(o, "a", &l), 1);
        assert_int_equal(strv_length(l), 2);
        assert_int_equal(json_get_strv(o, "m", &l), -EINVAL);
        assert_string_equal(json_string_or(o, "n", "fallback"), "fallback");
        assert_null(json_get(NULL, "x"));
}

static void test_setters(void **state) {
        _cleanup_json_ json_object *o = json_object_new_object();
        char *list[] = { (char *) "a/b", (char *) "c", NULL };

        assert_int_equal(json_set_str(o, "s", "x"), 0);
        assert_int_equal(json_set_str(o, "n", NULL), 0);
        assert_int_equal(json_set_int(o, "i", -3), 0);
        assert_int_equal(json_set_bool(o, "b", true), 0);
        assert_int_equal(json_set(o, "l", json_new_strv(list)), 0);
        assert_int_equal(json_set(o, "e", json_new_strv(NULL)), 0);
        assert_int_equal(json_set(o, "x", NULL), -ENOMEM);
        assert_string_equal(json_text(o),
                            "{\"s\":\"x\",\"n\":null,\"i\":-3,\"b\":true,\"l\":[\"a/b\",\"c\"],\"e\":[]}");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_parse),
                cmocka_unit_test(test_hostile),
                cmocka_unit_test(test_getters),
                cmocka_unit_test(test_setters),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
