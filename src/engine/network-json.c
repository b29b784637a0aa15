/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What clients are told of a container's network. The address is in the container's own hosts file, where
 * the set-up wrote it at start; the lease of that address and the network's description are netd's files.
 * Nothing here asks a daemon.
 */
#include "network-json.h"

#include <arpa/inet.h>
#include <fcntl.h>

#include "../basic/file.h"
#include "../basic/json.h"
#include "../basic/str.h"
#include "../shared/fields.h"
#include "option-table.h"

#define HOSTS_MAX (512 * 1024)
#define HOSTS_MARK "\t# berth"

typedef struct Endpoint {
        char address[INET_ADDRSTRLEN];
        char gateway[INET_ADDRSTRLEN];
        char address6[INET6_ADDRSTRLEN];
        char gateway6[INET6_ADDRSTRLEN];
        char mac[24];
        char id[65];
        char network_id[65];
        int64_t prefix, prefix6;
} Endpoint;

/* The last line of hosts that the set-up marked as its own. */
static int read_address(Container *c, char ret[INET_ADDRSTRLEN]) {
        _cleanup_free_ char *text = NULL;
        char *mark, *line;
        size_t n;
        int r;

        r = read_file_at(c->dir_fd, "hosts", HOSTS_MAX, &text, NULL);
        if (r < 0)
                return r;
        mark = strstr(text, HOSTS_MARK);
        if (!mark)
                return -ENOENT;
        *mark = 0;
        line = strrchr(text, '\n');
        line = line ? line + 1 : text;
        n = strcspn(line, "\t");
        if (n == 0 || n >= INET_ADDRSTRLEN)
                return -EBADMSG;
        memcpy(ret, line, n);
        ret[n] = 0;
        return 0;
}

static void copy_hex(char ret[65], const char *s) {
        if (s && strlen(s) == 64)
                memcpy(ret, s, 65);
}

static void fill_ipv6(Endpoint *e, const struct in_addr *address, const char *prefix) {
        struct in6_addr a;

        if (!prefix || inet_pton(AF_INET6, prefix, &a) != 1)
                return;
        memcpy(a.s6_addr + 12, &address->s_addr, 4);
        (void) inet_ntop(AF_INET6, &a, e->address6, sizeof(e->address6));
        memset(a.s6_addr + 12, 0, 3);
        a.s6_addr[15] = 1;
        (void) inet_ntop(AF_INET6, &a, e->gateway6, sizeof(e->gateway6));
        e->prefix6 = 64;
}

static void fill_network(Endpoint *e, const struct in_addr *address) {
        _cleanup_fields_ Fields f = {};
        const char *subnet, *slash, *gateway;
        uint64_t prefix;

        if (fields_load_at(AT_FDCWD, BERTH_NETWORKS_DIR "/bridge/network", &f) < 0)
                return;
        subnet = fields_get(&f, "subnet");
        slash = subnet ? strchr(subnet, '/') : NULL;
        if (slash && parse_u64(slash + 1, 32, &prefix) >= 0)
                e->prefix = (int64_t) prefix;
        gateway = fields_get(&f, "gateway");
        if (gateway && strlen(gateway) < sizeof(e->gateway))
                memcpy(e->gateway, gateway, strlen(gateway) + 1);
        copy_hex(e->network_id, fields_get(&f, "id"));
        fill_ipv6(e, address, fields_get(&f, "prefix6"));
}

/* All empty when the container has no address now. */
static void endpoint_load(Container *c, const char *mode, Endpoint *ret) {
        _cleanup_free_ char *path = NULL;
        _cleanup_fields_ Fields f = {};
        Endpoint e = {};
        struct in_addr address;
        const uint8_t *b = (const uint8_t *) &address.s_addr;

        *ret = e;
        if (!streq(mode, "bridge") || !container_is_up(c) || read_address(c, e.address) < 0 ||
            inet_pton(AF_INET, e.address, &address) != 1)
                return;
        path = str_concat(BERTH_NETWORKS_DIR "/bridge/leases/", e.address);
        /* A lease of somebody else's: the line in hosts is older than this start. */
        if (!path || fields_load_at(AT_FDCWD, path, &f) < 0 ||
            !streq_ptr(fields_get(&f, "container"), c->id))
                return;
        copy_hex(e.id, fields_get(&f, "endpoint"));
        (void) snprintf(e.mac, sizeof(e.mac), "02:42:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3]);
        fill_network(&e, &address);
        *ret = e;
}

static int put_addresses(const Endpoint *e, json_object *o) {
        int r = json_set_str(o, "EndpointID", e->id);

        if (r >= 0)
                r = json_set_str(o, "Gateway", e->gateway);
        if (r >= 0)
                r = json_set_str(o, "IPAddress", e->address);
        if (r >= 0)
                r = json_set_int(o, "IPPrefixLen", e->prefix);
        if (r >= 0)
                r = json_set_str(o, "IPv6Gateway", e->gateway6);
        if (r >= 0)
                r = json_set_str(o, "GlobalIPv6Address", e->address6);
        if (r >= 0)
                r = json_set_int(o, "GlobalIPv6PrefixLen", e->prefix6);
        return r >= 0 ? json_set_str(o, "MacAddress", e->mac) : r;
}

static int put_networks(const char *mode, const Endpoint *e, json_object *config, json_object *out) {
        json_object *endpoints = json_get(json_get(config, "NetworkingConfig"), "EndpointsConfig"), *aliases;
        json_object *networks = json_object_new_object(), *o = NULL;
        int r = json_set(out, "Networks", networks);

        /* Whoever is in another container's network has no endpoint of its own. */
        if (r < 0 || isempty(mode) || startswith(mode, "container:"))
                return r;
        r = options_merge(endpoint_options, "EndpointsConfig", NULL, &o, NULL);
        if (r < 0)
                return r;
        r = json_set(networks, mode, o);
        if (r >= 0)
                r = put_addresses(e, o);
        if (r >= 0)
                r = json_set_str(o, "NetworkID", e->network_id);
        aliases = json_get(json_get(endpoints, mode), "Aliases");
        return r >= 0 && aliases ? json_set(o, "Aliases", json_object_get(aliases)) : r;
}

static const char *mode_of(json_object *config) {
        return json_string_or(json_get(config, "HostConfig"), "NetworkMode", "");
}

/** network_put_settings - inspect's NetworkSettings into @out. Return: 0 or -ENOMEM. */
int network_put_settings(Container *c, json_object *config, json_object *out) {
        json_object *o = json_object_new_object();
        const char *mode = mode_of(config);
        Endpoint e;
        int r = json_set(out, "NetworkSettings", o);

        endpoint_load(c, mode, &e);
        if (r >= 0)
                r = json_set_str(o, "Bridge", "");
        if (r >= 0)
                r = json_set_str(o, "SandboxID", "");
        if (r >= 0)
                r = json_set_str(o, "SandboxKey", "");
        if (r >= 0)
                r = json_set(o, "Ports", json_object_new_object());
        if (r >= 0)
                r = json_set_bool(o, "HairpinMode", false);
        if (r >= 0)
                r = json_set_str(o, "LinkLocalIPv6Address", "");
        if (r >= 0)
                r = json_set_int(o, "LinkLocalIPv6PrefixLen", 0);
        if (r >= 0)
                r = json_set_null(o, "SecondaryIPAddresses");
        if (r >= 0)
                r = json_set_null(o, "SecondaryIPv6Addresses");
        if (r >= 0)
                r = put_addresses(&e, o);
        return r >= 0 ? put_networks(mode, &e, config, o) : r;
}

/** network_put_summary - the list's NetworkSettings into @out. Return: 0 or -ENOMEM. */
int network_put_summary(Container *c, json_object *config, json_object *out) {
        json_object *o = json_object_new_object();
        const char *mode = mode_of(config);
        Endpoint e;
        int r = json_set(out, "NetworkSettings", o);

        if (r < 0)
                return r;
        endpoint_load(c, mode, &e);
        return put_networks(mode, &e, config, o);
}
