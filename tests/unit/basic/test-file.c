/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../cmocka-prelude.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "basic/fd.h"
#include "basic/file.h"
#include "basic/str.h"

typedef struct Place {
        char path[64];
        int fd;
} Place;

static int set_up(void **state) {
        Place *p = new0(Place, 1);

        (void) snprintf(p->path, sizeof(p->path), "/tmp/berth-test-XXXXXX");
        if (!mkdtemp(p->path))
                return -1;
        p->fd = open(p->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        *state = p;
        return p->fd < 0;
}

static int tear_down(void **state) {
        Place *p = *state;
        int r = remove_tree_at(AT_FDCWD, p->path);

        (void) close(p->fd);
        free(p);
        return r;
}

static size_t count_entries(const char *path) {
        DIR *d = opendir(path);
        size_t n = 0;

        assert_non_null(d);
        while (readdir(d))
                n++;
        (void) closedir(d);
        return n - 2;
}

/* From now on files end at @size: the next byte is "no space left" (EFBIG, in truth). */
static void limit_file_size(rlim_t size) {
        struct rlimit rl;

        assert_int_equal(getrlimit(RLIMIT_FSIZE, &rl), 0);
        rl.rlim_cur = size;
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &rl), 0);
}

static void test_read(void **state) {
        Place *p = *state;
        _cleanup_free_ char *text = NULL;
        size_t size = 0;

        assert_int_equal(read_file_at(p->fd, "absent", 10, &text, &size), -ENOENT);
        assert_int_equal(write_file_at(p->fd, "f", "12345", 5, 0600, 0), 0);
        assert_int_equal(read_file_at(p->fd, "f", 4, &text, &size), -E2BIG);
        assert_null(text);
        assert_int_equal(read_file_at(p->fd, "f", 5, &text, &size), 0);
        assert_int_equal(size, 5);
        assert_string_equal(text, "12345");
}

static void test_read_sizes(void **state) {
        Place *p = *state;
        static char data[20000];

        memset(data, 'x', sizeof(data));
        for (size_t n = 4090; n < sizeof(data); n += n < 4100 ? 1 : 4093) {
                _cleanup_free_ char *text = NULL, *none = NULL;
                size_t size;

                assert_int_equal(write_file_at(p->fd, "f", data, n, 0600, 0), 0);
                assert_int_equal(read_file_at(p->fd, "f", n, &text, &size), 0);
                assert_int_equal(size, n);
                assert_int_equal(text[n], 0);
                assert_int_equal(read_file_at(p->fd, "f", n - 1, &none, &size), -E2BIG);
        }
}

static void test_write_flags(void **state) {
        Place *p = *state;
        struct stat st;

        assert_int_equal(write_file_at(p->fd, "f", "1", 1, 0640, WRITE_EXCLUSIVE | WRITE_SYNC), 0);
        assert_int_equal(fstatat(p->fd, "f", &st, 0), 0);
        assert_int_equal(st.st_mode & 0777, 0640);
        assert_int_equal(write_file_at(p->fd, "f", "2", 1, 0600, WRITE_EXCLUSIVE), -EEXIST);
        assert_int_equal(write_file_at(p->fd, "f", "3", 1, 0600, WRITE_REPLACE | WRITE_SYNC), 0);
        assert_int_equal(write_file_at(p->fd, "no/f", "3", 1, 0600, WRITE_REPLACE), -ENOENT);
        assert_int_equal(symlinkat("f", p->fd, "link"), 0);
        assert_int_equal(write_file_at(p->fd, "link", "4", 1, 0600, 0), -ELOOP);
        assert_int_equal(count_entries(p->path), 2);
}

static void test_full_disk(void **state) {
        Place *p = *state;
        _cleanup_free_ char *text = NULL;

        assert_int_equal(write_file_at(p->fd, "old", "old", 3, 0600, 0), 0);
        limit_file_size(4);
        assert_int_equal(write_file_at(p->fd, "old", "new content", 11, 0600, WRITE_REPLACE | WRITE_SYNC),
                         -EFBIG);
        assert_int_equal(write_file_at(p->fd, "fresh", "new content", 11, 0600, WRITE_EXCLUSIVE), -EFBIG);
        limit_file_size(RLIM_INFINITY);
        assert_int_equal(read_file_at(p->fd, "old", 100, &text, NULL), 0);
        assert_string_equal(text, "old");
        assert_int_equal(count_entries(p->path), 1);
}

static void test_mkdir_parents(void **state) {
        Place *p = *state;
        _cleanup_free_ char *path = str_concat(p->path, "/a/b/c"), *below_file = str_concat(p->path, "/f/x");

        assert_int_equal(mkdir_parents(path, 0700), 0);
        assert_int_equal(mkdir_parents(path, 0700), 0);
        assert_int_equal(mkdir_parents("", 0700), -EINVAL);
        assert_int_equal(mkdir_parents("/", 0700), 0);
        assert_int_equal(write_file_at(p->fd, "f", "", 0, 0600, 0), 0);
        assert_int_equal(mkdir_parents(below_file, 0700), -ENOTDIR);
}

static void test_remove_tree(void **state) {
        Place *p = *state;
        _cleanup_free_ char *deep = str_concat(p->path, "/t/1/2/3");

        assert_int_equal(write_file_at(p->fd, "outside", "kept", 4, 0600, 0), 0);
        assert_int_equal(mkdir_parents(deep, 0700), 0);
        assert_int_equal(symlinkat("../outside", p->fd, "t/link"), 0);
        assert_int_equal(symlinkat("/", p->fd, "t/1/root"), 0);
        assert_int_equal(mkdirat(p->fd, "t/closed", 0000), 0);
        assert_int_equal(remove_tree_at(p->fd, "t"), 0);
        assert_int_equal(remove_tree_at(p->fd, "t"), 0);
        assert_int_equal(count_entries(p->path), 1);
        assert_int_equal(remove_tree_at(p->fd, "outside"), 0);
}

/* Workers and shims empty the trash side by side: what another one took away first is no error. */
static void test_remove_tree_together(void **state) {
        Place *p = *state;

        for (unsigned round = 0; round < 100; round++) {
                pid_t pid;
                int status;

                for (unsigned i = 0; i < 20; i++) {
                        char name[32];

                        (void) snprintf(name, sizeof(name), "/t/%u/x/y", i);
                        _cleanup_free_ char *path = str_concat(p->path, name);
                        assert_int_equal(mkdir_parents(path, 0700), 0);
                }
                pid = fork();
                assert_true(pid >= 0);
                if (pid == 0)
                        _exit(remove_tree_at(p->fd, "t") < 0);
                assert_int_equal(remove_tree_at(p->fd, "t"), 0);
                assert_int_equal(waitpid(pid, &status, 0), pid);
                assert_int_equal(status, 0);
                assert_int_equal(count_entries(p->path), 0);
        }
}

static void test_write_string(void **state) {
        Place *p = *state;

        assert_int_equal(write_string_at(p->fd, "none", "x"), -ENOENT);
        assert_int_equal(write_string_at(AT_FDCWD, "/dev/full", "x"), -ENOSPC);
}

int main(void) {
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                TEST(test_read),      TEST(test_read_sizes),    TEST(test_write_flags), TEST(test_full_disk),
                TEST(test_mkdir_parents), TEST(test_remove_tree), TEST(test_remove_tree_together),
                TEST(test_write_string),
        };

        (void) signal(SIGXFSZ, SIG_IGN);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
