/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../cmocka-prelude.h"

#include <limits.h>

#include "basic/str.h"
#include "engine/worker/member-name.h"

static void test_good(void **state) {
        static const char *const cases[][2] = {
                { "a", "a" },         { "./a/b/", "a/b" }, { "a//b", "a/b" },
                { "", "" },           { ".", "" },         { "./", "" },
                { "a/./b", "a/b" },   { "...", "..." },    { "..a/b..", "..a/b.." },
                { ".wh.x", ".wh.x" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_free_ char *clean = NULL;
                NameFault fault = NAME_OK;

                assert_int_equal(member_name_clean(cases[i][0], &clean, &fault), 0);
                assert_string_equal(clean, cases[i][1]);
        }
}

static void expect(const char *name, NameFault wanted) {
        NameFault fault = NAME_OK;
        char *clean = NULL;

        assert_int_equal(member_name_clean(name, &clean, &fault), -EINVAL);
        assert_int_equal(fault, wanted);
        assert_null(clean);
}

static void test_bad(void **state) {
        char big[PATH_MAX + 16];

        expect("/etc/passwd", NAME_ABSOLUTE);
        expect("//x", NAME_ABSOLUTE);
        expect("..", NAME_DOTDOT);
        expect("../x", NAME_DOTDOT);
        expect("a/../../x", NAME_DOTDOT);
        expect("a/..", NAME_DOTDOT);
        memset(big, 'a', NAME_MAX + 1);
        big[NAME_MAX + 1] = 0;
        expect(big, NAME_TOO_LONG);
        memset(big, 'a', sizeof(big) - 1);
        big[sizeof(big) - 1] = 0;
        expect(big, NAME_TOO_LONG);
        for (size_t i = 0; i < 2 * 257; i += 2)
                memcpy(big + i, "a/", 3);
        expect(big, NAME_TOO_DEEP);
}

int main(void) {
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_good), cmocka_unit_test(test_bad) };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
