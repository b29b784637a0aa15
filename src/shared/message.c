/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "message.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "../basic/str.h"

/** message_done - free the fields and close every descriptor that was not taken. */
void message_done(Message *m) {
        fields_done(&m->fields);
        for (size_t i = 0; i < m->n_fds; i++)
                (void) safe_close(m->fds[i]);
        m->n_fds = 0;
}

/** message_verb - the verb, or "" when there is none. */
const char *message_verb(const Message *m) {
        return strempty(fields_get(&m->fields, "verb"));
}

/** message_take_fd - move descriptor @index out of the message; -EBADF if there is none. */
int message_take_fd(Message *m, size_t index) {
        int fd;

        if (index >= m->n_fds)
                return -EBADF;
        fd = m->fds[index];
        m->fds[index] = -EBADF;
        return fd;
}

/**
 * message_receive - receive one message; descriptors in it are owned by @ret.
 *
 * Return: 1 for a message, 0 for end of stream, -EAGAIN on an empty non-blocking socket, -EBADMSG/-EMSGSIZE
 * for one that is malformed (it is consumed), or -errno.
 */
int message_receive(int sock, Message *ret) {
        _cleanup_free_ char *buf = malloc(FIELDS_TEXT_MAX);
        Message m = { .n_fds = MESSAGE_FDS_MAX };
        ssize_t n;
        int r;

        if (!buf)
                return -ENOMEM;
        n = recv_with_fds(sock, buf, FIELDS_TEXT_MAX, m.fds, &m.n_fds, 0);
        if (n <= 0) {
                if (n == 0)
                        message_done(&m);
                return (int) n;
        }
        r = fields_parse(buf, (size_t) n, '\n', &m.fields);
        if (r < 0) {
                message_done(&m);
                return r;
        }
        *ret = m;
        return 1;
}

/** message_send - send @text (and borrowed @fds) as one message. Return: 0, -EAGAIN when nothing was sent,
 * -errno. */
int message_send(int sock, const Buffer *text, const int *fds, size_t n_fds) {
        ssize_t n = send_with_fds(sock, text->data, text->size, fds, n_fds, 0);

        return n < 0 ? (int) n : 0;
}

static int fill_address(const char *path, struct sockaddr_un *ret, socklen_t *ret_size) {
        size_t n = strlen(path);

        if (n >= sizeof(ret->sun_path))
                return -ENAMETOOLONG;
        *ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
        memcpy(ret->sun_path, path, n + 1);
        *ret_size = (socklen_t) (offsetof(struct sockaddr_un, sun_path) + n + 1);
        return 0;
}

/** message_connect - connect to a SEQPACKET socket at @path. Return: the fd, or -errno (-ENOENT,
 * -ECONNREFUSED: nobody there). */
int message_connect(const char *path, bool nonblock) {
        _cleanup_close_ int fd = -EBADF;
        struct sockaddr_un sa;
        socklen_t size;
        int r;

        r = fill_address(path, &sa, &size);
        if (r < 0)
                return r;
        fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | (nonblock ? SOCK_NONBLOCK : 0), 0);
        if (fd < 0 || connect(fd, (struct sockaddr *) &sa, size) < 0)
                return negative_errno();
        return TAKE_FD(fd);
}

/** message_listen - a non-blocking SEQPACKET listener at @path (a stale socket there is replaced). Return:
 * the fd or -errno. */
int message_listen(const char *path, unsigned mode) {
        _cleanup_close_ int fd = -EBADF;
        struct sockaddr_un sa;
        socklen_t size;
        mode_t mask;
        int r;

        r = fill_address(path, &sa, &size);
        if (r < 0)
                return r;
        fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return negative_errno();
        (void) unlink(path);
        mask = umask(0777 & ~mode);
        r = bind(fd, (struct sockaddr *) &sa, size) < 0 ? negative_errno() : 0;
        (void) umask(mask);
        if (r < 0)
                return r;
        if (listen(fd, 64) < 0)
                return negative_errno();
        return TAKE_FD(fd);
}

/**
 * message_put_reply - begin (and, without further fields, finish) a reply.
 * @error: 0 or -errno; @text: what to tell the user, NULL for strerror.
 */
int message_put_reply(Buffer *b, const char *seq, int error, const char *text) {
        int r;

        r = fields_put(b, '\n', "verb", "reply");
        if (r >= 0)
                r = fields_put(b, '\n', "seq", strempty(seq));
        if (r >= 0)
                r = fields_putf(b, '\n', "errno", "%d", error < 0 ? -error : error);
        if (r >= 0 && error != 0)
                r = fields_put(b, '\n', "message",
                               text ? text : strerrordesc_np(error < 0 ? -error : error));
        return r;
}
