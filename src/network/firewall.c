/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "firewall.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <libnftnl/common.h>
#include <libnftnl/table.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "../basic/buffer.h"
#include "../basic/fd.h"
#include "../basic/file.h"
#include "../basic/log.h"
#include "../basic/str.h"

/*
 * The table `inet berth`. Its rules are the text of berth.nft, loaded by nft(8) in a child: that happens
 * once in netd's life, so nothing is gained by building them by hand.
 *
 * Kernels since 6.9 can make a table owned by a socket *and* persistent: nobody else can change or flush it
 * while netd runs, and it outlives netd. Since only the owner may write to an owned table, it is made
 * persistent but not owned, filled by the child, and then claimed; netd claims what a dead netd left behind
 * in the same way. Owned but not persistent (5.12 to 6.8) is no use: the rules would die with every restart
 * of netd. There the table is a plain one, and netd watches for its removal.
 */

/* Newer than the kernel headers of our oldest distribution. */
#define TABLE_OWNER   (1u << 1)
#define TABLE_PERSIST (1u << 2)

#define RULES_MAX          (256 * 1024)
#define NFT_TIMEOUT_MSEC   10000
#define ANSWER_TIMEOUT_SEC 5

static int open_socket(struct mnl_socket **ret) {
        static const struct timeval timeout = { .tv_sec = ANSWER_TIMEOUT_SEC };
        struct mnl_socket *s = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);

        if (!s)
                return negative_errno();
        if (mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID) < 0 ||
            setsockopt(mnl_socket_get_fd(s), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) < 0) {
                int r = negative_errno();

                (void) mnl_socket_close(s);
                return r;
        }
        *ret = s;
        return 0;
}

/** firewall_open - @rules: path of berth.nft, copied. Nothing is changed in the kernel yet. */
int firewall_open(const char *rules, Firewall *ret) {
        Firewall f = { .seq = 1 };
        int r;

        f.rules = strdup(rules);
        if (!f.rules)
                return -ENOMEM;
        r = open_socket(&f.socket);
        if (r < 0) {
                firewall_close(&f);
                return r;
        }
        *ret = f;
        return 0;
}

/* Ownership ends with the socket only. */
static int disown(Firewall *f) {
        struct mnl_socket *s;
        int r = open_socket(&s);

        if (r < 0)
                return r;
        (void) mnl_socket_close(f->socket);
        f->socket = s;
        f->owned = false;
        return 0;
}

/** firewall_close - give the table up; it stays in the kernel. */
void firewall_close(Firewall *f) {
        if (f->socket)
                (void) mnl_socket_close(f->socket);
        f->socket = NULL;
        f->rules = mfree(f->rules);
}

static int receive_ack(Firewall *f, uint32_t first, uint32_t last, int *ret_error) {
        char buf[16 * 1024] __attribute__((aligned(8)));
        ssize_t n = mnl_socket_recvfrom(f->socket, buf, sizeof(buf));
        int left = (int) n;

        if (n < 0)
                return errno == EINTR ? 0 : errno == EAGAIN ? -ETIMEDOUT : negative_errno();
        for (struct nlmsghdr *h = (void *) buf; mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left)) {
                if (h->nlmsg_seq < first || h->nlmsg_seq > last || h->nlmsg_type != NLMSG_ERROR)
                        continue;
                *ret_error = ((struct nlmsgerr *) mnl_nlmsg_get_payload(h))->error;
                return 1;
        }
        return 0;
}

/* One batch that makes the table or changes its flags. */
static int set_table(Firewall *f, uint32_t flags) {
        char buf[4096] __attribute__((aligned(8)));
        struct mnl_nlmsg_batch *batch;
        struct nftnl_table *t;
        struct nlmsghdr *h;
        uint32_t first = f->seq;
        int r, error;

        t = nftnl_table_alloc();
        if (!t)
                return -ENOMEM;
        batch = mnl_nlmsg_batch_start(buf, sizeof(buf));
        if (!batch) {
                nftnl_table_free(t);
                return -ENOMEM;
        }
        nftnl_table_set_str(t, NFTNL_TABLE_NAME, FIREWALL_TABLE);
        nftnl_table_set_u32(t, NFTNL_TABLE_FAMILY, NFPROTO_INET);
        nftnl_table_set_u32(t, NFTNL_TABLE_FLAGS, flags);

        nftnl_batch_begin(mnl_nlmsg_batch_current(batch), f->seq++);
        mnl_nlmsg_batch_next(batch);
        h = nftnl_nlmsg_build_hdr(mnl_nlmsg_batch_current(batch), NFT_MSG_NEWTABLE, NFPROTO_INET,
                                  NLM_F_CREATE | NLM_F_ACK, f->seq++);
        nftnl_table_nlmsg_build_payload(h, t);
        mnl_nlmsg_batch_next(batch);
        nftnl_batch_end(mnl_nlmsg_batch_current(batch), f->seq++);
        mnl_nlmsg_batch_next(batch);

        r = mnl_socket_sendto(f->socket, mnl_nlmsg_batch_head(batch), mnl_nlmsg_batch_size(batch)) < 0
                            ? negative_errno()
                            : 0;
        mnl_nlmsg_batch_stop(batch);
        nftnl_table_free(t);
        while (r == 0)
                r = receive_ack(f, first, f->seq - 1, &error);
        return r < 0 ? r : error;
}

/* Return: 1 and the flags, 0 if there is no such table. */
static int get_table(Firewall *f, uint32_t *ret_flags) {
        char buf[8192] __attribute__((aligned(8)));
        struct nlmsghdr *h;
        uint32_t seq = f->seq++;

        h = nftnl_nlmsg_build_hdr(buf, NFT_MSG_GETTABLE, NFPROTO_INET, 0, seq);
        mnl_attr_put_strz(h, NFTA_TABLE_NAME, FIREWALL_TABLE);
        if (mnl_socket_sendto(f->socket, h, h->nlmsg_len) < 0)
                return negative_errno();
        for (;;) {
                ssize_t n = mnl_socket_recvfrom(f->socket, buf, sizeof(buf));
                const struct nlattr *attr;

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return errno == EAGAIN ? -ETIMEDOUT : negative_errno();
                h = (void *) buf;
                if (!mnl_nlmsg_ok(h, (int) n) || h->nlmsg_seq != seq)
                        continue;
                if (h->nlmsg_type == NLMSG_ERROR) {
                        int error = ((struct nlmsgerr *) mnl_nlmsg_get_payload(h))->error;

                        return error == -ENOENT ? 0 : error < 0 ? error : -EPROTO;
                }
                *ret_flags = 0;
                mnl_attr_for_each(attr, h,
                                  sizeof(struct nfgenmsg)) if (mnl_attr_get_type(attr) == NFTA_TABLE_FLAGS &&
                                                               mnl_attr_validate(attr, MNL_TYPE_U32) >=
                                                                               0) *ret_flags =
                                be32toh(mnl_attr_get_u32(attr));
                return 1;
        }
}

static int wait_for_child(pid_t pid) {
        _cleanup_close_ int pidfd = (int) syscall(SYS_pidfd_open, pid, 0);
        struct pollfd p = { .fd = pidfd, .events = POLLIN };
        int status;

        /*
         * One child at a time and nothing else to do until it is done: the rules must be there before the
         * container is.
         */
        while (pidfd >= 0) {
                int n = poll(&p, 1, NFT_TIMEOUT_MSEC);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n == 0)
                        (void) kill(pid, SIGKILL);
                break;
        }
        while (waitpid(pid, &status, 0) < 0)
                if (errno != EINTR)
                        return negative_errno();
        if (WIFSIGNALED(status))
                return -ETIMEDOUT;
        return WEXITSTATUS(status) == 0 ? 0 : -EPROTO;
}

/* The first line that nft wrote is the one that says what is wrong. */
static void log_complaint(int fd) {
        _cleanup_free_ char *text = NULL;

        if (lseek(fd, 0, SEEK_SET) < 0 || read_fd(fd, 64 * 1024, &text, NULL) < 0 || isempty(text))
                return;
        text[strcspn(text, "\n")] = 0;
        log_error("nft: %s", text);
}

static int run_nft(const Buffer *script) {
        static char *const argv[] = { (char *) "nft", (char *) "-f", (char *) "-", NULL };
        static char *const env[] = {
                (char *) "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                (char *) "LC_ALL=C", NULL
        };
        _cleanup_close_ int in = -EBADF, out = -EBADF;
        posix_spawn_file_actions_t actions;
        pid_t pid;
        int r;

        in = memfd_new_with("berth-nft", script->data, script->size);
        if (in < 0)
                return in;
        out = memfd_create("berth-nft-messages", MFD_CLOEXEC);
        if (out < 0)
                return negative_errno();
        r = posix_spawn_file_actions_init(&actions);
        if (r != 0)
                return -r;
        r = posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
        if (r == 0)
                r = posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
        if (r == 0)
                r = posix_spawn_file_actions_adddup2(&actions, out, STDERR_FILENO);
        if (r == 0)
                r = posix_spawnp(&pid, "nft", &actions, NULL, argv, env);
        (void) posix_spawn_file_actions_destroy(&actions);
        if (r != 0)
                return -r;
        r = wait_for_child(pid);
        if (r < 0)
                log_complaint(out);
        return r;
}

static int put_elements(Buffer *b, const FirewallNetwork *n) {
        char subnet[SUBNET_TEXT_MAX], prefix6[INET6_ADDRSTRLEN];
        int r;

        subnet_format(&n->subnet, subnet);
        r = buffer_appendf(b,
                           "add element inet " FIREWALL_TABLE " bridges { \"%1$s\" }\n"
                           "add element inet " FIREWALL_TABLE " pairs { \"%1$s\" . \"%1$s\" }\n"
                           "add element inet " FIREWALL_TABLE " subnets4 { %2$s }\n",
                           n->bridge, subnet);
        if (r < 0 || !n->prefix6)
                return r;
        if (!inet_ntop(AF_INET6, n->prefix6, prefix6, sizeof(prefix6)))
                return negative_errno();
        return buffer_appendf(b, "add element inet " FIREWALL_TABLE " subnets6 { %s/64 }\n", prefix6);
}

static int make_script(const Firewall *f, const FirewallNetwork *networks, size_t n, Buffer *ret) {
        _cleanup_free_ char *rules = NULL;
        int r;

        r = read_file_at(AT_FDCWD, f->rules, RULES_MAX, &rules, NULL);
        if (r < 0)
                return log_error_errno(r, "Failed to read %s: %m", f->rules);
        r = buffer_append_str(ret, rules);
        /* Without elements of networks that are gone; all of this is one transaction. */
        if (r >= 0)
                r = buffer_append_str(ret, "flush set inet " FIREWALL_TABLE " bridges\n"
                                           "flush set inet " FIREWALL_TABLE " pairs\n"
                                           "flush set inet " FIREWALL_TABLE " subnets4\n"
                                           "flush set inet " FIREWALL_TABLE " subnets6\n");
        for (size_t i = 0; r >= 0 && i < n; i++)
                r = put_elements(ret, &networks[i]);
        return r;
}

/**
 * firewall_load - the table is there with all rules and exactly these networks, and ours where the kernel
 * allows it.
 *
 * Return: 0, -EPERM if a running program owns a table of this name, -ENOENT if there is no nft program or
 * rules file, -EPROTO if nft refused the rules, -errno.
 */
int firewall_load(Firewall *f, const FirewallNetwork *networks, size_t n) {
        _cleanup_buffer_ Buffer script = BUFFER_INIT(2 * RULES_MAX);
        uint32_t flags = 0;
        int r;

        r = f->owned ? disown(f) : 0;
        if (r >= 0)
                r = get_table(f, &flags);
        if (r == 0) {
                flags = TABLE_PERSIST;
                r = set_table(f, flags);
                if (r == -EOPNOTSUPP || r == -EINVAL) {
                        flags = 0;
                        r = set_table(f, flags);
                }
        }
        if (r < 0)
                return log_error_errno(r, "Failed to make the nftables table: %m");
        if (flags & TABLE_OWNER)
                return log_error_errno(-EPERM,
                                       "The nftables table `inet berth` belongs to another program.");
        r = make_script(f, networks, n, &script);
        if (r < 0)
                return r;
        r = run_nft(&script);
        if (r < 0)
                return log_error_errno(r, "Failed to load the packet filter rules with nft: %m");
        if (!(flags & TABLE_PERSIST))
                return 0;
        r = set_table(f, TABLE_PERSIST | TABLE_OWNER);
        if (r < 0)
                return log_error_errno(r, "Failed to claim the nftables table: %m");
        f->owned = true;
        return 0;
}

/** firewall_is_loaded - Return: 1 if the table exists, 0 if not, -errno. */
int firewall_is_loaded(Firewall *f) {
        uint32_t flags;

        return get_table(f, &flags);
}

/** firewall_watch_open - a non-blocking socket that reports changes of any nftables table. */
int firewall_watch_open(struct mnl_socket **ret) {
        struct mnl_socket *s = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC | SOCK_NONBLOCK);
        int group = NFNLGRP_NFTABLES;

        if (!s)
                return negative_errno();
        if (mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID) < 0 ||
            mnl_socket_setsockopt(s, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0) {
                int r = negative_errno();

                (void) mnl_socket_close(s);
                return r;
        }
        *ret = s;
        return 0;
}

/** firewall_watch_read - drain the socket. Return: 1 if a table may have gone, else 0. */
int firewall_watch_read(struct mnl_socket *watch) {
        char buf[16 * 1024] __attribute__((aligned(8)));
        int gone = 0;

        for (;;) {
                ssize_t n = mnl_socket_recvfrom(watch, buf, sizeof(buf));
                int left = (int) n;

                if (n < 0 && errno == ENOBUFS)
                        gone = 1; /* events were lost */
                else if (n < 0 && errno != EINTR)
                        return gone;
                if (n < 0)
                        continue;
                for (struct nlmsghdr *h = (void *) buf; mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left))
                        if (h->nlmsg_type == ((NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_DELTABLE))
                                gone = 1;
        }
}
