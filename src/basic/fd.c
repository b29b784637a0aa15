/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fd.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

/**
 * safe_close - close @fd if it is one, keeping errno.
 *
 * Return: always -EBADF, so that `fd = safe_close(fd)` leaves "no fd" behind.
 */
int safe_close(int fd) {
        if (fd >= 0) {
                int saved = errno;

                (void) close(fd);
                errno = saved;
        }
        return -EBADF;
}

/** fd_set_nonblock - switch O_NONBLOCK. The flag belongs to the open file: whoever shares it sees the
 * change. */
int fd_set_nonblock(int fd, bool on) {
        int flags = fcntl(fd, F_GETFL), want;

        if (flags < 0)
                return negative_errno();
        want = on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
        if (want != flags && fcntl(fd, F_SETFL, want) < 0)
                return negative_errno();
        return 0;
}

/** fd_set_cloexec - switch FD_CLOEXEC of @fd. */
int fd_set_cloexec(int fd, bool on) {
        int flags = fcntl(fd, F_GETFD), want;

        if (flags < 0)
                return negative_errno();
        want = on ? flags | FD_CLOEXEC : flags & ~FD_CLOEXEC;
        if (want != flags && fcntl(fd, F_SETFD, want) < 0)
                return negative_errno();
        return 0;
}

/** write_all - write @size bytes to a blocking @fd, over short writes and EINTR. Return: 0 or -errno. */
int write_all(int fd, const void *data, size_t size) {
        const char *p = data;

        while (size > 0) {
                ssize_t n = write(fd, p, size);

                if (n < 0) {
                        if (errno == EINTR)
                                continue;
                        return negative_errno();
                }
                p += n;
                size -= (size_t) n;
        }
        return 0;
}

/** read_all - read until @size bytes or end of file. Return: bytes read (short only at end of file) or
 * -errno. */
ssize_t read_all(int fd, void *data, size_t size) {
        char *p = data;
        size_t done = 0;

        while (done < size) {
                ssize_t n = read(fd, p + done, size - done);

                if (n < 0) {
                        if (errno == EINTR)
                                continue;
                        return negative_errno();
                }
                if (n == 0)
                        break;
                done += (size_t) n;
        }
        return (ssize_t) done;
}

/** fd_move_above_stdio - consume @fd and return one that is not 0, 1 or 2, so that stdio set-up cannot
 * clobber it. */
int fd_move_above_stdio(int fd) {
        int copy;

        if (fd < 0 || fd > 2)
                return fd;
        copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        if (copy < 0)
                return fd;
        (void) close(fd);
        return copy;
}

/**
 * memfd_new_with - a close-on-exec memfd that holds @data and is positioned at 0.
 *
 * Return: the fd, or -errno.
 */
int memfd_new_with(const char *name, const void *data, size_t size) {
        _cleanup_close_ int fd = -EBADF;
        int r;

        fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
        if (fd < 0)
                return negative_errno();
        r = write_all(fd, data, size);
        if (r < 0)
                return r;
        if (lseek(fd, 0, SEEK_SET) < 0)
                return negative_errno();
        return TAKE_FD(fd);
}

/**
 * send_with_fds - sendmsg() one piece with @n_fds descriptors (borrowed). MSG_NOSIGNAL is always added.
 *
 * Return: bytes sent, or -errno (-EAGAIN on a full non-blocking socket: nothing was sent, nor any fd).
 */
ssize_t send_with_fds(int sock, const void *data, size_t size, const int *fds, size_t n_fds, int flags) {
        union {
                struct cmsghdr hdr;
                char buf[CMSG_SPACE(sizeof(int) * FD_PASS_MAX)];
        } control = {};
        struct iovec iov = { .iov_base = (void *) data, .iov_len = size };
        struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };
        ssize_t n;

        if (n_fds > FD_PASS_MAX)
                return -E2BIG;
        if (n_fds > 0) {
                mh.msg_control = control.buf;
                mh.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
                control.hdr.cmsg_level = SOL_SOCKET;
                control.hdr.cmsg_type = SCM_RIGHTS;
                control.hdr.cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
                memcpy(CMSG_DATA(&control.hdr), fds, sizeof(int) * n_fds);
        }
        do
                n = sendmsg(sock, &mh, flags | MSG_NOSIGNAL);
        while (n < 0 && errno == EINTR);
        return n < 0 ? negative_errno() : n;
}

static size_t collect_fds(struct msghdr *mh, int *fds, size_t max) {
        size_t got = 0;

        for (struct cmsghdr *c = CMSG_FIRSTHDR(mh); c; c = CMSG_NXTHDR(mh, c)) {
                size_t n;

                if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
                        continue;
                n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
                for (size_t i = 0; i < n; i++) {
                        int fd;

                        memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
                        if (got < max)
                                fds[got++] = fd;
                        else
                                (void) safe_close(fd);
                }
        }
        return got;
}

/**
 * recv_with_fds - recvmsg() one piece; descriptors arrive close-on-exec and belong to the caller.
 * @n_fds: in: room in @fds; out: how many arrived (surplus ones are closed).
 *
 * Return: bytes received (0 is end of stream), -EMSGSIZE if the datagram did not fit (its fds are closed),
 * or -errno.
 */
ssize_t recv_with_fds(int sock, void *data, size_t size, int *fds, size_t *n_fds, int flags) {
        union {
                struct cmsghdr hdr;
                char buf[CMSG_SPACE(sizeof(int) * FD_PASS_MAX)];
        } control;
        struct iovec iov = { .iov_base = data, .iov_len = size };
        struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.buf,
                             .msg_controllen = sizeof(control.buf) };
        size_t max = n_fds ? *n_fds : 0;
        ssize_t n;

        if (n_fds)
                *n_fds = 0;
        do
                n = recvmsg(sock, &mh, flags | MSG_CMSG_CLOEXEC);
        while (n < 0 && errno == EINTR);
        if (n < 0)
                return negative_errno();
        max = collect_fds(&mh, fds, max);
        if (mh.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
                for (size_t i = 0; i < max; i++)
                        (void) safe_close(fds[i]);
                return -EMSGSIZE;
        }
        if (n_fds)
                *n_fds = max;
        return n;
}
