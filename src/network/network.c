/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "network.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "../basic/clock.h"
#include "../basic/fd.h"
#include "../basic/file.h"
#include "../basic/log.h"
#include "../basic/str.h"
#include "../shared/fields.h"
#include "link.h"

/*
 * The description of a network is written once, when its first container starts: the subnet is chosen then,
 * away from whatever the host uses. It is chosen again only if the host came to use that subnet itself later
 * (a VPN, a moved laptop) and no container holds an address of it.
 */

#define RECORD_FILE "network"
#define LEASES_DIR  "leases"
#define RECORD_MAX  4096

static int record_parse(Network *n, const Fields *f) {
        const char *id = strempty(fields_get(f, "id")), *bridge = strempty(fields_get(f, "bridge"));
        const char *prefix6 = fields_get(f, "prefix6");

        if (!container_id_is_valid(id) || isempty(bridge) || strlen(bridge) >= sizeof(n->bridge))
                return -EBADMSG;
        if (subnet_parse(strempty(fields_get(f, "subnet")), &n->subnet) < 0 ||
            address_parse(strempty(fields_get(f, "gateway")), &n->gateway) < 0 ||
            !subnet_contains(&n->subnet, n->gateway))
                return -EBADMSG;
        if (prefix6 && inet_pton(AF_INET6, prefix6, &n->prefix6) != 1)
                return -EBADMSG;
        n->ipv6 = prefix6;
        memcpy(n->id, id, sizeof(n->id));
        memcpy(n->bridge, bridge, strlen(bridge) + 1);
        n->recorded = true;
        return 0;
}

static int record_write(const Network *n) {
        _cleanup_buffer_ Buffer b = BUFFER_INIT(RECORD_MAX);
        char subnet[SUBNET_TEXT_MAX], gateway[INET_ADDRSTRLEN], prefix6[INET6_ADDRSTRLEN];
        int r;

        subnet_format(&n->subnet, subnet);
        address_format(n->gateway, gateway);
        r = fields_put(&b, '\n', "id", n->id);
        if (r >= 0)
                r = fields_put(&b, '\n', "driver", "bridge");
        if (r >= 0)
                r = fields_put(&b, '\n', "bridge", n->bridge);
        if (r >= 0)
                r = fields_put(&b, '\n', "subnet", subnet);
        if (r >= 0)
                r = fields_put(&b, '\n', "gateway", gateway);
        if (r >= 0 && n->ipv6 && inet_ntop(AF_INET6, &n->prefix6, prefix6, sizeof(prefix6)))
                r = fields_put(&b, '\n', "prefix6", prefix6);
        if (r >= 0)
                r = fields_putf(&b, '\n', "created-at", "%" PRIu64, now_realtime());
        if (r < 0)
                return r;
        return write_file_at(n->dir_fd, RECORD_FILE, b.data, b.size, 0600, WRITE_REPLACE | WRITE_SYNC);
}

static int open_leases(Network *n) {
        _cleanup_close_ int fd = -EBADF;

        if (mkdirat(n->dir_fd, LEASES_DIR, 0700) < 0 && errno != EEXIST)
                return negative_errno();
        fd = openat(n->dir_fd, LEASES_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0)
                return negative_errno();
        return lease_table_open(fd, &n->subnet, n->gateway, &n->leases);
}

/**
 * network_open - read what is recorded of network @name.
 * @networks_fd: /var/lib/berth/networks, borrowed.
 *
 * Return: 0 also when nothing is recorded yet; -EBADMSG for a damaged record, -errno.
 */
int network_open(int networks_fd, const char *name, Network *ret) {
        _cleanup_(network_close) Network n = { .dir_fd = -EBADF, .leases = LEASE_TABLE_INIT };
        _cleanup_fields_ Fields f = {};
        int r;

        if (mkdirat(networks_fd, name, 0700) < 0 && errno != EEXIST)
                return negative_errno();
        n.dir_fd = openat(networks_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        if (n.dir_fd < 0)
                return negative_errno();
        r = fields_load_at(n.dir_fd, RECORD_FILE, &f);
        if (r >= 0)
                r = record_parse(&n, &f);
        else if (r == -ENOENT)
                r = 0;
        if (r >= 0 && n.recorded)
                r = open_leases(&n);
        if (r < 0)
                return r;
        *ret = n;
        n = (Network){ .dir_fd = -EBADF, .leases = LEASE_TABLE_INIT };
        return 0;
}

/** network_close - forget it; kernel objects and files stay. */
void network_close(Network *n) {
        lease_table_done(&n->leases);
        n->dir_fd = safe_close(n->dir_fd);
}

static int choose_subnet(Network *n, Rtnl *rtnl) {
        Subnet s;

        for (size_t i = 0; subnet_candidate(i, &s); i++) {
                int r = subnet_is_taken(rtnl, &s, n->bridge);

                if (r < 0)
                        return r;
                if (r > 0)
                        continue;
                n->subnet = s;
                n->gateway = s.base + 1;
                return 0;
        }
        return -EADDRNOTAVAIL;
}

static int make_record(Network *n, Rtnl *rtnl) {
        char text[SUBNET_TEXT_MAX];
        int r;

        (void) snprintf(n->bridge, sizeof(n->bridge), NETWORK_DEFAULT_BRIDGE);
        r = choose_subnet(n, rtnl);
        if (r >= 0 && !n->id[0])
                r = random_hex(CONTAINER_ID_LENGTH / 2, n->id);
        if (r >= 0 && !n->ipv6)
                r = prefix6_random(&n->prefix6);
        if (r < 0)
                return r;
        n->ipv6 = true;
        r = record_write(n);
        if (r >= 0)
                r = open_leases(n);
        if (r < 0)
                return r;
        n->recorded = true;
        subnet_format(&n->subnet, text);
        log_info("Network %s uses %s on bridge %s.", NETWORK_DEFAULT, text, n->bridge);
        return 0;
}

/**
 * network_prepare - the network has a subnet and leases.
 *
 * Return: 1 if the subnet was chosen now, 0 if it was there, -EADDRNOTAVAIL if the host uses all candidates,
 * -errno.
 */
int network_prepare(Network *n, Rtnl *rtnl) {
        int r;

        if (n->recorded) {
                if (n->bridge_index != 0 || hashmap_size(n->leases.by_id) > 0)
                        return 0;
                r = subnet_is_taken(rtnl, &n->subnet, n->bridge);
                if (r <= 0)
                        return r;
                (void) link_delete(rtnl, n->bridge);
                lease_table_done(&n->leases);
                n->recorded = false;
        }
        r = make_record(n, rtnl);
        return r < 0 ? r : 1;
}

/* Containers that were on a bridge that somebody removed. */
static void adopt_endpoints(Network *n, Rtnl *rtnl) {
        size_t position = 0;
        const char *id;
        void *value;
        int r;

        while (hashmap_next(n->leases.by_id, &position, &id, &value)) {
                const Lease *l = value;

                r = link_set_master(rtnl, l->link, n->bridge_index);
                if (r < 0 && r != -ENODEV)
                        log_warning_errno(r, "Failed to put %s into bridge %s: %m", l->link, n->bridge);
        }
}

/**
 * network_up - the bridge exists and has its addresses. @n must be prepared. Return: 1 if anything was done,
 * 0, -errno.
 */
int network_up(Network *n, Rtnl *rtnl) {
        BridgeConfig c = { .name = n->bridge,
                           .subnet = n->subnet,
                           .gateway = n->gateway,
                           .prefix6 = n->ipv6 ? &n->prefix6 : NULL };
        unsigned index;
        int r;

        /* Somebody may have removed or replaced the bridge. */
        if (n->bridge_index != 0 && link_index(rtnl, n->bridge, &index) >= 0 && index == n->bridge_index)
                return 0;
        r = bridge_ensure(rtnl, &c, &index);
        if (r == -EACCES || r == -EOPNOTSUPP) {
                /* IPv6 is switched off on this host: go without for as long as we run. */
                n->ipv6 = false;
                c.prefix6 = NULL;
                r = bridge_ensure(rtnl, &c, &index);
        }
        if (r < 0)
                return r;
        n->bridge_index = index;
        adopt_endpoints(n, rtnl);
        return 1;
}

/** network_firewall - @n as the packet filter sees it; borrowed from @n. */
void network_firewall(const Network *n, FirewallNetwork *ret) {
        *ret = (FirewallNetwork){ n->bridge, n->subnet, n->ipv6 ? &n->prefix6 : NULL };
}

typedef struct PortList {
        Network *network;
        unsigned bridge; /* 0: there is none */
        char **orphans;
        Hashmap *seen; /* container id -> Lease */
        int error;
} PortList;

static void sort_port(const char *name, unsigned master, void *userdata) {
        PortList *p = userdata;
        Lease *l = lease_by_link(&p->network->leases, name);
        int r = 0;

        if (l)
                r = hashmap_put(p->seen, l->container, l);
        else if (p->bridge != 0 && master == p->bridge && startswith(name, LEASE_LINK_PREFIX))
                r = strv_extend(&p->orphans, name);
        if (r < 0)
                p->error = r;
}

/* A list of interfaces that changed while the kernel gave it out may lack some, and the address of a
 * container that runs must never be given to another: each is asked for by name before. */
static void release_unseen(Network *n, Rtnl *rtnl, const Hashmap *seen) {
        for (bool again = true; again;) {
                size_t position = 0;
                const char *id;
                void *l;

                again = false;
                while (hashmap_next(n->leases.by_id, &position, &id, &l)) {
                        unsigned index;

                        if (hashmap_get(seen, id) ||
                            link_index(rtnl, ((Lease *) l)->link, &index) != -ENODEV)
                                continue;
                        log_info("Freeing the address of container %.12s, which has no interface any more.",
                                 id);
                        lease_release(&n->leases, l);
                        again = true;
                        break;
                }
        }
}

/**
 * network_reconcile - after a start: leases and interfaces agree. A lease is worth something only as long as
 * the interface exists, which goes with the container's last process; an interface only if somebody holds
 * its lease.
 * @containers_fd: /var/lib/berth/containers or -EBADF, borrowed; leases of removed containers go too.
 */
void network_reconcile(Network *n, Rtnl *rtnl, int containers_fd) {
        _cleanup_hashmap_ Hashmap *seen = hashmap_new();
        _cleanup_strv_ char **orphans = NULL;
        PortList p = { .network = n, .seen = seen };
        int r;

        if (!n->recorded || !seen)
                return;
        if (containers_fd >= 0)
                (void) lease_sweep(&n->leases, containers_fd);
        (void) link_index(rtnl, n->bridge, &p.bridge);
        r = link_each(rtnl, sort_port, &p);
        orphans = p.orphans;
        if (r < 0 || p.error < 0) {
                log_warning_errno(r < 0 ? r : p.error, "Failed to look at the interfaces of %s: %m",
                                  n->bridge);
                return;
        }
        release_unseen(n, rtnl, seen);
        for (char **o = orphans; o && *o; o++) {
                log_info("Removing interface %s, which belongs to no container.", *o);
                (void) link_delete(rtnl, *o);
        }
}
