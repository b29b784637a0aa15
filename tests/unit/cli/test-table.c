/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../cmocka-prelude.h"
#include "basic/macro.h"
#include "cli/human.h"
#include "cli/reference.h"
#include "cli/table.h"

static void test_render(void **state) {
        static const char *const cells[] = { "ID", "IMAGE", "NAMES", "0123456789ab",     "x\ny",
                                             "a",  "1",     "häß…",  "bbbbbbbbbbbbbbbbb" };
        _cleanup_buffer_ Buffer b = BUFFER_INIT(1024);
        Table t = { .n_columns = 3 };

        for (size_t i = 0; i < ELEMENTSOF(cells); i++)
                assert_int_equal(table_add(&t, cells[i]), 0);
        assert_int_equal(table_render(&t, &b), 0);
        assert_string_equal(b.data, "ID             IMAGE     NAMES\n"
                                    "0123456789ab   x y       a\n"
                                    "1              häß…      bbbbbbbbbbbbbbbbb\n");
        table_done(&t);
}

static void check_cut(const char *s, size_t columns, const char *expected) {
        _cleanup_free_ char *cut = NULL;

        assert_int_equal(text_truncate(s, columns, &cut), 0);
        assert_string_equal(cut, expected);
}

static void test_truncate(void **state) {
        check_cut("sleep 1000", 20, "sleep 1000");
        check_cut("sleep 1000", 10, "sleep 1000");
        check_cut("sleep 10000", 10, "sleep 100…");
        check_cut("äöüäöü", 4, "äöü…");
        check_cut("", 4, "");
}

static void check_duration(int64_t seconds, const char *expected) {
        char text[HUMAN_MAX];

        human_duration(seconds, text);
        assert_string_equal(text, expected);
}

static void test_durations(void **state) {
        check_duration(0, "Less than a second");
        check_duration(1, "1 second");
        check_duration(59, "59 seconds");
        check_duration(60, "About a minute");
        check_duration(119, "About a minute");
        check_duration(120, "2 minutes");
        check_duration(3599, "59 minutes");
        check_duration(3600, "About an hour");
        check_duration(47 * 3600, "47 hours");
        check_duration(48 * 3600, "2 days");
        check_duration(14 * 86400, "2 weeks");
        check_duration(60 * 86400, "2 months");
        check_duration(730 * 86400, "2 years");
}

static void test_sizes(void **state) {
        char text[HUMAN_MAX];

        human_size(0, 3, text);
        assert_string_equal(text, "0B");
        human_size(4261550, 3, text);
        assert_string_equal(text, "4.26MB");
        human_size(999, 3, text);
        assert_string_equal(text, "999B");
        human_binary_size(2097152000, text);
        assert_string_equal(text, "1.953GiB");
}

static void check_reference(const char *s, const char *name, const char *tag) {
        _cleanup_reference_ Reference r = {};

        assert_int_equal(reference_parse(s, &r), 0);
        assert_string_equal(r.name, name);
        if (tag)
                assert_string_equal(r.tag, tag);
        else
                assert_null(r.tag);
}

static void test_references(void **state) {
        Reference r;

        check_reference("busybox", "docker.io/library/busybox", NULL);
        check_reference("a/b:1", "docker.io/a/b", "1");
        check_reference("localhost/x", "localhost/x", NULL);
        check_reference("host:5000/x/y:2", "host:5000/x/y", "2");
        check_reference("q.io/x:1@sha256:ab", "q.io/x", "sha256:ab");
        for (size_t i = 0; i < 5; i++)
                assert_int_equal(reference_parse((const char *[]){ "", "BAD", "x:", ":1", "x:a b" }[i], &r),
                                 -EINVAL);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_render),     cmocka_unit_test(test_truncate),
                cmocka_unit_test(test_durations),  cmocka_unit_test(test_sizes),
                cmocka_unit_test(test_references),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
