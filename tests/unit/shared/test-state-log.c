/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../cmocka-prelude.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "basic/fd.h"
#include "basic/file.h"
#include "basic/str.h"
#include "shared/state-log.h"

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

static int append(int dir_fd, const char *type, const char *value, StateLogFlags flags) {
        _cleanup_buffer_ Buffer b = BUFFER_INIT(FIELDS_TEXT_MAX);

        assert_int_equal(state_record_begin(&b, type), 0);
        assert_int_equal(fields_put(&b, '\t', "value", value), 0);
        return state_log_append(dir_fd, &b, flags);
}

enum { SEEN_CREATED = 1, SEEN_STARTED = 2, SEEN_EXITED = 4, SEEN_CHILD = 8 };

typedef struct Seen {
        size_t n;
        unsigned types;
        char last[64];
} Seen;

static int remember(const Fields *f, void *userdata) {
        Seen *s = userdata;

        assert_non_null(fields_get(f, "type"));
        assert_non_null(fields_get(f, "at"));
        (void) snprintf(s->last, sizeof(s->last), "%s", fields_get(f, "value"));
        s->types |= (streq(fields_get(f, "type"), "created") ? SEEN_CREATED : 0) |
                    (streq(fields_get(f, "type"), "started") ? SEEN_STARTED : 0) |
                    (streq(fields_get(f, "type"), "exited") ? SEEN_EXITED : 0) |
                    (streq(fields_get(f, "type"), "from-child") ? SEEN_CHILD : 0);
        s->n++;
        return 0;
}

static size_t read_log(const Place *p, Seen *ret) {
        *ret = (Seen){};
        assert_int_equal(state_log_read(p->fd, remember, ret), 0);
        return ret->n;
}

static void test_append_and_read(void **state) {
        Place *p = *state;
        Seen s;

        assert_int_equal(state_log_read(p->fd, remember, &s), -ENOENT);
        assert_int_equal(append(p->fd, "created", "x", 0), -ENOENT);
        assert_int_equal(append(p->fd, "created", "tab\tand\nline", STATE_LOG_CREATE | STATE_LOG_SYNC), 0);
        assert_int_equal(append(p->fd, "created", "x", STATE_LOG_CREATE), -EEXIST);
        assert_int_equal(read_log(p, &s), 1);
        assert_string_equal(s.last, "tab\tand\nline");
        assert_int_equal(append(p->fd, "exited", "", STATE_LOG_SYNC), 0);
        assert_int_equal(read_log(p, &s), 2);
        assert_string_equal(s.last, "");
}

static int stop_at_once(const Fields *f, void *userdata) {
        return -ECANCELED;
}

static void test_handler_stops(void **state) {
        Place *p = *state;

        assert_int_equal(append(p->fd, "a", "1", STATE_LOG_CREATE), 0);
        assert_int_equal(state_log_read(p->fd, stop_at_once, NULL), -ECANCELED);
}

/* A crash may cut the log at any byte: what was complete before stays, what is appended afterwards counts.
 */
static void test_torn_tail(void **state) {
        Place *p = *state;
        _cleanup_free_ char *text = NULL;
        size_t size, first;
        Seen s;

        assert_int_equal(append(p->fd, "a", "one", STATE_LOG_CREATE), 0);
        assert_int_equal(read_file_at(p->fd, STATE_LOG_NAME, 4096, &text, &first), 0);
        text = mfree(text);
        assert_int_equal(append(p->fd, "b", "two", 0), 0);
        assert_int_equal(read_file_at(p->fd, STATE_LOG_NAME, 4096, &text, &size), 0);
        for (size_t cut = 0; cut <= size; cut++) {
                /* A line is whole once only its newline is missing. */
                size_t whole = (cut + 1 >= first) + (cut + 1 >= size);

                assert_int_equal(write_file_at(p->fd, STATE_LOG_NAME, text, cut, 0600, 0), 0);
                assert_int_equal(read_log(p, &s), whole);
                assert_int_equal(append(p->fd, "c", "three", 0), 0);
                assert_int_equal(read_log(p, &s), whole + 1);
                assert_string_equal(s.last, "three");
        }
}

static void test_flipped_bits(void **state) {
        Place *p = *state;
        _cleanup_free_ char *text = NULL;
        size_t size;
        Seen s;

        assert_int_equal(append(p->fd, "a", "one", STATE_LOG_CREATE), 0);
        assert_int_equal(read_file_at(p->fd, STATE_LOG_NAME, 4096, &text, &size), 0);
        for (size_t i = 0; i + 1 < size; i++)
                for (int bit = 0; bit < 8; bit++) {
                        text[i] = (char) (text[i] ^ 1 << bit);
                        assert_int_equal(write_file_at(p->fd, STATE_LOG_NAME, text, size, 0600, 0), 0);
                        assert_int_equal(read_log(p, &s), 0);
                        text[i] = (char) (text[i] ^ 1 << bit);
                }
}

static void test_full_disk(void **state) {
        Place *p = *state;
        struct rlimit rl;
        struct stat st;
        Seen s;

        assert_int_equal(append(p->fd, "a", "one", STATE_LOG_CREATE), 0);
        assert_int_equal(fstatat(p->fd, STATE_LOG_NAME, &st, 0), 0);
        assert_int_equal(getrlimit(RLIMIT_FSIZE, &rl), 0);
        rl.rlim_cur = (rlim_t) st.st_size + 5;
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &rl), 0);
        assert_int_equal(append(p->fd, "b", "two", 0), -ENOSPC);
        rl.rlim_cur = rl.rlim_max;
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &rl), 0);
        assert_int_equal(read_log(p, &s), 1);
        assert_int_equal(append(p->fd, "c", "three", 0), 0);
        assert_int_equal(read_log(p, &s), 2);
        assert_string_equal(s.last, "three");
}

static void test_maximum(void **state) {
        Place *p = *state;
        Seen s;

        assert_int_equal(append(p->fd, "a", "one", STATE_LOG_CREATE), 0);
        assert_int_equal(truncate(p->path, 0), -1);
        {
                _cleanup_close_ int fd = openat(p->fd, STATE_LOG_NAME, O_WRONLY | O_CLOEXEC);

                assert_int_equal(ftruncate(fd, STATE_LOG_MAX * 2), 0);
        }
        assert_int_equal(append(p->fd, "b", "two", 0), -EFBIG);
        assert_int_equal(state_log_read(p->fd, remember, &s), -E2BIG);
}

/* Engine and shim append to the same file. */
static void test_two_writers(void **state) {
        Place *p = *state;
        pid_t pid;
        Seen s;

        assert_int_equal(append(p->fd, "a", "one", STATE_LOG_CREATE), 0);
        pid = fork();
        assert_true(pid >= 0);
        for (int i = 0; i < 500; i++)
                if (append(p->fd, pid == 0 ? "b" : "c", "some value", 0) < 0)
                        _exit(1);
        if (pid == 0)
                _exit(0);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        assert_int_equal(read_log(p, &s), 1001);
}

/* A long log keeps the last record of each type, in order, whoever writes meanwhile. */
static void test_compaction(void **state) {
        Place *p = *state;
        char value[2001];
        struct stat st;
        pid_t pid;
        Seen s;

        memset(value, 'v', sizeof(value) - 1);
        value[sizeof(value) - 1] = 0;
        assert_int_equal(append(p->fd, "created", "once", STATE_LOG_CREATE), 0);
        pid = fork();
        assert_true(pid >= 0);
        for (int i = 0; i < 400; i++)
                if (append(p->fd, pid == 0 ? "started" : "exited", value, 0) < 0)
                        _exit(1);
        if (pid == 0)
                _exit(append(p->fd, "from-child", "last words", 0) < 0);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        assert_int_equal(append(p->fd, "name", "final", 0), 0);
        assert_int_equal(fstatat(p->fd, STATE_LOG_NAME, &st, 0), 0);
        assert_true(st.st_size < STATE_LOG_COMPACT + 8192);
        assert_true(read_log(p, &s) >= 5);
        assert_string_equal(s.last, "final");
        assert_int_equal(s.types, SEEN_CREATED | SEEN_STARTED | SEEN_EXITED | SEEN_CHILD);
}

int main(void) {
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                TEST(test_append_and_read), TEST(test_handler_stops), TEST(test_torn_tail),
                TEST(test_flipped_bits),    TEST(test_full_disk),     TEST(test_maximum),
                TEST(test_two_writers),    TEST(test_compaction),
        };

        (void) signal(SIGXFSZ, SIG_IGN);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
