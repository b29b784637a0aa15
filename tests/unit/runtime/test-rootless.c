/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../cmocka-prelude.h"

#include <stdlib.h>
#include <unistd.h>

#include "basic/str.h"
#include "runtime/error.h"
#include "runtime/namespaces/idmap.h"
#include "runtime/namespaces/rootless.h"

static void parse(const char *process, const char *mounts, const char *linux_rest, Spec *ret) {
        _cleanup_free_ char *text = str_printf(
                        "{\"ociVersion\": \"1.2.0\", \"root\": {\"path\": \"r\"}, \"mounts\": [%s],"
                        " \"process\": {\"args\": [\"true\"], \"cwd\": \"/\", \"user\": {%s}},"
                        " \"linux\": {\"namespaces\": [{\"type\": \"mount\"}, {\"type\": \"user\"}],"
                        " \"uidMappings\": [{\"containerID\": 0, \"hostID\": 1000, \"size\": 10}],"
                        " \"gidMappings\": [{\"containerID\": 5, \"hostID\": 1000, \"size\": 10}] %s}}",
                        mounts, process, linux_rest);

        assert_non_null(text);
        assert_int_equal(spec_parse(text, strlen(text), ret), 0);
}

static void test_modes(void **state) {
        assert_int_equal(rootless_mode_from_string("auto"), ROOTLESS_AUTO);
        assert_int_equal(rootless_mode_from_string("true"), ROOTLESS_TRUE);
        assert_int_equal(rootless_mode_from_string("false"), ROOTLESS_FALSE);
        assert_int_equal(rootless_mode_from_string(""), _ROOTLESS_INVALID);
        assert_int_equal(rootless_mode_from_string("1"), _ROOTLESS_INVALID);
        assert_true(rootless_applies(ROOTLESS_TRUE));
        assert_false(rootless_applies(ROOTLESS_FALSE));
}

static void test_contains(void **state) {
        static const SpecIdMap maps[] = { { 0, 1000, 1 }, { 10, 5000, 5 }, { UINT32_MAX - 2, 7000, 2 } };

        assert_true(idmap_contains(maps, 3, 0));
        assert_false(idmap_contains(maps, 3, 1));
        assert_false(idmap_contains(maps, 3, 9));
        assert_true(idmap_contains(maps, 3, 10));
        assert_true(idmap_contains(maps, 3, 14));
        assert_false(idmap_contains(maps, 3, 15));
        assert_true(idmap_contains(maps, 3, UINT32_MAX - 1));
        assert_false(idmap_contains(maps, 3, UINT32_MAX));
        assert_false(idmap_contains(maps, 0, 0));
}

static void check_fails(const char *process, const char *mounts, const char *text) {
        _cleanup_spec_ Spec s = {};

        parse(process, mounts, "", &s);
        assert_int_equal(rootless_check(&s), -EINVAL);
        assert_non_null(strstr(fail_message(), text));
}

static void test_ids(void **state) {
        _cleanup_spec_ Spec s = {};

        check_fails("\"uid\": 10, \"gid\": 5", "", "process.user.uid: 10");
        check_fails("\"uid\": 9, \"gid\": 4", "", "process.user.gid: 4");
        check_fails("\"uid\": 9, \"gid\": 5, \"additionalGids\": [6, 15]", "", "additionalGids: 15");
#define MOUNT(o) "{\"destination\": \"/t\", \"type\": \"tmpfs\", \"source\": \"t\", \"options\": [" o "]}"
        check_fails("\"uid\": 9, \"gid\": 5", MOUNT("\"mode=755\", \"uid=10\""), "option uid=10");
        check_fails("\"uid\": 9, \"gid\": 5", MOUNT("\"gid=4\""), "option gid=4");
        parse("\"uid\": 9, \"gid\": 5", MOUNT("\"uid=9\", \"gid=14\", \"size=10\""), "", &s);
        assert_int_equal(rootless_check(&s), 0);
}

static int refusal(const char *linux_rest, int error) {
        _cleanup_spec_ Spec s = {};

        parse("\"uid\": 0, \"gid\": 5", "", linux_rest, &s);
        return rootless_cgroup_refusal(&s, "/x", fail_text(error, "mkdir"));
}

static void test_cgroup(void **state) {
        static const char *const limits[] = {
                "memory\": {\"limit\": 1000000}", "memory\": {\"reservation\": 1000000}",
                "cpu\": {\"shares\": 100}",       "cpu\": {\"quota\": 10000}",
                "cpu\": {\"cpus\": \"0\"}",       "pids\": {\"limit\": 5}",
                "blockIO\": {\"weight\": 100}",   "unified\": {\"memory.high\": \"1000\"}",
        };

        for (size_t i = 0; i < ELEMENTSOF(limits); i++) {
                _cleanup_free_ char *text = str_concat(", \"resources\": {\"", limits[i], "}"),
                                    *name = str_printf("linux.resources.%.*s,",
                                                       (int) strcspn(limits[i], "\""), limits[i]);

                assert_int_equal(refusal(text, EACCES), -EACCES);
                assert_non_null(strstr(fail_message(), name));
        }
        assert_int_equal(refusal("", EACCES), 0);
        assert_int_equal(refusal("", EPERM), 0);
        assert_int_equal(refusal("", EROFS), 0);
        assert_int_equal(refusal("", ENOSPC), -ENOSPC);
        assert_int_equal(refusal(", \"resources\": {\"memory\": {\"limit\": -1}, \"pids\": {\"limit\": -1},"
                                 " \"devices\": [{\"allow\": false}]}",
                                 EACCES),
                         0);
        assert_int_equal(refusal(", \"cgroupsPath\": \"/x\"", EACCES), -EACCES);
        assert_non_null(strstr(fail_message(), "linux.cgroupsPath"));
        assert_int_equal(refusal(", \"resources\": {\"pids\": {\"limit\": \"x\"}}", EACCES), -EINVAL);
}

static void test_default_root(void **state) {
        _cleanup_free_ char *path = NULL;
        char dir[] = "/tmp/test-rootless-XXXXXX";
        bool ordinary = geteuid() != 0;

        assert_non_null(mkdtemp(dir));
        assert_int_equal(setenv("XDG_RUNTIME_DIR", dir, 1), 0);
        assert_int_equal(setenv("USER", "root", 1), 0);
        assert_int_equal(rootless_default_root(&path), 0);
        if (ordinary) {
                assert_non_null(startswith(path, dir));
                assert_int_equal(rmdir(path), 0);
        } else
                assert_string_equal(path, "/run/berth/runtime");
        assert_int_equal(rmdir(dir), 0);
        assert_int_equal(setenv("XDG_RUNTIME_DIR", "relative", 1), 0);
        if (ordinary)
                assert_int_equal(rootless_default_root(&path), -EINVAL);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_modes), cmocka_unit_test(test_contains),
                cmocka_unit_test(test_ids), cmocka_unit_test(test_cgroup),
                cmocka_unit_test(test_default_root),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
