/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../cmocka-prelude.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "basic/file.h"
#include "shared/message.h"

static void make_pair(int ret[2]) {
        assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ret), 0);
}

static void test_round_trip(void **state) {
        _cleanup_buffer_ Buffer b = BUFFER_INIT(FIELDS_TEXT_MAX);
        _cleanup_message_ Message m = MESSAGE_INIT;
        _cleanup_close_ int fd = -EBADF;
        int pair[2];
        char c;

        make_pair(pair);
        assert_int_equal(message_receive(pair[1], &m), -EAGAIN);
        fd = memfd_new_with("x", "y", 1);
        assert_int_equal(fields_put(&b, '\n', "verb", "attach"), 0);
        assert_int_equal(fields_put(&b, '\n', "seq", "7"), 0);
        assert_int_equal(message_send(pair[0], &b, &fd, 1), 0);
        assert_int_equal(message_receive(pair[1], &m), 1);
        assert_string_equal(message_verb(&m), "attach");
        assert_string_equal(fields_get(&m.fields, "seq"), "7");
        assert_int_equal(m.n_fds, 1);
        assert_int_equal(message_take_fd(&m, 1), -EBADF);
        fd = safe_close(fd);
        fd = message_take_fd(&m, 0);
        assert_int_equal(read(fd, &c, 1), 1);
        assert_int_equal(message_take_fd(&m, 0), -EBADF);
        (void) close(pair[0]);
        message_done(&m);
        assert_int_equal(message_receive(pair[1], &m), 0);
        (void) close(pair[1]);
}

static int lowest_free_fd(void) {
        int fd = fcntl(0, F_DUPFD_CLOEXEC, 0);

        (void) close(fd);
        return fd;
}

static void test_malformed(void **state) {
        _cleanup_message_ Message m = MESSAGE_INIT;
        _cleanup_close_ int fd = memfd_new_with("x", "y", 1);
        static char big[FIELDS_TEXT_MAX + 1];
        int pair[2], before;

        make_pair(pair);
        before = lowest_free_fd();
        assert_int_equal(send_with_fds(pair[0], "garbage", 7, &fd, 1, 0), 7);
        assert_int_equal(message_receive(pair[1], &m), -EBADMSG);
        assert_int_equal(m.n_fds, 0);
        assert_int_equal(lowest_free_fd(), before);
        memset(big, 'x', sizeof(big));
        assert_int_equal(send_with_fds(pair[0], big, sizeof(big), &fd, 1, 0), sizeof(big));
        assert_int_equal(message_receive(pair[1], &m), -EMSGSIZE);
        assert_int_equal(lowest_free_fd(), before);
        /* The one behind it is not lost. */
        assert_int_equal(send_with_fds(pair[0], "a=1", 3, NULL, 0, 0), 3);
        assert_int_equal(message_receive(pair[1], &m), 1);
        assert_string_equal(message_verb(&m), "");
        (void) close(pair[0]);
        (void) close(pair[1]);
}

static void test_full_socket(void **state) {
        _cleanup_buffer_ Buffer b = BUFFER_INIT(FIELDS_TEXT_MAX);
        int pair[2], r = 0;

        make_pair(pair);
        assert_int_equal(fields_put(&b, '\n', "verb", "event"), 0);
        for (int i = 0; i < 100000 && r == 0; i++)
                r = message_send(pair[0], &b, NULL, 0);
        assert_int_equal(r, -EAGAIN);
        (void) close(pair[1]);
        /* It left with messages unread. */
        assert_int_equal(message_send(pair[0], &b, NULL, 0), -ECONNRESET);
        assert_int_equal(message_send(pair[0], &b, NULL, 0), -EPIPE);
        (void) close(pair[0]);
}

static void test_listen(void **state) {
        char directory[] = "/tmp/berth-test-XXXXXX", path[64];
        int listener, client, again;
        struct stat st;

        assert_non_null(mkdtemp(directory));
        (void) snprintf(path, sizeof(path), "%s/s", directory);
        assert_int_equal(message_connect(path, true), -ENOENT);
        listener = message_listen(path, 0600);
        assert_true(listener >= 0);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
        client = message_connect(path, true);
        assert_true(client >= 0);
        (void) close(listener);
        assert_int_equal(message_connect(path, true), -ECONNREFUSED);
        again = message_listen(path, 0600);
        assert_true(again >= 0);
        (void) close(client);
        (void) close(again);
        assert_int_equal(
                        message_connect("/tmp/a-path-that-is-much-too-long-for-the-address-of-"
                                         "a-socket-which-holds-about-a-hundred-"
                                        "and-eight-bytes-only",
                                        true),
                        -ENAMETOOLONG);
        assert_int_equal(remove_tree_at(AT_FDCWD, directory), 0);
}

static void test_reply(void **state) {
        _cleanup_buffer_ Buffer ok = BUFFER_INIT(4096), bad = BUFFER_INIT(4096);

        assert_int_equal(message_put_reply(&ok, "3", 0, NULL), 0);
        assert_string_equal(ok.data, "verb=reply\nseq=3\nerrno=0\n");
        assert_int_equal(message_put_reply(&bad, NULL, -ENOENT, "no\nsuch"), 0);
        assert_string_equal(bad.data, "verb=reply\nseq=\nerrno=2\nmessage=no\\nsuch\n");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_round_trip),  cmocka_unit_test(test_malformed),
                cmocka_unit_test(test_full_socket), cmocka_unit_test(test_listen),
                cmocka_unit_test(test_reply),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
