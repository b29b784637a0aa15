/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <libmnl/libmnl.h>

#include "address.h"

#define FIREWALL_TABLE "berth"

/* One network as the rules see it. Borrowed. */
typedef struct FirewallNetwork {
        const char *bridge;
        Subnet subnet;
        const struct in6_addr *prefix6; /* NULL: no IPv6 */
} FirewallNetwork;

typedef struct Firewall {
        struct mnl_socket *socket; /* owns the table while it is open, where the kernel has that */
        uint32_t seq;
        char *rules; /* path of berth.nft */
        bool owned;
} Firewall;

int firewall_open(const char *rules, Firewall *ret);
void firewall_close(Firewall *f);

int firewall_load(Firewall *f, const FirewallNetwork *networks, size_t n);
int firewall_is_loaded(Firewall *f);

/*
 * Where the table cannot be owned, somebody's `flush ruleset` takes it away: a socket that becomes readable
 * then.
 */
int firewall_watch_open(struct mnl_socket **ret);
int firewall_watch_read(struct mnl_socket *watch);
