/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "terminal.h"

#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "../basic/fd.h"
#include "shim.h"

#define RECEIVE_WAIT_MS 1000

static int fill_path(const Shim *s, const char *name, struct sockaddr_un *ret) {
        int n;

        *ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
        n = snprintf(ret->sun_path, sizeof(ret->sun_path), BERTH_RUN_CONTAINERS_DIR "/%s/%s", s->id, name);
        return n >= (int) sizeof(ret->sun_path) ? -ENAMETOOLONG : 0;
}

/** terminal_listen - a socket @name in the run directory; @callback should call terminal_receive(). Return:
 * 0 or -errno. */
int terminal_listen(Shim *s, const char *name, Source *source, SourceCallback callback) {
        _cleanup_close_ int fd = -EBADF;
        struct sockaddr_un sa;
        int r = fill_path(s, name, &sa);

        if (r < 0)
                return r;
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return negative_errno();
        (void) unlink(sa.sun_path);
        if (bind(fd, (struct sockaddr *) &sa, sizeof(sa)) < 0 || listen(fd, 1) < 0)
                return negative_errno();
        *source = (Source){ .fd = TAKE_FD(fd), .callback = callback };
        return source_watch(&s->loop, source, EPOLLIN);
}

/**
 * terminal_receive - accept the runtime's connection, take the master and stop listening.
 *
 * The runtime sends at once after connecting, so the short wait here is for a scheduler, not for a person.
 *
 * Return: 0 or -errno.
 */
int terminal_receive(Loop *loop, Source *source, StdioSet *set) {
        _cleanup_close_ int conn = accept4(source->fd, NULL, NULL, SOCK_CLOEXEC);
        struct pollfd p = { .fd = conn, .events = POLLIN };
        struct sockaddr_un sa;
        socklen_t size = sizeof(sa);
        char byte[256];
        size_t n_fds = 1;
        ssize_t n;
        int fd;

        if (conn < 0)
                return negative_errno();
        if (poll(&p, 1, RECEIVE_WAIT_MS) <= 0)
                return -ETIMEDOUT;
        n = recv_with_fds(conn, byte, sizeof(byte), &fd, &n_fds, MSG_DONTWAIT);
        if (n < 0)
                return (int) n;
        if (n_fds == 0)
                return -EPROTO;
        if (getsockname(source->fd, (struct sockaddr *) &sa, &size) == 0)
                (void) unlink(sa.sun_path);
        source_close(loop, source);
        return stdio_set_adopt_terminal(set, fd);
}

/** terminal_receive_pending - if a master is waiting in the socket's queue, take it now. */
void terminal_receive_pending(Source *source, StdioSet *set) {
        if (source->fd >= 0)
                (void) terminal_receive(&set->shim->loop, source, set);
}
