/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

#include "../../basic/json.h"
#include "../../basic/macro.h"

/*
 * linux.resources in the terms of cgroup v2, whoever writes them: the files of a cgroup (cgroup-resources.c)
 * or the properties of a systemd unit. Strings are borrowed from the JSON, arrays are owned.
 */
#define RESOURCE_UNSET INT64_MIN /* not asked for: stays as it is */
#define RESOURCE_MAX INT64_C(-1) /* no limit */

typedef enum ResourceRate { RATE_RBPS, RATE_WBPS, RATE_RIOPS, RATE_WIOPS, _RATE_MAX } ResourceRate;

typedef struct ResourceIoWeight {
        unsigned major, minor;
        int64_t weight;     /* 1 to 10000: io.weight */
        int64_t bfq_weight; /* 1 to 1000: io.bfq.weight */
} ResourceIoWeight;

typedef struct ResourceIoLimit {
        unsigned major, minor;
        ResourceRate rate;
        int64_t value;
} ResourceIoLimit;

typedef struct ResourceHugetlb {
        const char *page_size; /* "2MB": safe as a part of a file name */
        int64_t limit;
} ResourceHugetlb;

typedef struct ResourceRdma {
        const char *device;
        int64_t handles, objects;
} ResourceRdma;

typedef struct Resources {
        int64_t memory_max, memory_low;
        int64_t memory_swap_max;   /* swap alone, as memory.swap.max has it */
        int64_t memory_swap_total; /* memory and swap, as it was asked for */
        bool memory_check;         /* refuse limits below the current use */

        int64_t cpu_weight, cpu_idle;
        int64_t cpu_quota, cpu_period, cpu_burst; /* microseconds; either of quota and period may be unset */
        const char *cpus, *mems;

        int64_t pids_max;

        int64_t io_weight, io_bfq_weight; /* both or none */
        ResourceIoWeight *io_weights;
        size_t n_io_weights;
        ResourceIoLimit *io_limits;
        size_t n_io_limits;

        ResourceHugetlb *hugetlb;
        size_t n_hugetlb;
        ResourceRdma *rdma;
        size_t n_rdma;

        json_object *unified; /* file name to text, checked; or NULL */
} Resources;

#define RESOURCES_INIT                                                                                \
        ((Resources) { .memory_max = RESOURCE_UNSET, .memory_low = RESOURCE_UNSET,                    \
                       .memory_swap_max = RESOURCE_UNSET, .memory_swap_total = RESOURCE_UNSET,        \
                       .cpu_weight = RESOURCE_UNSET, .cpu_idle = RESOURCE_UNSET,                      \
                       .cpu_quota = RESOURCE_UNSET, .cpu_period = RESOURCE_UNSET,                     \
                       .cpu_burst = RESOURCE_UNSET, .pids_max = RESOURCE_UNSET,                       \
                       .io_weight = RESOURCE_UNSET, .io_bfq_weight = RESOURCE_UNSET })

int resources_parse(json_object *o, const char *oci_version, Resources *ret);
void resources_done(Resources *r);
#define _cleanup_resources_ _cleanup_(resources_done)

extern const char *const resource_rate_names[_RATE_MAX]; /* "rbps", ... as in io.max */

/* The scales of version 1 to those of version 2. */
int64_t resources_shares_to_weight(int64_t shares);
int64_t resources_blkio_to_weight(int64_t blkio);
