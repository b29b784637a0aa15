/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../cmocka-prelude.h"
#include "basic/str.h"
#include "shared/unit-name.h"

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void test_ids(void **state) {
        assert_true(container_id_is_valid(ID));
        assert_false(container_id_is_valid(""));
        assert_false(container_id_is_valid(ID "0"));
        assert_false(container_id_is_valid(
                        "0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef"));
        assert_false(container_id_is_valid(
                        "../3456789abcdef0123456789abcdef0123456789abcdef0123456789abcde"));
}

static void test_names(void **state) {
        static const char *const good[] = { "ab", "a1", "0_", "web-1.example_x" };
        static const char *const bad[] = { "",
                                           "a",
                                           "_a",
                                           "-a",
                                           ".a",
                                           "..",
                                           "a/b",
                                           "a b",
                                           "a\n",
                                           "\xc3\xa4-b",
                                           "a:b" };
        char longest[258];

        for (size_t i = 0; i < ELEMENTSOF(good); i++)
                assert_true(container_name_is_valid(good[i]));
        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                assert_false(container_name_is_valid(bad[i]));
        memset(longest, 'a', sizeof(longest));
        longest[255] = 0;
        assert_true(container_name_is_valid(longest));
        longest[255] = 'a';
        longest[256] = 0;
        assert_false(container_name_is_valid(longest));
}

static void test_units(void **state) {
        static const char *const others[] = { "",
                                              "berth.service",
                                              "berth@.service",
                                              "berth@" ID ".scope",
                                              "berth-" ID ".service",
                                              "berth-" ID,
                                              "berth@" ID "0.service",
                                              "xberth@" ID ".service",
                                              "berth@" ID ".service.d",
                                              "berth-project.slice" };
        char unit[UNIT_NAME_SIZE], id[CONTAINER_ID_LENGTH + 1];

        unit_name_shim(ID, unit);
        assert_string_equal(unit, "berth@" ID ".service");
        assert_true(unit_name_to_id(unit, id));
        assert_string_equal(id, ID);
        unit_name_scope(ID, unit);
        assert_string_equal(unit, "berth-" ID ".scope");
        assert_true(unit_name_to_id(unit, id));
        assert_string_equal(id, ID);
        for (size_t i = 0; i < ELEMENTSOF(others); i++)
                assert_false(unit_name_to_id(others[i], id));
}

int main(void) {
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_ids), cmocka_unit_test(test_names),
                                            cmocka_unit_test(test_units) };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
