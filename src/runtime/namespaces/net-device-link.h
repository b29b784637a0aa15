/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An address of a device as the kernel tells it, ready to be given again. */
typedef struct NetAddress {
        struct ifaddrmsg head;
        uint32_t flags, metric;
        bool has_metric;
        uint8_t local[16], address[16], broadcast[16];
        uint8_t local_size, address_size, broadcast_size;
} NetAddress;

int net_link_index(int socket_fd, const char *name);
int net_link_name(int socket_fd, int index, char ret[IFNAMSIZ]);
int net_link_is_up(int socket_fd, const char *name);
int net_link_free_index(int socket_fd, int wanted);
int net_link_move(int socket_fd, int index, int target_ns_fd, const char *name, int new_index);
int net_link_set_up(int socket_fd, int index);
int net_addresses_get(int socket_fd, int index, NetAddress **ret, size_t *ret_n);
int net_address_add(int socket_fd, int index, const NetAddress *a);
