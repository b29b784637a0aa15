/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "../basic/hashmap.h"
#include "../shared/unit-name.h"
#include "address.h"

#define ENDPOINT_LENGTH   64
#define LEASE_NAME_MAX    255
#define LEASE_LINK_PREFIX "ve"

/* One address in use. Owned by its table. */
typedef struct Lease {
        char container[CONTAINER_ID_LENGTH + 1];
        char endpoint[ENDPOINT_LENGTH + 1];
        char link[IFNAMSIZ];
        char *name;
        uint32_t address;
        bool leaving; /* given back, but the interface is still there */
} Lease;

typedef struct LeaseTable {
        int dir_fd;
        Subnet subnet;
        uint32_t gateway;
        uint8_t *used;  /* one bit per address of the subnet */
        Hashmap *by_id; /* container id -> Lease */
} LeaseTable;

#define LEASE_TABLE_INIT ((LeaseTable){ .dir_fd = -EBADF })

int lease_table_open(int dir_fd, const Subnet *subnet, uint32_t gateway, LeaseTable *ret);
void lease_table_done(LeaseTable *t);
#define _cleanup_lease_table_ _cleanup_(lease_table_done)

int lease_acquire(LeaseTable *t, const char *container, const char *name, Lease **ret);
Lease *lease_get(const LeaseTable *t, const char *container);
Lease *lease_by_link(const LeaseTable *t, const char *link);
void lease_release(LeaseTable *t, Lease *l);
size_t lease_sweep(LeaseTable *t, int containers_fd);
