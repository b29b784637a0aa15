/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <libmnl/libmnl.h>

#include "../basic/macro.h"

/*
 * rtnetlink in batches: several requests in one send, one acknowledgement each. A socket belongs for ever to
 * the network namespace in which it was opened.
 */
#define RTNL_BATCH_MAX  8
#define RTNL_BATCH_SIZE 8192

typedef struct Rtnl {
        struct mnl_socket *socket;
        uint32_t seq;
} Rtnl;

typedef struct RtnlBatch {
        char data[RTNL_BATCH_SIZE] __attribute__((aligned(8)));
        struct nlmsghdr *messages[RTNL_BATCH_MAX];
        size_t n;
} RtnlBatch;

int rtnl_open(Rtnl *ret);
void rtnl_close(Rtnl *rtnl);
#define _cleanup_rtnl_ _cleanup_(rtnl_close)

void rtnl_batch_init(RtnlBatch *b);
struct nlmsghdr *rtnl_batch_add(RtnlBatch *b, uint16_t type, uint16_t flags);
int rtnl_batch_run(Rtnl *rtnl, RtnlBatch *b, size_t *ret_failed);

typedef int (*RtnlHandler)(const struct nlmsghdr *message, void *userdata);
int rtnl_query(Rtnl *rtnl, RtnlBatch *b, RtnlHandler handler, void *userdata);
