/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is asked of the kernel about one network device. Every function acts in the network namespace of its
 * socket.
 */
#include "net-device-link.h"

#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "../../basic/macro.h"
#include "netlink.h"

#define ADDRESSES_MAX 4096
#define DUMP_TRIES    10

/* Flags that are a wish and not a state. */
#define WISHES \
        (IFA_F_NODAD | IFA_F_HOMEADDRESS | IFA_F_MANAGETEMPADDR | IFA_F_NOPREFIXROUTE | IFA_F_MCAUTOJOIN)

/** net_link_index - number of the device @name. Return: it, or -errno. */
int net_link_index(int socket_fd, const char *name) {
        struct ifreq ifr = {};

        (void) snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
        return ioctl(socket_fd, SIOCGIFINDEX, &ifr) < 0 ? negative_errno() : ifr.ifr_ifindex;
}

/** net_link_name - name of the device @index. Return: 0, or -errno, -ENODEV if there is none. */
int net_link_name(int socket_fd, int index, char ret[IFNAMSIZ]) {
        struct ifreq ifr = { .ifr_ifindex = index };

        if (ioctl(socket_fd, SIOCGIFNAME, &ifr) < 0)
                return negative_errno();
        (void) snprintf(ret, IFNAMSIZ, "%.*s", IFNAMSIZ - 1, ifr.ifr_name);
        return 0;
}

/** net_link_is_up - Return: whether the device @name is up, or -errno. */
int net_link_is_up(int socket_fd, const char *name) {
        struct ifreq ifr = {};

        (void) snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
        return ioctl(socket_fd, SIOCGIFFLAGS, &ifr) < 0 ? negative_errno() : !!(ifr.ifr_flags & IFF_UP);
}

/** net_link_free_index - a number that no device has, @wanted if it can be. Return: it, or -errno. */
int net_link_free_index(int socket_fd, int wanted) {
        char name[IFNAMSIZ];
        int r = net_link_name(socket_fd, wanted, name);

        for (int index = 1; r >= 0; index++) {
                r = net_link_name(socket_fd, index, name);
                wanted = index;
        }
        return r == -ENODEV ? wanted : r;
}

/**
 * net_link_move - into another network namespace, where it is down and has no addresses.
 * @name: there; may be a template.
 * @new_index: there; -EBUSY if somebody has it.
 *
 * Return: 0, or -errno. It may have been moved and not renamed then.
 */
int net_link_move(int socket_fd, int index, int target_ns_fd, const char *name, int new_index) {
        struct ifinfomsg head = { .ifi_family = AF_UNSPEC, .ifi_index = index };
        uint32_t fd = (uint32_t) target_ns_fd, number = (uint32_t) new_index;
        NetlinkRequest q;

        netlink_init(&q, RTM_NEWLINK, 0, &head, sizeof(head));
        netlink_put(&q, IFLA_NET_NS_FD, &fd, sizeof(fd));
        netlink_put(&q, IFLA_IFNAME, name, strlen(name) + 1);
        netlink_put(&q, IFLA_NEW_IFINDEX, &number, sizeof(number));
        return netlink_run(socket_fd, &q);
}

/** net_link_set_up - Return: 0, or -errno. */
int net_link_set_up(int socket_fd, int index) {
        struct ifinfomsg head = {
                .ifi_family = AF_UNSPEC, .ifi_index = index, .ifi_flags = IFF_UP, .ifi_change = IFF_UP
        };
        NetlinkRequest q;

        netlink_init(&q, RTM_NEWLINK, 0, &head, sizeof(head));
        return netlink_run(socket_fd, &q);
}

typedef struct Collection {
        int index;
        NetAddress *items;
        size_t n;
} Collection;

static void copy(const struct rtattr *a, uint8_t to[16], uint8_t *ret_size) {
        size_t n = MIN((size_t) RTA_PAYLOAD(a), (size_t) 16);

        memcpy(to, RTA_DATA(a), n);
        *ret_size = (uint8_t) n;
}

static void read_attribute(NetAddress *a, const struct rtattr *attr) {
        switch (attr->rta_type) {
        case IFA_LOCAL:
                copy(attr, a->local, &a->local_size);
                break;
        case IFA_ADDRESS:
                copy(attr, a->address, &a->address_size);
                break;
        case IFA_BROADCAST:
                copy(attr, a->broadcast, &a->broadcast_size);
                break;
        case IFA_FLAGS:
                memcpy(&a->flags, RTA_DATA(attr), MIN((size_t) RTA_PAYLOAD(attr), sizeof(a->flags)));
                break;
        case IFA_RT_PRIORITY:
                memcpy(&a->metric, RTA_DATA(attr), MIN((size_t) RTA_PAYLOAD(attr), sizeof(a->metric)));
                a->has_metric = true;
                break;
        default:
                break;
        }
}

/* Only what was given to the device for good and means the same everywhere. */
static bool is_kept(const NetAddress *a) {
        return a->flags & IFA_F_PERMANENT && a->head.ifa_scope == RT_SCOPE_UNIVERSE;
}

static int collect(const struct nlmsghdr *m, void *userdata) {
        Collection *c = userdata;
        NetAddress a = {}, *more;
        size_t left;

        if (m->nlmsg_type != RTM_NEWADDR || m->nlmsg_len < NLMSG_LENGTH(sizeof(a.head)))
                return 0;
        memcpy(&a.head, NLMSG_DATA(m), sizeof(a.head));
        a.flags = a.head.ifa_flags;
        left = m->nlmsg_len - NLMSG_SPACE(sizeof(a.head));
        for (const struct rtattr *attr = IFA_RTA(NLMSG_DATA(m)); RTA_OK(attr, left);
             attr = RTA_NEXT(attr, left))
                read_attribute(&a, attr);
        if ((int) a.head.ifa_index != c->index || !is_kept(&a))
                return 0;
        if (c->n >= ADDRESSES_MAX)
                return -E2BIG;
        more = reallocarray(c->items, c->n + 1, sizeof(*more));
        if (!more)
                return -ENOMEM;
        c->items = more;
        c->items[c->n++] = a;
        return 0;
}

/**
 * net_addresses_get - the permanent addresses of global scope, of any family, in the kernel's order.
 * @ret: owned by the caller.
 */
int net_addresses_get(int socket_fd, int index, NetAddress **ret, size_t *ret_n) {
        int r = -EAGAIN;

        for (unsigned i = 0; r == -EAGAIN && i < DUMP_TRIES; i++) {
                struct ifaddrmsg head = { .ifa_family = AF_UNSPEC, .ifa_index = (uint32_t) index };
                Collection c = { .index = index };
                NetlinkRequest q;

                netlink_init(&q, RTM_GETADDR, 0, &head, sizeof(head));
                r = netlink_dump(socket_fd, &q, collect, &c);
                if (r >= 0) {
                        *ret = c.items;
                        *ret_n = c.n;
                } else
                        free(c.items);
        }
        return r;
}

/** net_address_add - give @a to the device @index. Return: 0, or -errno. */
int net_address_add(int socket_fd, int index, const NetAddress *a) {
        uint32_t flags = a->flags & WISHES;
        struct ifaddrmsg head = a->head;
        NetlinkRequest q;

        /* Nobody else has it: that was found out where it comes from, and its link is still the same. */
        if (head.ifa_family == AF_INET6 && !(a->flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED)))
                flags |= IFA_F_NODAD;
        head.ifa_index = (uint32_t) index;
        head.ifa_flags = (uint8_t) flags;
        netlink_init(&q, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &head, sizeof(head));
        if (a->local_size > 0)
                netlink_put(&q, IFA_LOCAL, a->local, a->local_size);
        if (a->address_size > 0)
                netlink_put(&q, IFA_ADDRESS, a->address, a->address_size);
        if (a->broadcast_size > 0)
                netlink_put(&q, IFA_BROADCAST, a->broadcast, a->broadcast_size);
        if (a->has_metric)
                netlink_put(&q, IFA_RT_PRIORITY, &a->metric, sizeof(a->metric));
        netlink_put(&q, IFA_FLAGS, &flags, sizeof(flags));
        return netlink_run(socket_fd, &q);
}
