/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../cmocka-prelude.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "basic/file.h"
#include "basic/str.h"
#include "runtime/error.h"
#include "runtime/state.h"

static char root[] = "/tmp/test-state-XXXXXX";

static int setup(void **state) {
        return mkdtemp(root) ? 0 : -1;
}

static int teardown(void **state) {
        return remove_tree_at(AT_FDCWD, root);
}

static void test_ids(void **state) {
        assert_true(container_id_is_valid("a"));
        assert_true(container_id_is_valid("a.b-c_d+E9"));
        assert_false(container_id_is_valid(""));
        assert_false(container_id_is_valid("."));
        assert_false(container_id_is_valid("..x"));
        assert_false(container_id_is_valid("a/b"));
        assert_false(container_id_is_valid("a b"));
        assert_false(container_id_is_valid("a\n"));
}

static void test_round_trip(void **state) {
        _cleanup_state_ State a = STATE_INIT, b = STATE_INIT;
        json_object *oci;

        assert_int_equal(state_make(root, "one", &a), 0);
        assert_int_equal(state_make(root, "one", &b), -EEXIST);
        a.bundle = strdup("/b \"quoted\"");
        a.cgroup = strdup("/c");
        a.pid = getpid();
        assert_int_equal(process_start_time(a.pid, &a.pid_start), 0);
        a.no_new_privs = true;
        assert_int_equal(state_save(&a), 0);
        assert_int_equal(state_load(root, "one", false, &b), 0);
        assert_string_equal(b.bundle, a.bundle);
        assert_int_equal(b.pid, a.pid);
        assert_true(b.pid_start == a.pid_start && b.no_new_privs);
        assert_int_equal(state_to_oci(&b, STATUS_RUNNING, &oci), 0);
        assert_string_equal(json_string_or(oci, "status", ""), "running");
        json_object_put(oci);
        /* Another start time is another process: that one is gone. */
        b.pid_start++;
        assert_int_equal(state_status(&b), STATUS_STOPPED);
        assert_int_equal(state_pidfd(&b), -ESRCH);
        assert_int_equal(state_remove(root, "one"), 0);
        assert_int_equal(state_remove(root, "one"), 0);
}

static void test_half_made(void **state) {
        _cleanup_state_ State a = STATE_INIT, b = STATE_INIT;
        _cleanup_strv_ char **ids = NULL;

        assert_int_equal(state_make(root, "half", &a), 0);
        assert_int_equal(state_load(root, "half", false, &b), 0);
        assert_int_equal(state_status(&b), STATUS_CREATING);
        assert_int_equal(state_list(root, &ids), 0);
        assert_int_equal(strv_length(ids), 1);
        state_done(&b);
        assert_int_equal(write_file_at(a.dir_fd, "status", "{\"pid\": \"x\", ", 13, 0600, 0), 0);
        assert_true(state_load(root, "half", false, &b) < 0);
        assert_int_equal(state_load(root, "other", false, &b), -ENOENT);
}

int main(void) {
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_ids), cmocka_unit_test(test_round_trip),
                                            cmocka_unit_test(test_half_made) };

        return cmocka_run_group_tests(tests, setup, teardown);
}
