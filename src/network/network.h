/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "firewall.h"
#include "lease.h"
#include "rtnl.h"

#define NETWORK_DEFAULT        "bridge"
#define NETWORK_DEFAULT_BRIDGE "berth0"

/* One bridge network: what /var/lib/berth/networks/<name>/ says, and its leases. */
typedef struct Network {
        int dir_fd;
        char id[CONTAINER_ID_LENGTH + 1];
        char bridge[IFNAMSIZ];
        Subnet subnet;
        uint32_t gateway;
        struct in6_addr prefix6;
        bool ipv6;
        LeaseTable leases;
        unsigned bridge_index; /* 0: not known to be up */
        bool recorded;
} Network;

int network_open(int networks_fd, const char *name, Network *ret);
void network_close(Network *n);

int network_prepare(Network *n, Rtnl *rtnl);
int network_up(Network *n, Rtnl *rtnl);
void network_firewall(const Network *n, FirewallNetwork *ret);
void network_reconcile(Network *n, Rtnl *rtnl, int containers_fd);
