/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../cmocka-prelude.h"
#include "basic/macro.h"
#include "cli/flags.h"

typedef struct Options {
        bool all;
        bool tty;
        const char *name;
        StringList env;
        int64_t number;
        int64_t bytes;
        int64_t cpus;
} Options;

static const Flag flags[] = {
        { "all", 'a', FLAG_BOOL, offsetof(Options, all), NULL, "" },
        { "tty", 't', FLAG_BOOL, offsetof(Options, tty), NULL, "" },
        { "name", 0, FLAG_STRING, offsetof(Options, name), NULL, "" },
        { "env", 'e', FLAG_LIST, offsetof(Options, env), NULL, "" },
        { "number", 'n', FLAG_INT, offsetof(Options, number), NULL, "" },
        { "memory", 'm', FLAG_BYTES, offsetof(Options, bytes), NULL, "" },
        { "cpus", 0, FLAG_DECIMAL, offsetof(Options, cpus), NULL, "" },
        {},
};

#define PARSE(interspersed, ...) \
        flags_parse(flags, interspersed, (char *[]){ __VA_ARGS__ __VA_OPT__(, ) NULL }, &o, &args, &error)

static void test_forms(void **state) {
        _cleanup_free_ char **args = NULL, *error = NULL;
        Options o = { .all = true };

        assert_int_equal(PARSE(true, "--all=false", "-t", "--name", "x", "-eA=1", "-e", "B=2", "-e=C=3",
                               "--env=D", "img", "-n5"),
                         0);
        assert_false(o.all);
        assert_true(o.tty);
        assert_string_equal(o.name, "x");
        assert_int_equal(o.env.n, 4);
        assert_string_equal(o.env.items[0], "A=1");
        assert_string_equal(o.env.items[1], "B=2");
        assert_string_equal(o.env.items[2], "C=3");
        assert_string_equal(o.env.items[3], "D");
        assert_int_equal(o.number, 5);
        assert_string_equal(args[0], "img");
        assert_null(args[1]);
        flags_done(flags, &o);
}

static void test_combined_shorts(void **state) {
        _cleanup_free_ char **args = NULL, *error = NULL;
        Options o = {};

        assert_int_equal(PARSE(true, "-atn", "-7"), 0);
        assert_true(o.all && o.tty);
        assert_int_equal(o.number, -7);
}

static void test_stop_at_argument(void **state) {
        _cleanup_free_ char **args = NULL, *error = NULL;
        Options o = {};

        assert_int_equal(PARSE(false, "-t", "img", "-a", "--bogus", "--help"), 0);
        assert_true(o.tty && !o.all);
        assert_string_equal(args[0], "img");
        assert_string_equal(args[1], "-a");
        assert_string_equal(args[3], "--help");
        assert_null(args[4]);
}

static void test_double_dash(void **state) {
        _cleanup_free_ char **args = NULL, *error = NULL;
        Options o = {};

        assert_int_equal(PARSE(true, "a", "--", "-t", "-"), 0);
        assert_false(o.tty);
        assert_string_equal(args[1], "-t");
        assert_string_equal(args[2], "-");
}

static void test_double_dash_before(void **state) {
        _cleanup_free_ char **args = NULL, *error = NULL;
        Options o = {};

        assert_int_equal(PARSE(false, "--", "-t", "--", "x"), 0);
        assert_string_equal(args[0], "-t");
        assert_string_equal(args[1], "--");
}

static void test_help(void **state) {
        _cleanup_free_ char **args = NULL, *error = NULL;
        Options o = {};

        assert_int_equal(PARSE(true, "-t", "--help", "--bogus"), 1);
        assert_int_equal(PARSE(true, "-h"), 1);
}

static void check_error(char **argv, const char *text) {
        _cleanup_free_ char **args = NULL, *error = NULL;
        Options o = {};

        assert_int_equal(flags_parse(flags, true, argv, &o, &args, &error), -EINVAL);
        assert_string_equal(error, text);
        assert_null(args);
        flags_done(flags, &o);
}

#define ARGV(...) ((char *[]){ __VA_ARGS__, NULL })

static void test_errors(void **state) {
        check_error(ARGV("--bogus=1"), "unknown flag: --bogus");
        check_error(ARGV("--nam", "x"), "unknown flag: --nam");
        check_error(ARGV("-tx"), "unknown shorthand flag: 'x' in -tx");
        check_error(ARGV("--name"), "flag needs an argument: --name");
        check_error(ARGV("-tn"), "flag needs an argument: 'n' in -tn");
        check_error(ARGV("-n", "x"), "invalid argument \"x\" for \"-n, --number\" flag: invalid syntax");
        check_error(ARGV("-n", "99999999999999999999"),
                    "invalid argument \"99999999999999999999\" for \"-n, --number\" flag: value out of range");
        check_error(ARGV("--all=maybe"),
                    "invalid argument \"maybe\" for \"-a, --all\" flag: invalid syntax");
        check_error(ARGV("-m", "1x"), "invalid argument \"1x\" for \"-m, --memory\" flag: invalid size");
        check_error(ARGV("-e", "A=1", "--cpus", "a"),
                    "invalid argument \"a\" for \"--cpus\" flag: not a number of CPUs");
}

static void check_size(const char *s, int64_t expected) {
        int64_t v = -1;

        assert_int_equal(size_parse(s, &v), 0);
        assert_int_equal(v, expected);
}

static void test_sizes(void **state) {
        int64_t v;

        check_size("0", 0);
        check_size("100", 100);
        check_size("64m", 64 << 20);
        check_size("1.5G", 1610612736);
        check_size("512kB", 512 << 10);
        check_size("2KiB", 2048);
        check_size("3 mb", 3 << 20);
        check_size("7b", 7);
        for (size_t i = 0; i < 8; i++)
                assert_int_equal(size_parse((const char *[]){ "", "m", "-1", "1x", "1mm", "0x10", "inf",
                                                              " 1" }[i],
                                            &v),
                                 -EINVAL);
        assert_int_equal(size_parse("99999999p", &v), -ERANGE);
}

static void test_decimals(void **state) {
        int64_t v;

        assert_int_equal(decimal_parse("1.5", &v), 0);
        assert_int_equal(v, 1500000000);
        assert_int_equal(decimal_parse(".000000001", &v), 0);
        assert_int_equal(v, 1);
        assert_int_equal(decimal_parse("2", &v), 0);
        assert_int_equal(v, 2000000000);
        assert_int_equal(decimal_parse("0.0000000001", &v), -EINVAL);
        assert_int_equal(decimal_parse(".", &v), -EINVAL);
        assert_int_equal(decimal_parse("-1", &v), -EINVAL);
        assert_int_equal(decimal_parse("1e3", &v), -EINVAL);
        assert_int_equal(decimal_parse("99999999999999", &v), -ERANGE);
}

static void test_durations(void **state) {
        int64_t v;

        assert_int_equal(duration_parse("1m30s", &v), 0);
        assert_int_equal(v, 90000000000);
        assert_int_equal(duration_parse("1.5h", &v), 0);
        assert_int_equal(v, 5400000000000);
        assert_int_equal(duration_parse("500ms", &v), 0);
        assert_int_equal(v, 500000000);
        assert_int_equal(duration_parse("0", &v), 0);
        assert_int_equal(duration_parse("10", &v), -EINVAL);
        assert_int_equal(duration_parse("s", &v), -EINVAL);
        assert_int_equal(duration_parse("", &v), -EINVAL);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_forms),           cmocka_unit_test(test_combined_shorts),
                cmocka_unit_test(test_stop_at_argument), cmocka_unit_test(test_double_dash),
                cmocka_unit_test(test_double_dash_before), cmocka_unit_test(test_help),
                cmocka_unit_test(test_errors),          cmocka_unit_test(test_sizes),
                cmocka_unit_test(test_decimals),        cmocka_unit_test(test_durations),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
