/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* linux.resources as files of cgroup v2. Only what is given is written; what v2 does not have is refused by
 * name. */
#include "cgroup-resources.h"

#include <inttypes.h>
#include <stdio.h>

#include "../basic/file.h"
#include "../basic/str.h"
#include "cgroup.h"
#include "error.h"
#include "runtime-log.h"
#include "spec.h"

typedef struct Target {
        int fd;
        const char *path;
} Target;

/* The file appears when the controller is switched on above; that is tried once it is found missing. */
static int put(const Target *t, const char *file, const char *value) {
        int r = write_string_at(t->fd, file, value);

        if (r == -ENOENT) {
                (void) cgroup_enable_controllers(t->path, file);
                r = write_string_at(t->fd, file, value);
        }
        if (r == -ENOENT)
                return fail_text(EOPNOTSUPP, "cgroup %s: %s: the controller is not available", t->path,
                                 file);
        return r < 0 ? fail_errno(r, "cgroup %s: write \"%s\" to %s", t->path, value, file) : 0;
}

static int put_limit(const Target *t, const char *file, int64_t value) {
        char text[32];

        if (value < 0)
                return put(t, file, "max");
        (void) snprintf(text, sizeof(text), "%" PRId64, value);
        return put(t, file, text);
}

static int apply_memory(const Target *t, json_object *m) {
        int64_t limit = 0, swap = 0, reservation = 0, kernel = 0;
        bool no_oom_kill = false;
        int r;

        if ((r = spec_int(m, "linux.resources.memory", "limit", -1, INT64_MAX, &limit)) < 0 ||
            (r = spec_int(m, "linux.resources.memory", "swap", -1, INT64_MAX, &swap)) < 0 ||
            (r = spec_int(m, "linux.resources.memory", "reservation", -1, INT64_MAX, &reservation)) < 0 ||
            (r = spec_int(m, "linux.resources.memory", "kernel", -1, INT64_MAX, &kernel)) < 0 ||
            (r = spec_flag(m, "linux.resources.memory", "disableOOMKiller", &no_oom_kill)) < 0)
                return r;
        if (no_oom_kill)
                return fail_text(EOPNOTSUPP,
                                 "config.json: linux.resources.memory.disableOOMKiller: not in cgroup v2");
        /* Deprecated in the specification and without a counterpart in v2. */
        if (kernel > 0)
                runtime_warning("linux.resources.memory.kernel is ignored: not in cgroup v2");
        if (swap > 0 && (limit <= 0 || swap < limit))
                return fail_text(EINVAL,
                                 "config.json: linux.resources.memory.swap: must be memory plus swap");
        /* A cgroup that holds more swap than the new total keeps the write of memory.max from failing this
         * way round. */
        if (swap != 0) {
                r = put_limit(t, "memory.swap.max", swap < 0 ? -1 : swap - limit);
                /* A kernel without swap accounting cannot exceed the memory limit by swap either. */
                if (r == -EOPNOTSUPP && swap == limit)
                        r = 0;
                if (r < 0)
                        return r;
        }
        if (limit != 0 && (r = put_limit(t, "memory.max", limit)) < 0)
                return r;
        return reservation != 0 ? put_limit(t, "memory.low", reservation) : 0;
}

/* Shares run from 2 to 262144 with 1024 as the default; weights from 1 to 10000 with 100. */
static int64_t shares_to_weight(int64_t shares) {
        return shares <= 2 ? 1 : shares >= 262144 ? 10000 : 1 + (shares - 2) * 9999 / 262142;
}

static int apply_cpu(const Target *t, json_object *c) {
        int64_t shares = 0, quota = 0, period = 0, burst = -1, idle = -1, rt = 0;
        const char *cpus = NULL, *mems = NULL;
        char text[64];
        int r;

        if ((r = spec_int(c, "linux.resources.cpu", "shares", 0, INT64_MAX, &shares)) < 0 ||
            (r = spec_int(c, "linux.resources.cpu", "quota", -1, INT64_MAX, &quota)) < 0 ||
            (r = spec_int(c, "linux.resources.cpu", "period", 0, INT64_MAX, &period)) < 0 ||
            (r = spec_int(c, "linux.resources.cpu", "burst", 0, INT64_MAX, &burst)) < 0 ||
            (r = spec_int(c, "linux.resources.cpu", "idle", 0, 1, &idle)) < 0 ||
            (r = spec_int(c, "linux.resources.cpu", "realtimeRuntime", 0, INT64_MAX, &rt)) < 0 ||
            (r = spec_string(c, "linux.resources.cpu", "cpus", &cpus)) < 0 ||
            (r = spec_string(c, "linux.resources.cpu", "mems", &mems)) < 0)
                return r;
        if (rt > 0)
                return fail_text(EOPNOTSUPP,
                                 "config.json: linux.resources.cpu.realtimeRuntime: not in cgroup v2");
        if (idle >= 0 && (r = put_limit(t, "cpu.idle", idle)) < 0)
                return r;
        if (shares > 0 && (r = put_limit(t, "cpu.weight", shares_to_weight(shares))) < 0)
                return r;
        if (quota != 0 || period != 0) {
                int n = quota > 0 ? snprintf(text, sizeof(text), "%" PRId64, quota) :
                                    snprintf(text, sizeof(text), "max");

                if (period > 0)
                        (void) snprintf(text + n, sizeof(text) - (size_t) n, " %" PRId64, period);
                r = put(t, "cpu.max", text);
                if (r < 0)
                        return r;
        }
        if (burst >= 0 && (r = put_limit(t, "cpu.max.burst", burst)) < 0)
                return r;
        if (!isempty(cpus) && (r = put(t, "cpuset.cpus", cpus)) < 0)
                return r;
        return isempty(mems) ? 0 : put(t, "cpuset.mems", mems);
}

static int throttle(const Target *t, json_object *io, const char *key, const char *name) {
        json_object *a;
        size_t n;
        int r;

        r = spec_array(io, "linux.resources.blockIO", key, &a, &n);
        for (size_t i = 0; r >= 0 && i < n; i++) {
                json_object *d = json_object_array_get_idx(a, i);
                int64_t major = 0, minor = 0, rate = 0;
                char text[96];

                if (spec_int(d, key, "major", 0, UINT32_MAX, &major) < 0 ||
                    spec_int(d, key, "minor", 0, UINT32_MAX, &minor) < 0 ||
                    spec_int(d, key, "rate", 0, INT64_MAX, &rate) < 0)
                        return -EINVAL;
                (void) snprintf(text, sizeof(text), "%" PRId64 ":%" PRId64 " %s=%" PRId64, major, minor,
                                name, rate);
                r = put(t, "io.max", text);
        }
        return r < 0 ? r : 0;
}

static int apply_io(const Target *t, json_object *io) {
        static const char *const limits[][2] = { { "throttleReadBpsDevice", "rbps" },
                                                 { "throttleWriteBpsDevice", "wbps" },
                                                 { "throttleReadIOPSDevice", "riops" },
                                                 { "throttleWriteIOPSDevice", "wiops" } };
        int64_t weight = 0, leaf = 0;
        json_object *devices;
        size_t n;
        int r;

        if ((r = spec_int(io, "linux.resources.blockIO", "weight", 0, 1000, &weight)) < 0 ||
            (r = spec_int(io, "linux.resources.blockIO", "leafWeight", 0, 1000, &leaf)) < 0 ||
            (r = spec_array(io, "linux.resources.blockIO", "weightDevice", &devices, &n)) < 0)
                return r;
        if (leaf > 0)
                return fail_text(EOPNOTSUPP,
                                 "config.json: linux.resources.blockIO.leafWeight: not in cgroup v2");
        /* 10 to 1000 of v1; io.weight runs from 1 to 10000. */
        if (weight > 0) {
                int64_t v2 = weight <= 10 ? 1 : 1 + (weight - 10) * 9999 / 990;

                r = put_limit(t, "io.weight", v2);
                if (r == -EOPNOTSUPP)
                        r = put_limit(t, "io.bfq.weight", weight);
                if (r < 0)
                        return r;
        }
        for (size_t i = 0; i < n; i++) {
                json_object *d = json_object_array_get_idx(devices, i);
                int64_t major = 0, minor = 0, w = 0;
                char text[96];

                if (spec_int(d, "weightDevice", "major", 0, UINT32_MAX, &major) < 0 ||
                    spec_int(d, "weightDevice", "minor", 0, UINT32_MAX, &minor) < 0 ||
                    spec_int(d, "weightDevice", "weight", 1, 1000, &w) < 0)
                        return -EINVAL;
                (void) snprintf(text, sizeof(text), "%" PRId64 ":%" PRId64 " %" PRId64, major, minor, w);
                r = put(t, "io.bfq.weight", text);
                if (r < 0)
                        return r;
        }
        for (size_t i = 0; i < ELEMENTSOF(limits); i++)
                if ((r = throttle(t, io, limits[i][0], limits[i][1])) < 0)
                        return r;
        return 0;
}

static int apply_hugetlb(const Target *t, json_object *list, size_t n) {
        for (size_t i = 0; i < n; i++) {
                json_object *h = json_object_array_get_idx(list, i);
                const char *size = json_string_or(h, "pageSize", "");
                char file[64];
                int64_t limit = 0;
                int r;

                r = spec_int(h, "linux.resources.hugepageLimits", "limit", 0, INT64_MAX, &limit);
                if (r < 0)
                        return r;
                if (isempty(size) || strlen(size) > 16 || strchr(size, '/') || strchr(size, '.'))
                        return fail_text(EINVAL,
                                         "config.json: linux.resources.hugepageLimits.pageSize: \"%s\"",
                                         size);
                (void) snprintf(file, sizeof(file), "hugetlb.%s.max", size);
                r = put_limit(t, file, limit);
                if (r < 0)
                        return r;
                (void) snprintf(file, sizeof(file), "hugetlb.%s.rsvd.max", size);
                (void) put_limit(t, file, limit);
        }
        return 0;
}

static int apply_rdma(const Target *t, json_object *rdma) {
        json_object_object_foreach(rdma, device, limits) {
                int64_t handles = -1, objects = -1;
                char text[256];
                int n, r;

                if (spec_int(limits, "linux.resources.rdma", "hcaHandles", 0, UINT32_MAX, &handles) < 0 ||
                    spec_int(limits, "linux.resources.rdma", "hcaObjects", 0, UINT32_MAX, &objects) < 0)
                        return -EINVAL;
                n = snprintf(text, sizeof(text), "%.64s", device);
                if (handles >= 0)
                        n += snprintf(text + n, sizeof(text) - (size_t) n, " hca_handle=%" PRId64, handles);
                if (objects >= 0)
                        n += snprintf(text + n, sizeof(text) - (size_t) n, " hca_object=%" PRId64, objects);
                r = put(t, "rdma.max", text);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int apply_unified(const Target *t, json_object *unified) {
        json_object_object_foreach(unified, file, value) {
                int r;

                if (strchr(file, '/') || !strchr(file, '.') || file[0] == '.')
                        return fail_text(EINVAL,
                                         "config.json: linux.resources.unified: \"%s\" is no cgroup file",
                                         file);
                if (!json_object_is_type(value, json_type_string))
                        return fail_text(EINVAL,
                                         "config.json: linux.resources.unified: %s: expected a string",
                                         file);
                r = put(t, file, json_object_get_string(value));
                if (r < 0)
                        return r;
        }
        return 0;
}

/**
 * cgroup_resources_apply - write the limits of linux.resources (but devices) to a cgroup.
 * @resources: may be NULL.
 *
 * Return: 0, -EOPNOTSUPP for what cgroup v2 or this kernel lacks, or -errno; with a message.
 */
int cgroup_resources_apply(int cgroup_fd, const char *path, json_object *resources) {
        json_object *memory, *cpu, *io, *pids, *hugetlb, *rdma, *unified, *network;
        const Target t = { cgroup_fd, path };
        const char *where = "linux.resources";
        int64_t limit = 0;
        size_t n;
        int r;

        if (!resources)
                return 0;
        if ((r = spec_object(resources, where, "memory", &memory)) < 0 ||
            (r = spec_object(resources, where, "cpu", &cpu)) < 0 ||
            (r = spec_object(resources, where, "blockIO", &io)) < 0 ||
            (r = spec_object(resources, where, "pids", &pids)) < 0 ||
            (r = spec_array(resources, where, "hugepageLimits", &hugetlb, &n)) < 0 ||
            (r = spec_object(resources, where, "rdma", &rdma)) < 0 ||
            (r = spec_object(resources, where, "network", &network)) < 0 ||
            (r = spec_object(resources, where, "unified", &unified)) < 0)
                return r;
        if (network && json_object_object_length(network) > 0)
                return fail_text(EOPNOTSUPP, "config.json: linux.resources.network: not in cgroup v2");
        if (memory && (r = apply_memory(&t, memory)) < 0)
                return r;
        if (cpu && (r = apply_cpu(&t, cpu)) < 0)
                return r;
        if (io && (r = apply_io(&t, io)) < 0)
                return r;
        if (pids) {
                if ((r = spec_int(pids, "linux.resources.pids", "limit", INT64_MIN, INT64_MAX, &limit)) < 0)
                        return r;
                if (limit != 0 && (r = put_limit(&t, "pids.max", limit)) < 0)
                        return r;
        }
        if ((r = apply_hugetlb(&t, hugetlb, n)) < 0 || (rdma && (r = apply_rdma(&t, rdma)) < 0))
                return r;
        return unified ? apply_unified(&t, unified) : 0;
}
