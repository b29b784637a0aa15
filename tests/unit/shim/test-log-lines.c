/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../cmocka-prelude.h"

#include "shared/journal-fields.h"
#include "shim/log-lines.h"

static char big[3 * LOG_LINE_MAX];

static void test_whole_lines(void **state) {
        LogLine l;

        assert_true(log_line_next("one\ntwo", 7, false, 0, &l));
        assert_int_equal(l.size, 3);
        assert_int_equal(l.consumed, 4);
        assert_int_equal(l.partial, 0);
        assert_false(log_line_next("two", 3, false, 0, &l));
        assert_false(log_line_next("", 0, true, 0, &l));
        assert_true(log_line_next("\n", 1, false, 0, &l));
        assert_int_equal(l.size, 0);
        assert_true(log_line_next("tty\r\n", 5, false, 0, &l));
        assert_int_equal(l.size, 4);
        assert_true(log_line_next("a\0b\n", 4, false, 0, &l));
        assert_int_equal(l.size, 3);
}

static void test_open_end(void **state) {
        LogLine l;

        assert_true(log_line_next("tail", 4, true, 0, &l));
        assert_int_equal(l.partial, 1);
        assert_true(l.last && l.open);
        assert_int_equal(log_line_partial_after(&l), 0);
}

static void test_long_line(void **state) {
        LogLine l;

        memset(big, 'x', sizeof(big));
        assert_false(log_line_next(big, LOG_LINE_MAX, false, 0, &l));
        assert_true(log_line_next(big, LOG_LINE_MAX + 1, false, 0, &l));
        assert_int_equal(l.size, LOG_LINE_MAX);
        assert_int_equal(l.partial, 1);
        assert_false(l.last);
        assert_int_equal(log_line_partial_after(&l), 1);
        big[10] = '\n';
        assert_true(log_line_next(big, 20, false, 1, &l));
        assert_int_equal(l.partial, 2);
        assert_true(l.last && !l.open);
        assert_int_equal(l.consumed, 11);
        /* Exactly the maximum, then a newline: still whole. */
        big[10] = 'x';
        big[LOG_LINE_MAX] = '\n';
        assert_true(log_line_next(big, LOG_LINE_MAX + 1, false, 0, &l));
        assert_int_equal(l.partial, 0);
        assert_int_equal(l.size, LOG_LINE_MAX);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_whole_lines),
                cmocka_unit_test(test_open_end),
                cmocka_unit_test(test_long_line),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
