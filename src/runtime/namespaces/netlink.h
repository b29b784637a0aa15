/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include "../../basic/macro.h"

/*
 * The little of rtnetlink that moving a device takes; without a library, since the program is static. A
 * socket belongs for ever to the network namespace in which it was opened, and keeps it alive.
 */
typedef struct NetlinkRequest {
        struct nlmsghdr head;
        char data[512];
} NetlinkRequest;

int netlink_open(void);
void netlink_init(NetlinkRequest *q, uint16_t type, uint16_t flags, const void *body, size_t size);
void netlink_put(NetlinkRequest *q, uint16_t type, const void *data, size_t size);
int netlink_run(int fd, NetlinkRequest *q);

typedef int (*NetlinkHandler)(const struct nlmsghdr *message, void *userdata);
int netlink_dump(int fd, NetlinkRequest *q, NetlinkHandler handler, void *userdata);
