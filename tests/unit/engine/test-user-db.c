/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../cmocka-prelude.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../../src/basic/fd.h"
#include "../../../src/basic/file.h"
#include "../../../src/basic/str.h"
#include "../../../src/shared/user-db.h"

static char directory[] = "/tmp/berth-user-db.XXXXXX";
static int root_fd = -EBADF;

static const char passwd[] =
                "root:x:0:0:root:/root:/bin/sh\n# comment\nbad line\nweb:x:33:33::/srv/www:/bin/false\n"
                "1000:x:7:8::/odd:/bin/sh\nnohome:x:50:50:::\n";
static const char group[] =
                "root:x:0:\nweb:x:33:\naudio:x:29:web,other\nvideo:x:44:other,web\nwebby:x:45:webx\n";

static int set_up(void **state) {
        if (!mkdtemp(directory))
                return -1;
        root_fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
        /* /etc is an absolute symlink: it must lead into the same root. */
        if (mkdirat(root_fd, "real", 0755) < 0 || symlinkat("/real", root_fd, "etc") < 0)
                return -1;
        return write_file_at(root_fd, "real/passwd", passwd, strlen(passwd), 0644, 0) +
               write_file_at(root_fd, "real/group", group, strlen(group), 0644, 0);
}

static int tear_down(void **state) {
        (void) safe_close(root_fd);
        return remove_tree_at(AT_FDCWD, directory);
}

static void check(const char *spec, uint32_t uid, uint32_t gid, const char *home, size_t n_groups) {
        _cleanup_user_identity_ UserIdentity u = {};
        _cleanup_free_ char *text = NULL;

        assert_int_equal(user_identity_resolve(root_fd, spec, NULL, &u, &text), 0);
        assert_int_equal(u.uid, uid);
        assert_int_equal(u.gid, gid);
        assert_string_equal(u.home, home);
        assert_int_equal(u.n_groups, n_groups);
}

static void test_resolve(void **state) {
        check("", 0, 0, "/root", 0);
        check(NULL, 0, 0, "/root", 0);
        check("root", 0, 0, "/root", 0);
        check("web", 33, 33, "/srv/www", 2);
        check("33", 33, 33, "/srv/www", 2);
        check("web:audio", 33, 29, "/srv/www", 0);
        check("web:0", 33, 0, "/srv/www", 0);
        check("4711", 4711, 0, "/", 0);
        check("4711:4712", 4711, 4712, "/", 0);
        check("nohome", 50, 50, "/", 0);
        /* A name made of digits is found as a name. */
        check("1000", 7, 8, "/odd", 0);
}

static void check_bad(const char *spec, const char *wanted) {
        _cleanup_user_identity_ UserIdentity u = {};
        _cleanup_free_ char *text = NULL;

        assert_int_equal(user_identity_resolve(root_fd, spec, NULL, &u, &text), -ENOENT);
        assert_string_equal(text, wanted);
}

static void test_missing(void **state) {
        check_bad("nobody", "unable to find user nobody: no matching entries in passwd file");
        check_bad("web:nogroup", "unable to find group nogroup: no matching entries in group file");
        check_bad("-1", "unable to find user -1: no matching entries in passwd file");
        check_bad("4294967296", "unable to find user 4294967296: no matching entries in passwd file");
        check_bad("0x0", "unable to find user 0x0: no matching entries in passwd file");
}

static void test_extra_groups(void **state) {
        char *extra[] = { (char *) "video", (char *) "5000", NULL }, *bad[] = { (char *) "nope", NULL };
        _cleanup_user_identity_ UserIdentity u = {};
        _cleanup_free_ char *text = NULL, *text2 = NULL;

        assert_int_equal(user_identity_resolve(root_fd, "root", extra, &u, &text), 0);
        assert_int_equal(u.n_groups, 2);
        assert_int_equal(u.groups[0], 44);
        assert_int_equal(u.groups[1], 5000);
        assert_int_equal(user_identity_resolve(root_fd, "root", bad, &u, &text2), -ENOENT);
}

static void test_no_files(void **state) {
        _cleanup_close_ int fd = openat(root_fd, "real", O_PATH | O_DIRECTORY | O_CLOEXEC);
        _cleanup_user_identity_ UserIdentity u = {};
        _cleanup_free_ char *text = NULL;

        assert_int_equal(user_identity_resolve(fd, "12:34", NULL, &u, &text), 0);
        assert_int_equal(u.uid, 12);
        assert_int_equal(u.gid, 34);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_resolve),
                cmocka_unit_test(test_missing),
                cmocka_unit_test(test_extra_groups),
                cmocka_unit_test(test_no_files),
        };

        return cmocka_run_group_tests(tests, set_up, tear_down);
}
