/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "address.h"
#include "rtnl.h"

/* Interfaces, addresses and routes, in terms of names and numbers only. */
int link_index(Rtnl *rtnl, const char *name, unsigned *ret);
int link_delete(Rtnl *rtnl, const char *name);

typedef struct BridgeConfig {
        const char *name;
        Subnet subnet;
        uint32_t gateway;
        const struct in6_addr *prefix6; /* NULL: no IPv6 */
} BridgeConfig;
int bridge_ensure(Rtnl *rtnl, const BridgeConfig *c, unsigned *ret_index);

typedef struct EndpointConfig {
        const char *link;  /* host side */
        const char *alias; /* shown by `ip link` */
        unsigned bridge;   /* interface index of the bridge */
        int netns_fd;
        uint32_t address, gateway;
        unsigned prefix;
        const struct in6_addr *prefix6;
} EndpointConfig;
#define ENDPOINT_IFNAME "eth0"
int endpoint_create(Rtnl *host, const EndpointConfig *c);
int endpoint_configure(Rtnl *inside, const EndpointConfig *c);

/* @master: index of the bridge the interface is in, or 0. */
typedef void (*LinkHandler)(const char *name, unsigned master, void *userdata);
int link_each(Rtnl *rtnl, LinkHandler handler, void *userdata);
int link_set_master(Rtnl *rtnl, const char *name, unsigned bridge);

/* A non-blocking socket that tells of interfaces that go. */
int link_watch_open(Rtnl *ret);
int link_watch_read(Rtnl *watch, LinkHandler handler, void *userdata);

int subnet_is_taken(Rtnl *rtnl, const Subnet *s, const char *except_link);
