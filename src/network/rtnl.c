/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rtnl.h"

#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <sys/time.h>

/* The kernel answers at once; this only bounds the damage if it ever does not. */
#define ANSWER_TIMEOUT_SEC 5

/** rtnl_open - a socket in the calling thread's network namespace. */
int rtnl_open(Rtnl *ret) {
        static const struct timeval timeout = { .tv_sec = ANSWER_TIMEOUT_SEC };
        struct mnl_socket *s = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
        int strict = 1;

        if (!s)
                return negative_errno();
        (void) mnl_socket_setsockopt(s, NETLINK_GET_STRICT_CHK, &strict, sizeof(strict));
        if (setsockopt(mnl_socket_get_fd(s), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) < 0 ||
            mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID) < 0) {
                int r = negative_errno();

                (void) mnl_socket_close(s);
                return r;
        }
        *ret = (Rtnl){ .socket = s, .seq = 1 };
        return 0;
}

/** rtnl_close - safe on a zeroed one. */
void rtnl_close(Rtnl *rtnl) {
        if (rtnl->socket)
                (void) mnl_socket_close(rtnl->socket);
        rtnl->socket = NULL;
}

/** rtnl_batch_init - an empty batch; cheaper than zeroing its buffer. */
void rtnl_batch_init(RtnlBatch *b) {
        b->n = 0;
}

static size_t batch_size(const RtnlBatch *b) {
        const struct nlmsghdr *last;

        if (b->n == 0)
                return 0;
        last = b->messages[b->n - 1];
        return (size_t) ((const char *) last - b->data) + NLMSG_ALIGN(last->nlmsg_len);
}

/**
 * rtnl_batch_add - begin the next request. Our requests are far smaller than the buffer's share of each.
 *
 * Return: its header, to be filled by mnl_nlmsg_put_extra_header() and mnl_attr_put*().
 */
struct nlmsghdr *rtnl_batch_add(RtnlBatch *b, uint16_t type, uint16_t flags) {
        struct nlmsghdr *h;
        size_t size = batch_size(b);

        assert(b->n < RTNL_BATCH_MAX && size + RTNL_BATCH_SIZE / RTNL_BATCH_MAX <= RTNL_BATCH_SIZE);
        h = mnl_nlmsg_put_header(b->data + size);
        h->nlmsg_type = type;
        h->nlmsg_flags = NLM_F_REQUEST | flags;
        b->messages[b->n++] = h;
        return h;
}

static int batch_send(Rtnl *rtnl, RtnlBatch *b) {
        for (size_t i = 0; i < b->n; i++)
                b->messages[i]->nlmsg_seq = rtnl->seq++;
        if (mnl_socket_sendto(rtnl->socket, b->data, batch_size(b)) < 0)
                return negative_errno();
        return 0;
}

static ssize_t receive(Rtnl *rtnl, char *buf, size_t size) {
        for (;;) {
                ssize_t n = mnl_socket_recvfrom(rtnl->socket, buf, size);

                if (n >= 0)
                        return n;
                if (errno == EAGAIN)
                        return -ETIMEDOUT;
                if (errno != EINTR)
                        return negative_errno();
        }
}

/* Return: whether @h answers request @i of the batch, and the kernel's verdict. */
static bool is_ack_of(const RtnlBatch *b, const struct nlmsghdr *h, size_t *ret_index, int *ret_error) {
        uint32_t first = b->messages[0]->nlmsg_seq;
        const struct nlmsgerr *e;

        if (h->nlmsg_type != NLMSG_ERROR || h->nlmsg_len < NLMSG_LENGTH(sizeof(*e)))
                return false;
        if (h->nlmsg_seq - first >= b->n)
                return false;
        e = mnl_nlmsg_get_payload(h);
        *ret_index = h->nlmsg_seq - first;
        *ret_error = e->error;
        return true;
}

/**
 * rtnl_batch_run - send all requests and collect all acknowledgements.
 * @ret_failed: index of the first request that failed; may be NULL.
 *
 * Return: 0, or the error of the first request that failed (later ones were tried all the same).
 */
int rtnl_batch_run(Rtnl *rtnl, RtnlBatch *b, size_t *ret_failed) {
        char buf[16 * 1024] __attribute__((aligned(8)));
        size_t answered = 0;
        int result = 0, r;

        for (size_t i = 0; i < b->n; i++)
                b->messages[i]->nlmsg_flags |= NLM_F_ACK;
        r = batch_send(rtnl, b);
        if (r < 0)
                return r;
        while (answered < b->n) {
                ssize_t n = receive(rtnl, buf, sizeof(buf));
                int left = (int) n;

                if (n < 0)
                        return (int) n;
                for (struct nlmsghdr *h = (void *) buf; mnl_nlmsg_ok(h, left);
                     h = mnl_nlmsg_next(h, &left)) {
                        size_t index;
                        int error;

                        if (!is_ack_of(b, h, &index, &error))
                                continue;
                        answered++;
                        if (error < 0 && result == 0) {
                                result = error;
                                if (ret_failed)
                                        *ret_failed = index;
                        }
                }
        }
        return result;
}

/**
 * rtnl_query - run the one request of @b (a get or a dump) and hand each object to @handler.
 * @handler: a negative result is remembered and returned at the end.
 */
int rtnl_query(Rtnl *rtnl, RtnlBatch *b, RtnlHandler handler, void *userdata) {
        char buf[32 * 1024] __attribute__((aligned(8)));
        bool dump = b->messages[0]->nlmsg_flags & NLM_F_DUMP;
        int result = 0, r;

        assert(b->n == 1);
        r = batch_send(rtnl, b);
        if (r < 0)
                return r;
        for (;;) {
                ssize_t n = receive(rtnl, buf, sizeof(buf));
                int left = (int) n;

                if (n < 0)
                        return (int) n;
                for (struct nlmsghdr *h = (void *) buf; mnl_nlmsg_ok(h, left);
                     h = mnl_nlmsg_next(h, &left)) {
                        size_t index;
                        int error;

                        if (h->nlmsg_seq != b->messages[0]->nlmsg_seq)
                                continue;
                        if (is_ack_of(b, h, &index, &error))
                                return error < 0 ? error : result;
                        if (h->nlmsg_type == NLMSG_DONE)
                                return result;
                        r = handler(h, userdata);
                        if (r < 0 && result == 0)
                                result = r;
                        if (!dump)
                                return result;
                }
        }
}
