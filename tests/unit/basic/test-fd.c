/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../cmocka-prelude.h"

#include <fcntl.h>
#include <sys/socket.h>

#include "basic/fd.h"

static void make_pair(int type, int ret[2]) {
        assert_int_equal(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ret), 0);
}

static void test_memfd(void **state) {
        _cleanup_close_ int fd = memfd_new_with("test", "a\0b", 3);
        char buf[8];

        assert_true(fd >= 0);
        assert_int_equal(read_all(fd, buf, sizeof(buf)), 3);
        assert_memory_equal(buf, "a\0b", 3);
        assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
}

static void test_flags(void **state) {
        _cleanup_close_ int fd = memfd_new_with("test", "", 0);

        assert_int_equal(fd_set_nonblock(fd, true), 0);
        assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
        assert_int_equal(fd_set_nonblock(fd, false), 0);
        assert_false(fcntl(fd, F_GETFL) & O_NONBLOCK);
        assert_int_equal(fd_set_cloexec(fd, false), 0);
        assert_false(fcntl(fd, F_GETFD) & FD_CLOEXEC);
        assert_int_equal(fd_set_nonblock(-EBADF, true), -EBADF);
}

static void test_pass_fds(void **state) {
        _cleanup_close_ int fd = memfd_new_with("test", "payload", 7);
        int pair[2], got[2] = { -EBADF, -EBADF };
        size_t n = 2;
        char buf[16];

        make_pair(SOCK_SEQPACKET, pair);
        assert_int_equal(send_with_fds(pair[0], "hi", 2, (int[]){ fd, fd }, 2, 0), 2);
        assert_int_equal(recv_with_fds(pair[1], buf, sizeof(buf), got, &n, 0), 2);
        assert_int_equal(n, 2);
        assert_true(fcntl(got[0], F_GETFD) & FD_CLOEXEC);
        assert_int_equal(read_all(got[0], buf, 7), 7);
        assert_memory_equal(buf, "payload", 7);
        for (int i = 0; i < 2; i++) {
                (void) close(got[i]);
                (void) close(pair[i]);
        }
}

static int lowest_free_fd(void) {
        int fd = fcntl(0, F_DUPFD_CLOEXEC, 0);

        (void) close(fd);
        return fd;
}

/* Descriptors that do not fit, or come with a datagram that does not fit, must not leak. */
static void test_surplus(void **state) {
        _cleanup_close_ int fd = memfd_new_with("test", "x", 1);
        int pair[2], got[1] = { -EBADF }, before;
        size_t n = 1;
        char buf[4];

        make_pair(SOCK_SEQPACKET, pair);
        before = lowest_free_fd();
        assert_int_equal(send_with_fds(pair[0], "hi", 2, (int[]){ fd, fd, fd }, 3, 0), 2);
        assert_int_equal(recv_with_fds(pair[1], buf, sizeof(buf), got, &n, 0), 2);
        assert_int_equal(n, 1);
        (void) close(got[0]);
        assert_int_equal(lowest_free_fd(), before);

        n = 1;
        assert_int_equal(send_with_fds(pair[0], "too long", 8, &fd, 1, 0), 8);
        assert_int_equal(recv_with_fds(pair[1], buf, sizeof(buf), got, &n, 0), -EMSGSIZE);
        assert_int_equal(n, 0);
        assert_int_equal(lowest_free_fd(), before);

        assert_int_equal(send_with_fds(pair[0], "hi", 2, &fd, 1, 0), 2);
        assert_int_equal(recv_with_fds(pair[1], buf, sizeof(buf), NULL, NULL, 0), 2);
        assert_int_equal(lowest_free_fd(), before);
        (void) close(pair[0]);
        n = 1;
        assert_int_equal(recv_with_fds(pair[1], buf, sizeof(buf), got, &n, 0), 0);
        (void) close(pair[1]);
}

static void test_gone_peer(void **state) {
        int pair[2];

        make_pair(SOCK_STREAM, pair);
        (void) close(pair[1]);
        assert_int_equal(send_with_fds(pair[0], "x", 1, NULL, 0, 0), -EPIPE);
        assert_int_equal(send_with_fds(pair[0], "x", 1, NULL, FD_PASS_MAX + 1, 0), -E2BIG);
        (void) close(pair[0]);
}

static void test_move_above_stdio(void **state) {
        int fd = memfd_new_with("test", "", 0), moved;

        assert_true(fd > 2);
        assert_int_equal(fd_move_above_stdio(fd), fd);
        assert_int_equal(fd_move_above_stdio(-EBADF), -EBADF);
        moved = fd_move_above_stdio(fd);
        (void) close(moved);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_memfd),     cmocka_unit_test(test_flags),
                cmocka_unit_test(test_pass_fds),  cmocka_unit_test(test_surplus),
                cmocka_unit_test(test_gone_peer), cmocka_unit_test(test_move_above_stdio),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
