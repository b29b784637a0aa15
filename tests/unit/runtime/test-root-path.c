/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../cmocka-prelude.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/file.h"
#include "runtime/kernel-call.h"
#include "runtime/mounts/root-path.h"

static char top[] = "/tmp/test-root-path-XXXXXX";
static int root = -EBADF;

static int setup(void **state) {
        if (!mkdtemp(top) || (root = open(top, O_PATH | O_DIRECTORY | O_CLOEXEC)) < 0)
                return -1;
        return mkdirat(root, "dir", 0755) | mkdirat(root, "r", 0755) | symlinkat("/dir", root, "r/abs") |
               symlinkat("../../../../dir", root, "r/up") | symlinkat("/gone/deep", root, "r/dangling") |
               symlinkat("sibling", root, "r/near") | symlinkat("loop", root, "r/loop");
}

static int teardown(void **state) {
        (void) safe_close(root);
        return remove_tree_at(AT_FDCWD, top);
}

/* Where @path leads, relative to the root directory. */
static void leads_to(const char *path, bool directory, const char *expected) {
        char link[64], target[PATH_MAX];
        _cleanup_close_ int r = openat(root, "r", O_PATH | O_DIRECTORY | O_CLOEXEC), fd = -EBADF;
        ssize_t n;

        fd = root_path_ensure(r, path, directory, 0);
        if (fd < 0)
                fail_msg("%s: %s", path, strerror(-fd));
        (void) snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        n = readlink(link, target, sizeof(target) - 1);
        assert_true(n > 0);
        target[n] = 0;
        assert_memory_equal(target, top, strlen(top));
        assert_string_equal(target + strlen(top), expected);
}

static void fails(const char *path, bool directory, unsigned long long resolve, int error) {
        _cleanup_close_ int r = openat(root, "r", O_PATH | O_DIRECTORY | O_CLOEXEC);

        assert_int_equal(root_path_ensure(r, path, directory, resolve), error);
}

static void test_inside(void **state) {
        leads_to("/", true, "/r");
        leads_to("/a/b/c", true, "/r/a/b/c");
        leads_to("a//b/./d", true, "/r/a/b/d");
        leads_to("/../../../x", true, "/r/x");
        leads_to("/file", false, "/r/file");
        leads_to("/file", false, "/r/file");
        leads_to("/new/dir/file", false, "/r/new/dir/file");
        /* Absolute and climbing links end inside. */
        leads_to("/up/y", true, "/r/dir/y");
        leads_to("/abs/y", true, "/r/dir/y");
        leads_to("/dangling/z", true, "/r/gone/deep/z");
        leads_to("/near", false, "/r/sibling");
        assert_int_equal(faccessat(root, "dir/y", F_OK, 0), -1);
}

static void test_refused(void **state) {
        fails("/loop", true, 0, -ELOOP);
        fails("/loop/x", true, 0, -ELOOP);
        fails("/abs", true, RESOLVE_NO_SYMLINKS, -ELOOP);
        fails("/a", false, 0, -EISDIR);
        fails("/file", true, 0, -ENOTDIR);
        fails("/file/x", true, 0, -ENOTDIR);
}

int main(void) {
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_inside), cmocka_unit_test(test_refused) };

        return cmocka_run_group_tests(tests, setup, teardown);
}
