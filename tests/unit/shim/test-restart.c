/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../cmocka-prelude.h"

#include "shim/restart.h"

static void test_policies(void **state) {
        RestartFacts f = { .policy = RESTART_NO, .failure = true };
        uint64_t delay;

        assert_false(restart_is_due(&f, &delay));
        f.policy = RESTART_ON_FAILURE;
        assert_true(restart_is_due(&f, &delay));
        f.failure = false;
        assert_false(restart_is_due(&f, &delay));
        f.failure = true;
        f.max = 2;
        f.restarts = 2;
        assert_false(restart_is_due(&f, &delay));
        f.policy = RESTART_ALWAYS;
        f.failure = false;
        assert_true(restart_is_due(&f, &delay));
}

static void test_back_off(void **state) {
        RestartFacts f = { .policy = RESTART_ALWAYS };
        uint64_t delay;

        assert_true(restart_is_due(&f, &delay));
        assert_int_equal(delay, 100 * USEC_PER_MSEC);
        for (unsigned i = 0; i < 20; i++) {
                f.delay = delay;
                assert_true(restart_is_due(&f, &delay));
                assert_int_equal(delay, MIN(f.delay * 2, 60 * USEC_PER_SEC));
        }
        f.ran = 10 * USEC_PER_SEC;
        assert_true(restart_is_due(&f, &delay));
        assert_int_equal(delay, 100 * USEC_PER_MSEC);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_policies),
                cmocka_unit_test(test_back_off),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
