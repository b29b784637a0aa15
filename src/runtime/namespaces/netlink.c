/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "netlink.h"

#include <sys/socket.h>
#include <sys/time.h>

#include "../../basic/fd.h"

#define ANSWER_SIZE (32 * 1024)
/* The kernel answers at once; this only bounds the damage if it ever does not. */
#define ANSWER_TIMEOUT_SEC 5

/** netlink_open - a socket in the network namespace we are in. Return: its descriptor, or -errno. */
int netlink_open(void) {
        static const struct timeval timeout = { .tv_sec = ANSWER_TIMEOUT_SEC };
        _cleanup_close_ int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
        int strict = 1;

        if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) < 0)
                return negative_errno();
        /* Else a dump is of all devices: more to read, no more. */
        (void) setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &strict, sizeof(strict));
        return TAKE_FD(fd);
}

/** netlink_init - begin a request: its type and the fixed part of its @body. */
void netlink_init(NetlinkRequest *q, uint16_t type, uint16_t flags, const void *body, size_t size) {
        *q = (NetlinkRequest) { .head = { .nlmsg_type = type, .nlmsg_flags = NLM_F_REQUEST | flags } };
        assert(NLMSG_ALIGN(size) <= sizeof(q->data));
        memcpy(q->data, body, size);
        q->head.nlmsg_len = (uint32_t) NLMSG_LENGTH(size);
}

/** netlink_put - one more attribute. */
void netlink_put(NetlinkRequest *q, uint16_t type, const void *data, size_t size) {
        size_t at = NLMSG_ALIGN(q->head.nlmsg_len) - sizeof(q->head);
        struct rtattr a = { .rta_type = type, .rta_len = (uint16_t) RTA_LENGTH(size) };

        assert(at + RTA_SPACE(size) <= sizeof(q->data));
        memcpy(q->data + at, &a, sizeof(a));
        memcpy(q->data + at + RTA_LENGTH(0), data, size);
        q->head.nlmsg_len = (uint32_t) (sizeof(q->head) + at + RTA_LENGTH(size));
}

static int transmit(int fd, NetlinkRequest *q) {
        static const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
        static uint32_t sequence;

        q->head.nlmsg_seq = ++sequence;
        if (sendto(fd, &q->head, q->head.nlmsg_len, 0, (const struct sockaddr *) &kernel, sizeof(kernel)) <
            0)
                return negative_errno();
        return 0;
}

static ssize_t receive(int fd, void *buf, size_t size) {
        for (;;) {
                struct sockaddr_nl from;
                socklen_t from_size = sizeof(from);
                ssize_t n = recvfrom(fd, buf, size, 0, (struct sockaddr *) &from, &from_size);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return errno == EAGAIN ? -ETIMEDOUT : negative_errno();
                /* Other processes may write to us too. */
                if (from_size == sizeof(from) && from.nl_pid == 0)
                        return n;
        }
}

/* Return: 1 when @m ends the answer, with @ret its verdict; 0 when there is more to come. */
static int is_end(const struct nlmsghdr *m, int *ret) {
        struct nlmsgerr e = {};

        if (m->nlmsg_type == NLMSG_DONE) {
                *ret = 0;
                return 1;
        }
        if (m->nlmsg_type != NLMSG_ERROR)
                return 0;
        if (m->nlmsg_len < NLMSG_LENGTH(sizeof(e)))
                *ret = -EBADMSG;
        else {
                memcpy(&e, NLMSG_DATA(m), sizeof(e));
                *ret = e.error;
        }
        return 1;
}

static int answer(int fd, uint32_t sequence, NetlinkHandler handler, void *userdata) {
        _cleanup_free_ char *buf = malloc(ANSWER_SIZE);
        int verdict, r = 0;

        if (!buf)
                return -ENOMEM;
        for (;;) {
                ssize_t n = receive(fd, buf, ANSWER_SIZE);

                if (n < 0)
                        return (int) n;
                for (struct nlmsghdr *m = (struct nlmsghdr *) buf; NLMSG_OK(m, n); m = NLMSG_NEXT(m, n)) {
                        if (m->nlmsg_seq != sequence)
                                continue;
                        /* The list has changed while it was read. */
                        if (m->nlmsg_flags & NLM_F_DUMP_INTR && r >= 0)
                                r = -EAGAIN;
                        if (is_end(m, &verdict))
                                return verdict < 0 ? verdict : r;
                        if (r >= 0)
                                r = handler(m, userdata);
                }
        }
}

static int ignore(const struct nlmsghdr *m, void *userdata) {
        (void) m;
        (void) userdata;
        return 0;
}

/** netlink_run - send @q and wait for the kernel's verdict. Return: 0, or -errno. */
int netlink_run(int fd, NetlinkRequest *q) {
        int r;

        q->head.nlmsg_flags |= NLM_F_ACK;
        r = transmit(fd, q);
        return r < 0 ? r : answer(fd, q->head.nlmsg_seq, ignore, NULL);
}

/**
 * netlink_dump - send @q and hand each object of the answer to @handler, whose first failure is returned.
 *
 * Return: 0, -EAGAIN when the objects have changed meanwhile, or -errno.
 */
int netlink_dump(int fd, NetlinkRequest *q, NetlinkHandler handler, void *userdata) {
        int r;

        q->head.nlmsg_flags |= NLM_F_DUMP;
        r = transmit(fd, q);
        return r < 0 ? r : answer(fd, q->head.nlmsg_seq, handler, userdata);
}
