/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "link.h"

#include <arpa/inet.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>

/*
 * The kernel objects of a bridge network. An endpoint is made by two batches (0.4 ms together): one on the
 * host that makes the veth pair with its peer already in the container's namespace, one inside that gives it
 * its addresses. The peer of a veth cannot be created up, so the order inside is: up, addresses, routes.
 */

static struct ifinfomsg *put_link(struct nlmsghdr *h, unsigned index) {
        struct ifinfomsg *i = mnl_nlmsg_put_extra_header(h, sizeof(*i));

        i->ifi_family = AF_UNSPEC;
        i->ifi_index = (int) index;
        return i;
}

static int take_index(const struct nlmsghdr *h, void *userdata) {
        const struct ifinfomsg *i = mnl_nlmsg_get_payload(h);

        *(unsigned *) userdata = (unsigned) i->ifi_index;
        return 0;
}

/** link_index - Return: 0, -ENODEV if there is no interface @name. */
int link_index(Rtnl *rtnl, const char *name, unsigned *ret) {
        RtnlBatch b;
        struct nlmsghdr *h;

        rtnl_batch_init(&b);
        h = rtnl_batch_add(&b, RTM_GETLINK, 0);
        put_link(h, 0);
        mnl_attr_put_strz(h, IFLA_IFNAME, name);
        return rtnl_query(rtnl, &b, take_index, ret);
}

/** link_delete - Return: 0, -ENODEV if it is gone already. */
int link_delete(Rtnl *rtnl, const char *name) {
        RtnlBatch b;
        struct nlmsghdr *h;

        rtnl_batch_init(&b);
        h = rtnl_batch_add(&b, RTM_DELLINK, 0);
        put_link(h, 0);
        mnl_attr_put_strz(h, IFLA_IFNAME, name);
        return rtnl_batch_run(rtnl, &b, NULL);
}

static void add_address4(RtnlBatch *b, unsigned index, uint32_t address, unsigned prefix) {
        struct nlmsghdr *h = rtnl_batch_add(b, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE);
        struct ifaddrmsg *a = mnl_nlmsg_put_extra_header(h, sizeof(*a));

        a->ifa_family = AF_INET;
        a->ifa_prefixlen = (uint8_t) prefix;
        a->ifa_index = index;
        mnl_attr_put_u32(h, IFA_LOCAL, htonl(address));
        mnl_attr_put_u32(h, IFA_ADDRESS, htonl(address));
        mnl_attr_put_u32(h, IFA_BROADCAST, htonl(address | ~subnet_mask(prefix)));
}

/* Nobody else can have these: without duplicate address detection they work at once. */
static void add_address6(RtnlBatch *b, unsigned index, const struct in6_addr *address) {
        struct nlmsghdr *h = rtnl_batch_add(b, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE);
        struct ifaddrmsg *a = mnl_nlmsg_put_extra_header(h, sizeof(*a));

        a->ifa_family = AF_INET6;
        a->ifa_prefixlen = 64;
        a->ifa_flags = IFA_F_NODAD;
        a->ifa_index = index;
        mnl_attr_put(h, IFA_ADDRESS, sizeof(*address), address);
}

static void add_default_route(RtnlBatch *b, unsigned index, int family, const void *gateway, size_t size) {
        struct nlmsghdr *h = rtnl_batch_add(b, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE);
        struct rtmsg *m = mnl_nlmsg_put_extra_header(h, sizeof(*m));

        m->rtm_family = (uint8_t) family;
        m->rtm_table = RT_TABLE_MAIN;
        m->rtm_protocol = RTPROT_STATIC;
        m->rtm_scope = RT_SCOPE_UNIVERSE;
        m->rtm_type = RTN_UNICAST;
        mnl_attr_put(h, RTA_GATEWAY, size, gateway);
        mnl_attr_put_u32(h, RTA_OIF, index);
}

static void add_link_up(RtnlBatch *b, unsigned index) {
        struct ifinfomsg *i = put_link(rtnl_batch_add(b, RTM_NEWLINK, 0), index);

        i->ifi_flags = IFF_UP;
        i->ifi_change = IFF_UP;
}

static int bridge_create(Rtnl *rtnl, const BridgeConfig *c) {
        uint8_t mac[MAC_SIZE];
        struct nlattr *info;
        struct nlmsghdr *h;
        RtnlBatch b;

        /*
         * A fixed address: else a bridge takes the lowest of its ports' and changes it as they come and go.
         */
        address_to_mac(c->gateway, mac);
        rtnl_batch_init(&b);
        h = rtnl_batch_add(&b, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
        put_link(h, 0);
        mnl_attr_put_strz(h, IFLA_IFNAME, c->name);
        mnl_attr_put(h, IFLA_ADDRESS, sizeof(mac), mac);
        info = mnl_attr_nest_start(h, IFLA_LINKINFO);
        mnl_attr_put_strz(h, IFLA_INFO_KIND, "bridge");
        mnl_attr_nest_end(h, info);
        return rtnl_batch_run(rtnl, &b, NULL);
}

typedef struct BridgeLook {
        unsigned index;
        bool is_bridge;
} BridgeLook;

static int look_at_bridge(const struct nlmsghdr *h, void *userdata) {
        BridgeLook *look = userdata;
        const struct nlattr *attr, *nested;

        take_index(h, &look->index);
        mnl_attr_for_each(attr, h, sizeof(struct ifinfomsg)) {
                if (mnl_attr_get_type(attr) != IFLA_LINKINFO)
                        continue;
                mnl_attr_for_each_nested(nested,
                                         attr) if (mnl_attr_get_type(nested) == IFLA_INFO_KIND &&
                                                   mnl_attr_validate(nested, MNL_TYPE_NUL_STRING) >= 0)
                                look->is_bridge = streq(mnl_attr_get_str(nested), "bridge");
        }
        return 0;
}

static int bridge_find(Rtnl *rtnl, const char *name, unsigned *ret_index) {
        BridgeLook look = {};
        struct nlmsghdr *h;
        RtnlBatch b;
        int r;

        rtnl_batch_init(&b);
        h = rtnl_batch_add(&b, RTM_GETLINK, 0);
        put_link(h, 0);
        mnl_attr_put_strz(h, IFLA_IFNAME, name);
        r = rtnl_query(rtnl, &b, look_at_bridge, &look);
        if (r < 0)
                return r;
        if (!look.is_bridge)
                return -EEXIST;
        *ret_index = look.index;
        return 0;
}

/**
 * bridge_ensure - the bridge exists, is up and has its addresses; what is there already is kept.
 *
 * Return: 0, -EEXIST if the name belongs to an interface that is no bridge, -errno.
 */
int bridge_ensure(Rtnl *rtnl, const BridgeConfig *c, unsigned *ret_index) {
        RtnlBatch b;
        unsigned index;
        int r;

        r = bridge_find(rtnl, c->name, &index);
        if (r == -ENODEV) {
                r = bridge_create(rtnl, c);
                if (r >= 0)
                        r = bridge_find(rtnl, c->name, &index);
        }
        if (r < 0)
                return r;
        rtnl_batch_init(&b);
        add_link_up(&b, index);
        add_address4(&b, index, c->gateway, c->subnet.prefix);
        r = rtnl_batch_run(rtnl, &b, NULL);
        if (r < 0)
                return r;
        if (c->prefix6) {
                struct in6_addr gateway6;

                prefix6_address(c->prefix6, 1, &gateway6);
                rtnl_batch_init(&b);
                add_address6(&b, index, &gateway6);
                r = rtnl_batch_run(rtnl, &b, NULL);
                if (r < 0)
                        return r;
        }
        *ret_index = index;
        return 0;
}

/**
 * endpoint_create - make the veth pair: host side up and in the bridge, peer `eth0` in the namespace.
 *
 * Return: 0, -EEXIST if the name of the host side is taken, -ENODEV if the bridge is gone, -errno.
 */
int endpoint_create(Rtnl *host, const EndpointConfig *c) {
        struct nlattr *info, *data, *peer;
        uint8_t mac[MAC_SIZE];
        struct ifinfomsg *i;
        struct nlmsghdr *h;
        RtnlBatch b;

        address_to_mac(c->address, mac);
        rtnl_batch_init(&b);
        h = rtnl_batch_add(&b, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
        i = put_link(h, 0);
        i->ifi_flags = IFF_UP;
        i->ifi_change = IFF_UP;
        mnl_attr_put_strz(h, IFLA_IFNAME, c->link);
        mnl_attr_put_u32(h, IFLA_MASTER, c->bridge);
        info = mnl_attr_nest_start(h, IFLA_LINKINFO);
        mnl_attr_put_strz(h, IFLA_INFO_KIND, "veth");
        data = mnl_attr_nest_start(h, IFLA_INFO_DATA);
        peer = mnl_attr_nest_start(h, VETH_INFO_PEER);
        put_link(h, 0);
        mnl_attr_put_strz(h, IFLA_IFNAME, ENDPOINT_IFNAME);
        mnl_attr_put(h, IFLA_ADDRESS, sizeof(mac), mac);
        mnl_attr_put_u32(h, IFLA_NET_NS_FD, (uint32_t) c->netns_fd);
        mnl_attr_nest_end(h, peer);
        mnl_attr_nest_end(h, data);
        mnl_attr_nest_end(h, info);

        /* The alias cannot be given at creation. */
        h = rtnl_batch_add(&b, RTM_NEWLINK, 0);
        put_link(h, 0);
        mnl_attr_put_strz(h, IFLA_IFNAME, c->link);
        mnl_attr_put_strz(h, IFLA_IFALIAS, c->alias);
        return rtnl_batch_run(host, &b, NULL);
}

/**
 * endpoint_configure - inside the namespace: loopback and eth0 up, addresses, default routes.
 * @inside: a socket that was opened in the namespace.
 */
int endpoint_configure(Rtnl *inside, const EndpointConfig *c) {
        uint32_t gateway = htonl(c->gateway);
        RtnlBatch b;
        unsigned index;
        int r;

        r = link_index(inside, ENDPOINT_IFNAME, &index);
        if (r < 0)
                return r;
        rtnl_batch_init(&b);
        add_link_up(&b, 1);
        add_link_up(&b, index);
        add_address4(&b, index, c->address, c->prefix);
        add_default_route(&b, index, AF_INET, &gateway, sizeof(gateway));
        if (c->prefix6) {
                struct in6_addr address6, gateway6;

                prefix6_address(c->prefix6, c->address, &address6);
                prefix6_address(c->prefix6, 1, &gateway6);
                add_address6(&b, index, &address6);
                add_default_route(&b, index, AF_INET6, &gateway6, sizeof(gateway6));
        }
        return rtnl_batch_run(inside, &b, NULL);
}

typedef struct LinkWalk {
        LinkHandler handler;
        void *userdata;
} LinkWalk;

static int visit_link(const struct nlmsghdr *h, void *userdata) {
        const LinkWalk *w = userdata;
        const struct nlattr *attr;
        const char *name = NULL;
        unsigned master = 0;

        mnl_attr_for_each(attr, h, sizeof(struct ifinfomsg)) {
                if (mnl_attr_get_type(attr) == IFLA_IFNAME &&
                    mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) >= 0)
                        name = mnl_attr_get_str(attr);
                else if (mnl_attr_get_type(attr) == IFLA_MASTER &&
                         mnl_attr_validate(attr, MNL_TYPE_U32) >= 0)
                        master = mnl_attr_get_u32(attr);
        }
        if (name)
                w->handler(name, master, w->userdata);
        return 0;
}

/** link_each - call @handler, which must not use @rtnl, for each interface. */
int link_each(Rtnl *rtnl, LinkHandler handler, void *userdata) {
        LinkWalk w = { handler, userdata };
        RtnlBatch b;

        rtnl_batch_init(&b);
        put_link(rtnl_batch_add(&b, RTM_GETLINK, NLM_F_DUMP), 0);
        return rtnl_query(rtnl, &b, visit_link, &w);
}

/** link_set_master - put interface @name into the bridge with index @bridge. */
int link_set_master(Rtnl *rtnl, const char *name, unsigned bridge) {
        struct nlmsghdr *h;
        RtnlBatch b;

        rtnl_batch_init(&b);
        h = rtnl_batch_add(&b, RTM_NEWLINK, 0);
        put_link(h, 0);
        mnl_attr_put_strz(h, IFLA_IFNAME, name);
        mnl_attr_put_u32(h, IFLA_MASTER, bridge);
        return rtnl_batch_run(rtnl, &b, NULL);
}

/** link_watch_open - Return: 0 or -errno. */
int link_watch_open(Rtnl *ret) {
        struct mnl_socket *s = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
        int group = RTNLGRP_LINK;

        if (!s)
                return negative_errno();
        if (mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID) < 0 ||
            mnl_socket_setsockopt(s, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0) {
                int r = negative_errno();

                (void) mnl_socket_close(s);
                return r;
        }
        *ret = (Rtnl){ .socket = s };
        return 0;
}

static void report_gone(const struct nlmsghdr *h, LinkHandler handler, void *userdata) {
        const struct ifinfomsg *i = mnl_nlmsg_get_payload(h);
        const struct nlattr *attr;

        /* A bridge says DELLINK of its own family when a port leaves it. */
        if (h->nlmsg_type != RTM_DELLINK || i->ifi_family != AF_UNSPEC)
                return;
        mnl_attr_for_each(attr, h, sizeof(*i)) if (mnl_attr_get_type(attr) == IFLA_IFNAME &&
                                                   mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) >= 0)
                        handler(mnl_attr_get_str(attr), 0, userdata);
}

/**
 * link_watch_read - call @handler for each interface that went since the last time.
 *
 * Return: 0, -ENOBUFS if some were missed, -errno.
 */
int link_watch_read(Rtnl *watch, LinkHandler handler, void *userdata) {
        char buf[32 * 1024] __attribute__((aligned(8)));

        for (;;) {
                ssize_t n = mnl_socket_recvfrom(watch->socket, buf, sizeof(buf));
                int left = (int) n;

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return errno == EAGAIN ? 0 : negative_errno();
                for (struct nlmsghdr *h = (void *) buf; mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left))
                        report_gone(h, handler, userdata);
        }
}

typedef struct TakenCheck {
        Subnet subnet;
        unsigned except;
        bool taken;
} TakenCheck;

static int check_route(const struct nlmsghdr *h, void *userdata) {
        const struct rtmsg *m = mnl_nlmsg_get_payload(h);
        TakenCheck *c = userdata;
        const struct nlattr *attr;
        Subnet route = { 0, m->rtm_dst_len };
        unsigned oif = 0;

        if (m->rtm_family != AF_INET || m->rtm_dst_len == 0 || m->rtm_dst_len > 32)
                return 0;
        mnl_attr_for_each(attr, h, sizeof(*m)) {
                if (mnl_attr_get_type(attr) == RTA_DST && mnl_attr_validate(attr, MNL_TYPE_U32) >= 0)
                        route.base = ntohl(mnl_attr_get_u32(attr));
                else if (mnl_attr_get_type(attr) == RTA_OIF && mnl_attr_validate(attr, MNL_TYPE_U32) >= 0)
                        oif = mnl_attr_get_u32(attr);
        }
        if ((c->except == 0 || oif != c->except) && subnet_overlaps(&c->subnet, &route))
                c->taken = true;
        return 0;
}

/**
 * subnet_is_taken - whether the host has a route to, or an address in, any part of @s (all routing tables;
 * the default route does not count).
 * @except_link: interface whose routes do not count, may be absent or NULL.
 *
 * Return: 1 or 0, -errno.
 */
int subnet_is_taken(Rtnl *rtnl, const Subnet *s, const char *except_link) {
        TakenCheck c = { .subnet = *s };
        struct rtmsg *m;
        RtnlBatch b;
        int r;

        if (except_link) {
                r = link_index(rtnl, except_link, &c.except);
                if (r < 0 && r != -ENODEV)
                        return r;
        }
        rtnl_batch_init(&b);
        m = mnl_nlmsg_put_extra_header(rtnl_batch_add(&b, RTM_GETROUTE, NLM_F_DUMP), sizeof(*m));
        m->rtm_family = AF_INET;
        r = rtnl_query(rtnl, &b, check_route, &c);
        return r < 0 ? r : c.taken;
}
