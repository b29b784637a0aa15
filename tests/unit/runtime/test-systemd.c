/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../cmocka-prelude.h"

#include <stdio.h>

#include "runtime/error.h"
#include "runtime/systemd/scope-request.h"
#include "runtime/systemd/systemd-name.h"

static void named(const char *path, bool user, const char *slice, const char *unit) {
        _cleanup_scope_name_ ScopeName n = {};

        if (scope_name_parse(path, "id", user, &n) < 0)
                fail_msg("%s: %s", path ? path : "no path", fail_message());
        assert_string_equal(n.slice, slice);
        assert_string_equal(n.unit, unit);
}

static void refused(const char *path, int error, const char *text) {
        ScopeName n = {};
        int r = scope_name_parse(path, "id", false, &n);

        if (r != error || !strstr(fail_message(), text))
                fail_msg("%s: %d \"%s\"", path, r, fail_message());
        assert_null(n.slice);
        assert_null(n.unit);
}

static void test_names(void **state) {
        named(NULL, false, "system.slice", "berth-runtime-id.scope");
        named("", true, "user.slice", "berth-runtime-id.scope");
        named("a-b.slice:docker:1234", false, "a-b.slice", "docker-1234.scope");
        named(":p:n", true, "user.slice", "p-n.scope");
        named("-:p:n", false, "-.slice", "p-n.scope");
        named("machine.slice::n", false, "machine.slice", "n.scope");
        named("machine.slice:ignored:whole.scope", false, "machine.slice", "whole.scope");
        named("machine.slice:whole.scope", false, "machine.slice", "whole.scope");
        named(":whole.scope", true, "user.slice", "whole.scope");
        refused("machine.slice:part", -EINVAL, "slice:prefix:name");
        refused("machine.slice:.scope", -EINVAL, "name of a scope");
}

static void placed(const char *slice, const char *expected) {
        _cleanup_free_ char *path = NULL;

        assert_int_equal(scope_name_cgroup(slice, "x.scope", &path), 0);
        assert_string_equal(path, expected);
}

static void test_cgroups_of_names(void **state) {
        placed("-.slice", "/x.scope");
        placed("a.slice", "/a.slice/x.scope");
        placed("a-bc-d.slice", "/a.slice/a-bc.slice/a-bc-d.slice/x.scope");
}

static void test_ids_become_names(void **state) {
        static const char *const ids[][2] = { { "a", "a" }, { "a+b", "a\\x2bb" }, { "++", "\\x2b\\x2b" },
                                              { "a-b_c.d", "a-b_c.d" } };

        for (size_t i = 0; i < ELEMENTSOF(ids); i++) {
                _cleanup_scope_name_ ScopeName n = {};
                char expected[64];

                (void) snprintf(expected, sizeof(expected), "berth-runtime-%s.scope", ids[i][1]);
                assert_int_equal(scope_name_parse(NULL, ids[i][0], false, &n), 0);
                assert_string_equal(n.unit, expected);
        }
}

static void test_bad_names(void **state) {
        refused("/a/b", -EINVAL, "slice:prefix:name");
        refused("a.slice:b", -EINVAL, "slice:prefix:name");
        refused("a.slice:b:c:d", -EINVAL, "slice:prefix:name");
        refused("a.slice/b.slice:p:n", -EINVAL, "not the name of a slice");
        refused("a:p:n", -EINVAL, "not the name of a slice");
        refused("-a.slice:p:n", -EINVAL, "not the name of a slice");
        refused("a--b.slice:p:n", -EINVAL, "not the name of a slice");
        refused("a-.slice:p:n", -EINVAL, "not the name of a slice");
        refused(".slice:p:n", -EINVAL, "not the name of a slice");
        refused("a.slice:p:", -EINVAL, "not the name of a scope");
        refused("a.slice:p:../x", -EINVAL, "not the name of a scope");
        refused("a.slice:p:x y", -EINVAL, "not the name of a scope");
        refused("a.slice:p:n.slice", -EOPNOTSUPP, "not supported");
}

static void test_request_goes_there_and_back(void **state) {
        _cleanup_buffer_ Buffer b = SCOPE_REQUEST_INIT;
        _cleanup_scope_property_ ScopeProperty p = {}, q = {};
        _cleanup_fields_ Fields f = {};

        assert_int_equal(scope_request_begin(&b, SCOPE_VERB_START, "a.scope"), 0);
        assert_int_equal(scope_request_put(&b, "Description", "s", "two  words\nand a \\ line"), 0);
        assert_int_equal(scope_request_putf(&b, "DeviceAllow", "a(ss)", "%s\n%s", "char-* m", "/dev/x rw"),
                         0);
        assert_int_equal(fields_parse(b.data, b.size, '\n', &f), 0);
        assert_string_equal(fields_get(&f, "verb"), "start");
        assert_string_equal(fields_get(&f, "unit"), "a.scope");
        assert_int_equal(scope_property_parse(fields_get_nth(&f, "property", 0), &p), 0);
        assert_string_equal(p.name, "Description");
        assert_string_equal(p.type, "s");
        assert_string_equal(p.value, "two  words\nand a \\ line");
        assert_int_equal(scope_property_parse(fields_get_nth(&f, "property", 1), &q), 0);
        assert_string_equal(q.type, "a(ss)");
        assert_string_equal(q.value, "char-* m\n/dev/x rw");
}

static void test_malformed_properties(void **state) {
        static const char *const bad[] = { "",         "Name",         "Name s",     "name s x",
                                           "Name z x", "Name ss x",    "N;ame s x",  " s x",
                                           "Name  x",  "Name a(sv) x", "Name aas x", "Name a(ss x" };

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                ScopeProperty p = {};

                if (scope_property_parse(bad[i], &p) != -EBADMSG || p.name)
                        fail_msg("\"%s\" is taken", bad[i]);
        }
}

static void test_requests_are_bounded(void **state) {
        _cleanup_buffer_ Buffer b = SCOPE_REQUEST_INIT;
        char *large = malloc(FIELDS_TEXT_MAX + 1);

        memset(large, 'x', FIELDS_TEXT_MAX);
        large[FIELDS_TEXT_MAX] = 0;
        assert_int_equal(scope_request_put(&b, "Description", "s", large), -E2BIG);
        assert_int_equal(b.size, 0);
        free(large);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_names), cmocka_unit_test(test_cgroups_of_names),
                cmocka_unit_test(test_ids_become_names),
                cmocka_unit_test(test_bad_names),
                cmocka_unit_test(test_request_goes_there_and_back),
                cmocka_unit_test(test_malformed_properties),
                cmocka_unit_test(test_requests_are_bounded),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
