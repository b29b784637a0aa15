/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../cmocka-prelude.h"

#include "runtime/kernel-call.h"
#include "runtime/mounts/mount-label.h"
#include "runtime/spec/mount-options.h"

static SpecMount apply(const char *const *options, int expected) {
        SpecMount m = { .destination = "/d", .type = "tmpfs" };
        int r = 0;

        for (; *options && r >= 0; options++)
                r = mount_option_apply(&m, *options);
        assert_int_equal(r, expected);
        return m;
}
#define APPLY(...) apply((const char *const[]) { __VA_ARGS__, NULL }, 0)

static void test_flags(void **state) {
        SpecMount m = APPLY("ro", "nosuid", "nodev", "noexec", "size=1m", "mode=755");

        assert_int_equal(m.attr_set,
                         MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
        assert_int_equal(m.attr_clear, 0);
        assert_string_equal(m.data, "size=1m,mode=755");
        free(m.data);
}

static void test_last_one_wins(void **state) {
        SpecMount m = APPLY("ro", "rw", "suid", "nosuid");

        assert_int_equal(m.attr_set, MOUNT_ATTR_NOSUID);
        assert_int_equal(m.attr_clear, MOUNT_ATTR_RDONLY);
        assert_null(m.data);
        /* The access time is one field of several bits, and must be cleared as a whole. */
        m = APPLY("noatime", "strictatime");
        assert_int_equal(m.attr_set, MOUNT_ATTR_STRICTATIME);
        assert_int_equal(m.attr_clear, MOUNT_ATTR__ATIME);
}

static void test_recursive(void **state) {
        SpecMount m = APPLY("rbind", "rro", "rnosuid", "rslave");

        assert_true(m.bind && m.recursive && m.propagation_recursive);
        assert_int_equal(m.attr_set, 0);
        assert_int_equal(m.rec_attr_set, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID);
        assert_int_equal(m.propagation, MS_SLAVE);
        /* "rw" is an option of its own and not a recursive "w". */
        m = APPLY("rw");
        assert_int_equal(m.rec_attr_set | m.rec_attr_clear, 0);
}

static void test_file_system_flags(void **state) {
        SpecMount m = APPLY("sync", "lazytime", "acl", "silent", "loud", "defaults");

        assert_int_equal(m.sb_flags, MS_SYNCHRONOUS | MS_LAZYTIME | MS_POSIXACL);
        assert_null(m.data);
        m = APPLY("sync", "async");
        assert_int_equal(m.sb_flags, 0);
}

static void test_label(void **state) {
        char *data = mount_data_with_label("mode=755", "u:o:t:s0:c1,c2", "context");

        assert_string_equal(data, "mode=755,context=\"u:o:t:s0:c1,c2\"");
        free(data);
        data = mount_data_with_label(NULL, "l", "rootcontext");
        assert_string_equal(data, "rootcontext=\"l\"");
        free(data);
        data = mount_data_with_label(NULL, NULL, "context");
        assert_string_equal(data, "");
        free(data);
}

static void check_split(const char *data, const char *const *expected) {
        char **l = NULL;
        size_t n = 0;

        assert_int_equal(mount_data_split(data, &l), 0);
        for (; expected[n]; n++)
                assert_string_equal(l[n], expected[n]);
        assert_true(!l || !l[n]);
        for (size_t i = 0; i < n; i++)
                free(l[i]);
        free(l);
}
#define SPLIT(data, ...) check_split(data, (const char *const[]) { __VA_ARGS__, NULL })

static void test_split(void **state) {
        SPLIT("size=1m,,ro", "size=1m", "ro");
        SPLIT("context=\"a:b:c:s0:c1,c2\"", "context=a:b:c:s0:c1,c2");
        SPLIT("x,context=\"a,b\",y=z", "x", "context=a,b", "y=z");
        SPLIT("a=\"\",b", "a=", "b");
        /* What is no quoted value stays as it is, for the kernel to refuse. */
        SPLIT("a=\"", "a=\"");
        SPLIT("a=\"b,c", "a=\"b,c");
        SPLIT("\"a,b\",c", "\"a,b\"", "c");
        SPLIT("a=b\"c,d\"", "a=b\"c,d\"");
}

static void test_id_maps(void **state) {
        SpecMount m = APPLY("idmap=uids=0-1-10#@10-11-10;gids=0-100-10");

        assert_true(m.idmap && !m.idmap_recursive && m.n_uid_maps == 2 && m.n_gid_maps == 1);
        assert_int_equal(m.uid_maps[1].inside, 10);
        assert_int_equal(m.gid_maps[0].outside, 100);
        assert_true(m.uid_maps[1].relative && !m.uid_maps[0].relative);
        free(m.uid_maps);
        free(m.gid_maps);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_flags),
                cmocka_unit_test(test_last_one_wins),
                cmocka_unit_test(test_recursive),
                cmocka_unit_test(test_file_system_flags),
                cmocka_unit_test(test_label),
                cmocka_unit_test(test_split),
                cmocka_unit_test(test_id_maps),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
