/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../cmocka-prelude.h"

#include <errno.h>

#include "runtime/cgroup/duration.h"

static void test_good(void **state) {
        static const struct {
                const char *text;
                usec_t value;
        } cases[] = { { "5s", 5000000 },     { "100ms", 100000 },
                      { "1m30s", 90000000 }, { "1.5h", UINT64_C(5400000000) },
                      { "0.25s", 250000 },   { ".5s", 500000 },
                      { "7us", 7 },          { "9000ns", 9 },
                      { "0s", 0 },           { "168h", UINT64_C(604800000000) } };
        usec_t v;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                assert_int_equal(duration_parse(cases[i].text, &v), 0);
                if (v != cases[i].value)
                        fail_msg("%s: %llu", cases[i].text, (unsigned long long) v);
        }
}

static void test_bad(void **state) {
        static const char *const cases[] = {
                "", "5", "s", "-5s", "5 s", "5x", ".s", "1s5", "169h", "9e9h", "99999999999999999999h"
        };
        usec_t v;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                if (duration_parse(cases[i], &v) >= 0)
                        fail_msg("\"%s\" is taken", cases[i]);
}

int main(void) {
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_good), cmocka_unit_test(test_bad) };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
