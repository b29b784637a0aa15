/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <netinet/in.h>
#include <net/if.h>

#include "../basic/macro.h"

/* IPv4 networks and addresses in host byte order, so that they can be compared and counted. */
typedef struct Subnet {
        uint32_t base;
        unsigned prefix;
} Subnet;

#define SUBNET_TEXT_MAX (INET_ADDRSTRLEN + 4)
#define MAC_SIZE        6
#define MAC_TEXT_MAX    18

uint32_t subnet_mask(unsigned prefix);
int subnet_parse(const char *s, Subnet *ret);
void subnet_format(const Subnet *s, char ret[SUBNET_TEXT_MAX]);
bool subnet_contains(const Subnet *s, uint32_t address);
bool subnet_overlaps(const Subnet *a, const Subnet *b);
bool subnet_candidate(size_t index, Subnet *ret);

int address_parse(const char *s, uint32_t *ret);
void address_format(uint32_t address, char ret[INET_ADDRSTRLEN]);
void address_to_mac(uint32_t address, uint8_t ret[MAC_SIZE]);
void mac_format(const uint8_t mac[MAC_SIZE], char ret[MAC_TEXT_MAX]);

/* IPv6: a /64 whose host part is the IPv4 address. */
int prefix6_random(struct in6_addr *ret);
void prefix6_address(const struct in6_addr *prefix, uint32_t address, struct in6_addr *ret);
