/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "netd.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "../basic/file.h"
#include "../basic/log.h"
#include "../basic/str.h"
#include "forwarding.h"
#include "link.h"
#include "netns.h"

/*
 * The requests of docs/contracts.md section 8. Each is done at once and completely: the kernel answers
 * netlink requests within microseconds, so there is no state between two requests except what lease.c keeps
 * on disk. If netd dies in the middle of an attach, the namespace dies with it (nobody else has its
 * descriptor), the veth with that, and the lease is freed at the next start or used by the container's next
 * attach.
 */

/**
 * netd_open - open everything that is needed later; nothing in the kernel is changed. On failure call
 * netd_close().
 */
int netd_open(Netd *d, const char *networks_dir, const char *containers_dir, const char *rules) {
        _cleanup_close_ int networks_fd = -EBADF;
        int r;

        d->host_fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
        if (d->host_fd < 0)
                return log_error_errno(negative_errno(), "Failed to open the network namespace: %m");
        d->containers_fd = open(containers_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (d->containers_fd < 0)
                d->containers_fd = -EBADF;
        r = rtnl_open(&d->rtnl);
        if (r < 0)
                return log_error_errno(r, "Failed to open rtnetlink: %m");
        r = firewall_open(rules, &d->firewall);
        if (r < 0)
                return log_error_errno(r, "Failed to open nfnetlink: %m");
        r = mkdir_parents(networks_dir, 0700);
        if (r < 0)
                return log_error_errno(r, "Failed to make %s: %m", networks_dir);
        networks_fd = open(networks_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (networks_fd < 0)
                return log_error_errno(negative_errno(), "Failed to open %s: %m", networks_dir);
        r = network_open(networks_fd, NETWORK_DEFAULT, &d->network);
        if (r < 0)
                return log_error_errno(r, "Failed to read network %s/%s: %m", networks_dir, NETWORK_DEFAULT);
        network_reconcile(&d->network, &d->rtnl, d->containers_fd);
        return 0;
}

/** netd_close - let go of everything; networks stay as they are. */
void netd_close(Netd *d) {
        network_close(&d->network);
        firewall_close(&d->firewall);
        rtnl_close(&d->rtnl);
        d->containers_fd = safe_close(d->containers_fd);
        d->host_fd = safe_close(d->host_fd);
}

/** netd_is_idle - no container has an address: nothing would be missed if we were not there. */
bool netd_is_idle(const Netd *d) {
        return !d->network.recorded || hashmap_size(d->network.leases.by_id) == 0;
}

static int load_rules(Netd *d) {
        FirewallNetwork n;

        network_firewall(&d->network, &n);
        return firewall_load(&d->firewall, &n, 1);
}

static int make_ready(Netd *d) {
        int r, changed;

        r = network_prepare(&d->network, &d->rtnl);
        if (r < 0)
                return log_error_errno(r, "No subnet for network %s: %m", NETWORK_DEFAULT);
        changed = network_up(&d->network, &d->rtnl);
        if (changed < 0)
                return log_error_errno(changed, "Failed to set up bridge %s: %m", d->network.bridge);
        if (d->ready && r == 0 && !changed)
                return 0;
        d->ready = false;
        r = load_rules(d);
        if (r < 0)
                return r;
        r = forwarding_enable_ipv4();
        if (r < 0)
                return log_error_errno(r, "Failed to switch IPv4 forwarding on: %m");
        if (d->network.ipv6) {
                r = forwarding_enable_ipv6();
                if (r < 0)
                        log_warning_errno(r,
                                          "Failed to switch IPv6 forwarding on, containers have IPv6 among "
                                          "themselves only: %m");
        }
        d->ready = true;
        return 0;
}

/** netd_restore - containers from before are served as before: bridge and rules are checked and mended. */
int netd_restore(Netd *d) {
        if (netd_is_idle(d))
                return 0;
        d->ready = false;
        return make_ready(d);
}

/**
 * netd_link_gone - interface @name may have gone. If it was a container's, its address is free; if it was
 * the bridge, and there are containers, it comes back.
 *
 * Removing a veth makes the kernel wait 10 to 30 ms, in which no other container can be connected. A
 * namespace without processes takes its veth along anyway, so detach only waits for that; netd_reap()
 * removes what is still there later.
 */
void netd_link_gone(Netd *d, const char *name) {
        unsigned index;
        Lease *l;

        if (d->ready && streq(name, d->network.bridge)) {
                (void) netd_restore(d);
                return;
        }
        l = d->network.recorded ? lease_by_link(&d->network.leases, name) : NULL;
        /* The event may be older than a new interface of the same name. */
        if (l && link_index(&d->rtnl, name, &index) == -ENODEV)
                lease_release(&d->network.leases, l);
}

/** netd_check_links - after events were lost: look at everything. */
void netd_check_links(Netd *d) {
        network_reconcile(&d->network, &d->rtnl, d->containers_fd);
}

/** netd_reap - remove the interfaces of detached containers that did not go by themselves. */
void netd_reap(Netd *d) {
        const LeaseTable *t = &d->network.leases;
        _cleanup_strv_ char **links = NULL;
        size_t position = 0;
        const char *id;
        void *value;
        int r = 0;

        d->leaving = false;
        if (!d->network.recorded)
                return;
        while (r >= 0 && hashmap_next(t->by_id, &position, &id, &value))
                if (((Lease *) value)->leaving)
                        r = strv_extend(&links, ((Lease *) value)->link);
        if (r < 0)
                d->leaving = true;
        for (char **l = links; l && *l; l++) {
                r = link_delete(&d->rtnl, *l);
                if (r < 0 && r != -ENODEV) {
                        log_warning_errno(r, "Failed to remove interface %s: %m", *l);
                        d->leaving = true;
                        continue;
                }
                netd_link_gone(d, *l);
        }
}

static int put_address6(Buffer *b, const char *key, const struct in6_addr *a) {
        char text[INET6_ADDRSTRLEN];

        if (!inet_ntop(AF_INET6, a, text, sizeof(text)))
                return negative_errno();
        return fields_put(b, '\n', key, text);
}

static int put_endpoint(Buffer *b, const Network *n, const Lease *l) {
        char address[INET_ADDRSTRLEN], gateway[INET_ADDRSTRLEN], mac_text[MAC_TEXT_MAX];
        uint8_t mac[MAC_SIZE];
        int r;

        address_format(l->address, address);
        address_format(n->gateway, gateway);
        address_to_mac(l->address, mac);
        mac_format(mac, mac_text);
        r = fields_put(b, '\n', "address", address);
        if (r >= 0)
                r = fields_putf(b, '\n', "prefix", "%u", n->subnet.prefix);
        if (r >= 0)
                r = fields_put(b, '\n', "gateway", gateway);
        if (r >= 0)
                r = fields_put(b, '\n', "mac", mac_text);
        if (r >= 0)
                r = fields_put(b, '\n', "ifname", ENDPOINT_IFNAME);
        if (r >= 0)
                r = fields_put(b, '\n', "link", l->link);
        if (r >= 0)
                r = fields_put(b, '\n', "endpoint", l->endpoint);
        if (r >= 0)
                r = fields_put(b, '\n', "network-id", n->id);
        if (r >= 0 && n->ipv6) {
                struct in6_addr a;

                prefix6_address(&n->prefix6, l->address, &a);
                r = put_address6(b, "address6", &a);
                if (r >= 0)
                        r = fields_put(b, '\n', "prefix6", "64");
                prefix6_address(&n->prefix6, 1, &a);
                if (r >= 0)
                        r = put_address6(b, "gateway6", &a);
        }
        return r;
}

static int connect_endpoint(Netd *d, const Lease *l, int *ret_fd) {
        _cleanup_close_ int netns_fd = -EBADF;
        _cleanup_rtnl_ Rtnl inside = {};
        char alias[CONTAINER_ID_LENGTH + 16];
        EndpointConfig c = {
                .link = l->link,
                .alias = alias,
                .bridge = d->network.bridge_index,
                .address = l->address,
                .gateway = d->network.gateway,
                .prefix = d->network.subnet.prefix,
                .prefix6 = d->network.ipv6 ? &d->network.prefix6 : NULL,
        };
        int r;

        (void) snprintf(alias, sizeof(alias), "container %s", l->container);
        r = netns_create(d->host_fd, &netns_fd, &inside);
        if (r < 0)
                return log_error_errno(r, "Failed to make a network namespace: %m");
        c.netns_fd = netns_fd;
        r = endpoint_create(&d->rtnl, &c);
        if (r == -EEXIST) {
                /* From an earlier start of this container, whose namespace has not quite gone yet. */
                (void) link_delete(&d->rtnl, l->link);
                r = endpoint_create(&d->rtnl, &c);
        }
        if (r >= 0)
                r = endpoint_configure(&inside, &c);
        if (r < 0)
                return log_error_errno(r, "Failed to connect container %.12s to %s: %m", l->container,
                                       d->network.bridge);
        *ret_fd = TAKE_FD(netns_fd);
        return 0;
}

/*
 * The address of a container that is gone is only taken back when it is needed: otherwise at our next start.
 */
static int acquire(Netd *d, const char *id, const char *name, Lease **ret) {
        int r = lease_acquire(&d->network.leases, id, name, ret);

        if (r != -EADDRNOTAVAIL)
                return r;
        network_reconcile(&d->network, &d->rtnl, d->containers_fd);
        return lease_acquire(&d->network.leases, id, name, ret);
}

static int attach(Netd *d, const char *id, const char *name, Buffer *reply, int *ret_fd) {
        Lease *l;
        int r, is_new;

        r = make_ready(d);
        if (r < 0)
                return r;
        is_new = acquire(d, id, name, &l);
        if (is_new < 0)
                return log_error_errno(is_new, "No address for container %.12s: %m", id);
        l->leaving = false;
        r = connect_endpoint(d, l, ret_fd);
        if (r >= 0)
                r = put_endpoint(reply, &d->network, l);
        if (r < 0 && is_new)
                lease_release(&d->network.leases, l);
        return r;
}

static const char *unknown_field(const Message *m, const char *const *known) {
        for (size_t i = 0; i < m->fields.n; i++) {
                const char *const *k = known;

                while (*k && !streq(*k, m->fields.items[i].key))
                        k++;
                if (!*k)
                        return m->fields.items[i].key;
        }
        return NULL;
}

/* Return: 0 when the request may go on; else the reply is complete (1) or could not be made (-errno). */
static int refuse_unknown(const Message *m, const char *const *known, Buffer *reply) {
        _cleanup_free_ char *text = NULL;
        const char *key = unknown_field(m, known);
        int r;

        if (!key)
                return 0;
        text = str_concat("option not supported: ", key);
        if (!text)
                return -ENOMEM;
        r = message_put_reply(reply, fields_get(&m->fields, "seq"), -EOPNOTSUPP, text);
        return r < 0 ? r : 1;
}

static int handle_attach(Netd *d, const Message *m, Buffer *reply, int *ret_fd) {
        static const char *const known[] = { "verb", "seq", "container", "name", "network", NULL };
        _cleanup_buffer_ Buffer answer = BUFFER_INIT(FIELDS_TEXT_MAX);
        const char *seq = fields_get(&m->fields, "seq"), *network = fields_get(&m->fields, "network");
        const char *id = strempty(fields_get(&m->fields, "container"));
        _cleanup_close_ int fd = -EBADF;
        int r;

        r = refuse_unknown(m, known, reply);
        if (r != 0)
                return r;
        if (!container_id_is_valid(id))
                return message_put_reply(reply, seq, -EINVAL, "container: not a container id");
        if (network && !streq(network, NETWORK_DEFAULT)) {
                _cleanup_free_ char *text = str_concat("network not supported: ", network);

                return text ? message_put_reply(reply, seq, -EOPNOTSUPP, text) : -ENOMEM;
        }
        r = message_put_reply(&answer, seq, 0, NULL);
        if (r >= 0)
                r = attach(d, id, strempty(fields_get(&m->fields, "name")), &answer, &fd);
        if (r < 0)
                return message_put_reply(reply, seq, r, NULL);
        r = buffer_append(reply, answer.data, answer.size);
        if (r < 0)
                return r;
        *ret_fd = TAKE_FD(fd);
        return 0;
}

static int handle_detach(Netd *d, const Message *m, Buffer *reply) {
        static const char *const known[] = { "verb", "seq", "container", "network", NULL };
        const char *seq = fields_get(&m->fields, "seq"), *id = strempty(fields_get(&m->fields, "container"));
        Lease *l;
        int r;

        r = refuse_unknown(m, known, reply);
        if (r != 0)
                return r;
        if (!container_id_is_valid(id))
                return message_put_reply(reply, seq, -EINVAL, "container: not a container id");
        l = d->network.recorded ? lease_get(&d->network.leases, id) : NULL;
        if (l) {
                l->leaving = true;
                netd_link_gone(d, l->link);
                d->leaving = true;
        }
        /* Twice is fine: what was asked for is so. */
        return message_put_reply(reply, seq, 0, NULL);
}

/* As many leases as fit with room to spare; @after continues from there. */
#define LIST_PAGE 300

static int put_leases(const Network *n, uint32_t after, Buffer *reply) {
        const LeaseTable *t = &n->leases;
        size_t position = 0, count = 0;
        const char *id;
        void *value;

        while (hashmap_next(t->by_id, &position, &id, &value)) {
                const Lease *l = value;
                char address[INET_ADDRSTRLEN];
                int r;

                if (position <= after)
                        continue;
                if (++count > LIST_PAGE)
                        return fields_putf(reply, '\n', "more", "%zu", position - 1);
                address_format(l->address, address);
                r = fields_putf(reply, '\n', "lease", "%s %s %s", address, l->container, l->endpoint);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int handle_list(Netd *d, const Message *m, Buffer *reply) {
        static const char *const known[] = { "verb", "seq", "after", NULL };
        const char *seq = fields_get(&m->fields, "seq");
        char subnet[SUBNET_TEXT_MAX], gateway[INET_ADDRSTRLEN];
        const Network *n = &d->network;
        uint64_t after = 0;
        int r;

        r = refuse_unknown(m, known, reply);
        if (r != 0)
                return r;
        if (fields_get(&m->fields, "after") && fields_get_u64(&m->fields, "after", UINT32_MAX, &after) < 0)
                return message_put_reply(reply, seq, -EINVAL, "after: not a number");
        r = message_put_reply(reply, seq, 0, NULL);
        if (r < 0 || !n->recorded)
                return r;
        subnet_format(&n->subnet, subnet);
        address_format(n->gateway, gateway);
        r = fields_put(reply, '\n', "network", NETWORK_DEFAULT);
        if (r >= 0)
                r = fields_put(reply, '\n', "network-id", n->id);
        if (r >= 0)
                r = fields_put(reply, '\n', "bridge", n->bridge);
        if (r >= 0)
                r = fields_put(reply, '\n', "subnet", subnet);
        if (r >= 0)
                r = fields_put(reply, '\n', "gateway", gateway);
        return r < 0 ? r : put_leases(n, (uint32_t) after, reply);
}

/**
 * netd_handle - do what @request asks and write the reply.
 * @ret_fd: set to a descriptor that goes with the reply, if there is one; owned by the caller.
 *
 * Return: 0 or positive with a reply in @reply, -errno if none could be written.
 */
int netd_handle(Netd *d, const Message *request, Buffer *reply, int *ret_fd) {
        const char *verb = message_verb(request), *seq = fields_get(&request->fields, "seq");
        _cleanup_free_ char *text = NULL;

        if (streq(verb, "attach"))
                return handle_attach(d, request, reply, ret_fd);
        if (streq(verb, "detach"))
                return handle_detach(d, request, reply);
        if (streq(verb, "list"))
                return handle_list(d, request, reply);
        text = str_concat("unknown verb: ", verb);
        return text ? message_put_reply(reply, seq, -EOPNOTSUPP, text) : -ENOMEM;
}
