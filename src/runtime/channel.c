/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "channel.h"

#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>

#include "error.h"

/** channel_pair - two connected ends, close-on-exec. */
int channel_pair(int ret[2]) {
        return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ret) < 0
                               ? fail_errno(errno, "socketpair")
                               : 0;
}

/** channel_send - one message; @text may be NULL. Return: 0, -EPIPE when the peer is gone, or -errno. */
int channel_send(int fd, ChannelMessage type, const char *text) {
        char buf[CHANNEL_TEXT_MAX];
        int n = snprintf(buf, sizeof(buf), "%c%s", (char) type, strempty(text));

        n = n < (int) sizeof(buf) ? n : (int) sizeof(buf) - 1;
        for (;;) {
                if (send(fd, buf, (size_t) n, MSG_NOSIGNAL) >= 0)
                        return 0;
                if (errno != EINTR) /* reset: it left without reading what we had sent before */
                        return errno == ECONNRESET ? -EPIPE : negative_errno();
        }
}

/**
 * channel_receive - wait for one message.
 * @text: its text, NUL-terminated.
 *
 * Return: its type, CHANNEL_EOF when the peer is gone, or -errno.
 */
int channel_receive(int fd, char text[CHANNEL_TEXT_MAX]) {
        char buf[CHANNEL_TEXT_MAX];
        bool reset = false;
        ssize_t n;

        for (;;) {
                n = recv(fd, buf, sizeof(buf) - 1, 0);
                if (n >= 0 || (errno != EINTR && (errno != ECONNRESET || reset)))
                        break;
                /* The peer left without reading what we sent: this is told once, and before what it said. */
                reset = errno == ECONNRESET;
        }
        if (n < 0)
                return errno == ECONNRESET ? CHANNEL_EOF : negative_errno();
        if (n == 0)
                return CHANNEL_EOF;
        buf[n] = 0;
        memcpy(text, buf + 1, (size_t) n);
        return (unsigned char) buf[0];
}

/**
 * channel_receive_from - as channel_receive(), but the death of the process behind @pidfd is an end of file
 * too, whoever else may still hold its end of the channel.
 */
int channel_receive_from(int fd, int pidfd, char text[CHANNEL_TEXT_MAX]) {
        struct pollfd p[2] = { { .fd = fd, .events = POLLIN }, { .fd = pidfd, .events = POLLIN } };

        while (poll(p, ELEMENTSOF(p), -1) < 0)
                if (errno != EINTR)
                        return negative_errno();
        if (p[0].revents == 0) {
                /* It may have spoken between the two looks. */
                if (poll(p, 1, 0) <= 0)
                        return CHANNEL_EOF;
        }
        return channel_receive(fd, text);
}

/**
 * channel_expect - wait for a message of @type. An error message of the peer becomes fail_message().
 *
 * Return: 0, -EPIPE when the peer is gone, or -errno.
 */
int channel_expect(int fd, ChannelMessage type) {
        char text[CHANNEL_TEXT_MAX] = "";
        int r = channel_receive(fd, text);

        if (r < 0)
                return fail_errno(r, "receive");
        if (r == CHANNEL_ERROR)
                return fail_text(ECHILD, "%s", text);
        if (r == CHANNEL_EOF)
                return fail_text(EPIPE, "the container process ended unexpectedly");
        if (r != (int) type)
                return fail_text(EPROTO, "unexpected message '%c'", r);
        return 0;
}
