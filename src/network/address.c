/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "address.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <sys/random.h>

#include "../basic/str.h"

/** subnet_mask - the netmask of @prefix (0 to 32) bits. */
uint32_t subnet_mask(unsigned prefix) {
        return prefix == 0 ? 0 : UINT32_MAX << (32 - prefix);
}

/** address_parse - a dotted IPv4 address. Return: 0 or -EINVAL. */
int address_parse(const char *s, uint32_t *ret) {
        struct in_addr a;

        if (inet_pton(AF_INET, s, &a) != 1)
                return -EINVAL;
        *ret = ntohl(a.s_addr);
        return 0;
}

/** address_format - the dotted form of @address. */
void address_format(uint32_t address, char ret[INET_ADDRSTRLEN]) {
        struct in_addr a = { .s_addr = htonl(address) };

        (void) inet_ntop(AF_INET, &a, ret, INET_ADDRSTRLEN);
}

/** subnet_parse - "address/prefix" with no bit set behind the prefix. Return: 0 or -EINVAL. */
int subnet_parse(const char *s, Subnet *ret) {
        char copy[SUBNET_TEXT_MAX];
        uint64_t prefix;
        uint32_t base;
        char *slash;
        size_t n = strlen(s);

        if (n >= sizeof(copy))
                return -EINVAL;
        memcpy(copy, s, n + 1);
        slash = strchr(copy, '/');
        if (!slash)
                return -EINVAL;
        *slash = 0;
        if (parse_u64(slash + 1, 32, &prefix) < 0 || address_parse(copy, &base) < 0)
                return -EINVAL;
        if (base & ~subnet_mask((unsigned) prefix))
                return -EINVAL;
        *ret = (Subnet){ base, (unsigned) prefix };
        return 0;
}

/** subnet_format - the text that subnet_parse() takes. */
void subnet_format(const Subnet *s, char ret[SUBNET_TEXT_MAX]) {
        char base[INET_ADDRSTRLEN];

        address_format(s->base, base);
        (void) snprintf(ret, SUBNET_TEXT_MAX, "%s/%u", base, s->prefix);
}

/** subnet_contains - whether @address lies in @s. */
bool subnet_contains(const Subnet *s, uint32_t address) {
        return ((address ^ s->base) & subnet_mask(s->prefix)) == 0;
}

/** subnet_overlaps - whether any address is in both. */
bool subnet_overlaps(const Subnet *a, const Subnet *b) {
        return a->prefix <= b->prefix ? subnet_contains(a, b->base) : subnet_contains(b, a->base);
}

/**
 * subnet_candidate - the default address pools, in the order in which they are tried: 172.17-31.0.0/16, then
 * 192.168.0.0/20 and up.
 *
 * Return: false when @index is past the last one.
 */
bool subnet_candidate(size_t index, Subnet *ret) {
        if (index < 15) {
                *ret = (Subnet){ (172u << 24) | ((17u + (uint32_t) index) << 16), 16 };
                return true;
        }
        index -= 15;
        if (index < 16) {
                *ret = (Subnet){ (192u << 24) | (168u << 16) | ((uint32_t) index << 12), 20 };
                return true;
        }
        return false;
}

/**
 * address_to_mac - the locally administered MAC 02:42:a.b.c.d: a restarted container keeps its neighbours'
 * caches valid.
 */
void address_to_mac(uint32_t address, uint8_t ret[MAC_SIZE]) {
        ret[0] = 0x02;
        ret[1] = 0x42;
        for (unsigned i = 0; i < 4; i++)
                ret[2 + i] = (uint8_t) (address >> (24 - 8 * i));
}

/** mac_format - colon separated lower-case hex. */
void mac_format(const uint8_t mac[MAC_SIZE], char ret[MAC_TEXT_MAX]) {
        (void) snprintf(ret, MAC_TEXT_MAX, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3],
                        mac[4], mac[5]);
}

/**
 * prefix6_random - a unique local /64 (RFC 4193: fd, 40 random bits, 16 bits of subnet). Return: 0 or
 * -errno.
 */
int prefix6_random(struct in6_addr *ret) {
        struct in6_addr a = {};

        if (getrandom(a.s6_addr + 1, 7, 0) != 7)
                return negative_errno();
        a.s6_addr[0] = 0xfd;
        *ret = a;
        return 0;
}

/** prefix6_address - @prefix with the IPv4 @address as its last 32 bits. */
void prefix6_address(const struct in6_addr *prefix, uint32_t address, struct in6_addr *ret) {
        *ret = *prefix;
        memset(ret->s6_addr + 8, 0, 4);
        for (unsigned i = 0; i < 4; i++)
                ret->s6_addr[12 + i] = (uint8_t) (address >> (24 - 8 * i));
}
