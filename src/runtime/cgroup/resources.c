/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * linux.resources, checked and converted to what cgroup v2 counts in. Nothing is written here. What version
 * 2 does not have is refused by name; only what the specification itself calls deprecated is passed over
 * with a warning.
 */
#include "resources.h"

#include <math.h>

#include "../../basic/str.h"
#include "../error.h"
#include "../runtime-log.h"
#include "../spec/spec.h"

#define WHERE "linux.resources"

const char *const resource_rate_names[_RATE_MAX] = {
        [RATE_RBPS] = "rbps", [RATE_WBPS] = "wbps", [RATE_RIOPS] = "riops", [RATE_WIOPS] = "wiops"
};

/** resources_done - release the arrays. */
void resources_done(Resources *r) {
        free(r->io_weights);
        free(r->io_limits);
        free(r->hugetlb);
        free(r->rdma);
        *r = RESOURCES_INIT;
}

/**
 * resources_shares_to_weight - cpu.shares (2 to 262144, 1024 as the default) to cpu.weight (1 to 10000, 100
 * as the default). The curve is the parabola through these three points in double logarithmic scale, as
 * runc 1.3.2 and crun 1.23 draw it; before, all runtimes drew a straight line, and the default became 39.
 */
int64_t resources_shares_to_weight(int64_t shares) {
        double l, exponent;

        if (shares <= 2)
                return 1;
        if (shares >= 262144)
                return 10000;
        l = log2((double) shares);
        exponent = (l * l + 125 * l) / 612 - 7.0 / 34;
        /* Rounding errors must not lift 100 to 101. */
        return (int64_t) ceil(exp2(exponent * log2(10)) - 1e-6);
}

/** resources_blkio_to_weight - blkio.weight (10 to 1000) to io.weight (1 to 10000). */
int64_t resources_blkio_to_weight(int64_t blkio) {
        return blkio <= 10 ? 1 : blkio >= 1000 ? 10000 : 1 + (blkio - 10) * 9999 / 990;
}

static int not_in_v2(const char *what) {
        return fail_text(EOPNOTSUPP, "config.json: " WHERE ".%s: not in cgroup v2", what);
}

/* Return: 0 with @ret set or untouched; an absent or zero value means "not asked for" to all runtimes. */
static int limit_of(json_object *o, const char *where, const char *key, int64_t *ret) {
        int64_t n = 0;
        int r = spec_int(o, where, key, -1, INT64_MAX, &n);

        if (r < 0)
                return r;
        if (n != 0)
                *ret = n;
        return 0;
}

static int refuse_old_memory(json_object *m) {
        const char *where = WHERE ".memory";
        int64_t swappiness = -1, kernel = RESOURCE_UNSET, tcp = RESOURCE_UNSET;
        bool no_oom_kill = false, hierarchy = true;

        if (spec_int(m, where, "swappiness", INT64_MIN, INT64_MAX, &swappiness) < 0 ||
            limit_of(m, where, "kernel", &kernel) < 0 || limit_of(m, where, "kernelTCP", &tcp) < 0 ||
            spec_flag(m, where, "disableOOMKiller", &no_oom_kill) < 0 ||
            spec_flag(m, where, "useHierarchy", &hierarchy) < 0)
                return -EINVAL;
        if (swappiness != -1)
                return not_in_v2("memory.swappiness");
        if (no_oom_kill)
                return not_in_v2("memory.disableOOMKiller");
        if (!hierarchy)
                return not_in_v2("memory.useHierarchy");
        /* Deprecated in the specification, and part of memory.max in version 2. */
        if (kernel > 0)
                runtime_warning(WHERE ".memory.kernel is ignored: not in cgroup v2");
        if (tcp > 0)
                runtime_warning(WHERE ".memory.kernelTCP is ignored: not in cgroup v2");
        return 0;
}

static int parse_memory(json_object *m, Resources *ret) {
        const char *where = WHERE ".memory";
        int64_t total = RESOURCE_UNSET;

        if (limit_of(m, where, "limit", &ret->memory_max) < 0 || limit_of(m, where, "swap", &total) < 0 ||
            limit_of(m, where, "reservation", &ret->memory_low) < 0 ||
            spec_flag(m, where, "checkBeforeUpdate", &ret->memory_check) < 0)
                return -EINVAL;
        ret->memory_swap_total = total;
        if (total == RESOURCE_MAX)
                ret->memory_swap_max = RESOURCE_MAX;
        else if (total == RESOURCE_UNSET) {
                /* In version 1 swap was a part of the limit that is lifted here. */
                if (ret->memory_max == RESOURCE_MAX)
                        ret->memory_swap_max = RESOURCE_MAX;
        } else if (ret->memory_max == RESOURCE_UNSET || ret->memory_max == RESOURCE_MAX)
                return fail_text(EINVAL,
                                 "config.json: " WHERE ".memory.swap: unable to set swap limit without "
                                 "memory limit");
        else if (total < ret->memory_max)
                return fail_text(EINVAL,
                                 "config.json: " WHERE ".memory.swap: must be memory plus swap, but is "
                                 "less than the memory limit");
        else
                ret->memory_swap_max = total - ret->memory_max;
        return refuse_old_memory(m);
}

/* What the kernel takes as a list of CPUs or memory nodes: "0-3,7". */
static int list_of(json_object *c, const char *key, const char **ret) {
        const char *text = NULL;

        if (spec_string(c, WHERE ".cpu", key, &text) < 0)
                return -EINVAL;
        if (isempty(text))
                return 0;
        if (text[strspn(text, "0123456789-,:/ ")])
                return fail_text(EINVAL, "config.json: " WHERE ".cpu.%s: \"%s\" is no list of numbers", key,
                                 text);
        *ret = text;
        return 0;
}

static int parse_cpu(json_object *c, Resources *ret) {
        const char *where = WHERE ".cpu";
        int64_t shares = 0, quota = 0, period = 0, rt_runtime = 0, rt_period = 0;

        if (spec_int(c, where, "shares", 0, INT64_MAX, &shares) < 0 ||
            spec_int(c, where, "quota", INT64_MIN, INT64_MAX, &quota) < 0 ||
            spec_int(c, where, "period", 0, INT64_MAX, &period) < 0 ||
            spec_int(c, where, "burst", 0, INT64_MAX, &ret->cpu_burst) < 0 ||
            spec_int(c, where, "idle", 0, 1, &ret->cpu_idle) < 0 ||
            spec_int(c, where, "realtimeRuntime", INT64_MIN, INT64_MAX, &rt_runtime) < 0 ||
            spec_int(c, where, "realtimePeriod", 0, INT64_MAX, &rt_period) < 0 ||
            list_of(c, "cpus", &ret->cpus) < 0 || list_of(c, "mems", &ret->mems) < 0)
                return -EINVAL;
        if (rt_runtime != 0)
                return not_in_v2("cpu.realtimeRuntime");
        if (rt_period != 0)
                return not_in_v2("cpu.realtimePeriod");
        if (shares > 0)
                ret->cpu_weight = resources_shares_to_weight(shares);
        if (quota != 0)
                ret->cpu_quota = quota < 0 ? RESOURCE_MAX : quota;
        if (period > 0)
                ret->cpu_period = period;
        return 0;
}

static int device_of(json_object *d, const char *where, unsigned *ret_major, unsigned *ret_minor) {
        int64_t major = -1, minor = -1;

        if (spec_int(d, where, "major", 0, UINT32_MAX, &major) < 0 ||
            spec_int(d, where, "minor", 0, UINT32_MAX, &minor) < 0)
                return -EINVAL;
        if (major < 0 || minor < 0)
                return fail_text(EINVAL, "config.json: %s: expected major and minor", where);
        *ret_major = (unsigned) major;
        *ret_minor = (unsigned) minor;
        return 0;
}

static int parse_io_weights(json_object *list, size_t n, Resources *ret) {
        const char *where = WHERE ".blockIO.weightDevice";

        ret->io_weights = new0(ResourceIoWeight, n);
        if (!ret->io_weights)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                json_object *d = json_object_array_get_idx(list, i);
                ResourceIoWeight *w = &ret->io_weights[ret->n_io_weights];
                int64_t weight = 0, leaf = 0;

                if (device_of(d, where, &w->major, &w->minor) < 0 ||
                    spec_int(d, where, "weight", 0, 1000, &weight) < 0 ||
                    spec_int(d, where, "leafWeight", 0, 1000, &leaf) < 0)
                        return -EINVAL;
                if (!json_get(d, "weight") && !json_get(d, "leafWeight"))
                        return fail_text(EINVAL, "config.json: %s: expected weight or leafWeight", where);
                if (leaf > 0)
                        return not_in_v2("blockIO.weightDevice.leafWeight");
                if (weight == 0)
                        continue;
                w->bfq_weight = weight;
                w->weight = resources_blkio_to_weight(weight);
                ret->n_io_weights++;
        }
        return 0;
}

static int parse_io_limits(json_object *io, Resources *ret) {
        static const char *const keys[_RATE_MAX] = { [RATE_RBPS] = "throttleReadBpsDevice",
                                                     [RATE_WBPS] = "throttleWriteBpsDevice",
                                                     [RATE_RIOPS] = "throttleReadIOPSDevice",
                                                     [RATE_WIOPS] = "throttleWriteIOPSDevice" };

        for (ResourceRate rate = 0; rate < _RATE_MAX; rate++) {
                ResourceIoLimit *grown;
                json_object *list;
                size_t n;

                if (spec_array(io, WHERE ".blockIO", keys[rate], &list, &n) < 0)
                        return -EINVAL;
                grown = reallocarray(ret->io_limits, ret->n_io_limits + n + 1, sizeof(*grown));
                if (!grown)
                        return -ENOMEM;
                ret->io_limits = grown;
                for (size_t i = 0; i < n; i++) {
                        json_object *d = json_object_array_get_idx(list, i);
                        ResourceIoLimit *l = &grown[ret->n_io_limits];
                        int64_t value = -1;

                        if (device_of(d, keys[rate], &l->major, &l->minor) < 0 ||
                            spec_int(d, keys[rate], "rate", 0, INT64_MAX, &value) < 0)
                                return -EINVAL;
                        if (value < 0)
                                return fail_text(EINVAL,
                                                 "config.json: " WHERE ".blockIO.%s: expected rate",
                                                 keys[rate]);
                        l->rate = rate;
                        /* Zero took a limit away in version 1; version 2 refuses it. */
                        l->value = value == 0 ? RESOURCE_MAX : value;
                        ret->n_io_limits++;
                }
        }
        return 0;
}

static int parse_io(json_object *io, Resources *ret) {
        int64_t weight = 0, leaf = 0;
        json_object *devices;
        size_t n;
        int r;

        if (spec_int(io, WHERE ".blockIO", "weight", 0, 1000, &weight) < 0 ||
            spec_int(io, WHERE ".blockIO", "leafWeight", 0, 1000, &leaf) < 0 ||
            spec_array(io, WHERE ".blockIO", "weightDevice", &devices, &n) < 0)
                return -EINVAL;
        if (leaf > 0)
                return not_in_v2("blockIO.leafWeight");
        if (weight > 0) {
                ret->io_bfq_weight = weight;
                ret->io_weight = resources_blkio_to_weight(weight);
        }
        if (n > 0) {
                r = parse_io_weights(devices, n, ret);
                if (r < 0)
                        return r;
        }
        return parse_io_limits(io, ret);
}

static int parse_hugetlb(json_object *list, size_t n, Resources *ret) {
        const char *where = WHERE ".hugepageLimits";

        ret->hugetlb = new0(ResourceHugetlb, n);
        if (!ret->hugetlb)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                json_object *h = json_object_array_get_idx(list, i);
                ResourceHugetlb *l = &ret->hugetlb[i];
                size_t digits;

                l->limit = -1;
                /* runc takes keys in any case, and "pagesize" is what is found in the wild. */
                if (spec_string(h, where, json_get(h, "pagesize") ? "pagesize" : "pageSize", &l->page_size) <
                                    0 ||
                    spec_int(h, where, "limit", 0, INT64_MAX, &l->limit) < 0)
                        return -EINVAL;
                digits = l->page_size ? strspn(l->page_size, "0123456789") : 0;
                if (digits == 0 || digits > 10 || l->page_size[0] == '0' ||
                    (!streq(l->page_size + digits, "KB") && !streq(l->page_size + digits, "MB") &&
                     !streq(l->page_size + digits, "GB")))
                        return fail_text(EINVAL,
                                         "config.json: %s.pageSize: \"%s\": expected a size as 2MB", where,
                                         strempty(l->page_size));
                if (l->limit < 0)
                        return fail_text(EINVAL, "config.json: %s: expected limit", where);
                ret->n_hugetlb = i + 1;
        }
        return 0;
}

static int parse_rdma(json_object *rdma, Resources *ret) {
        const char *where = WHERE ".rdma";

        ret->rdma = new0(ResourceRdma, (size_t) json_object_object_length(rdma) + 1);
        if (!ret->rdma)
                return -ENOMEM;
        json_object_object_foreach(rdma, device, limits) {
                ResourceRdma *l = &ret->rdma[ret->n_rdma];

                *l = (ResourceRdma) { device, RESOURCE_UNSET, RESOURCE_UNSET };
                if (!*device || strlen(device) > 64 || strpbrk(device, " \t\n/"))
                        return fail_text(EINVAL, "config.json: %s: \"%s\" is no device name", where, device);
                if (!json_object_is_type(limits, json_type_object))
                        return fail_text(EINVAL, "config.json: %s.%s: expected an object", where, device);
                if (spec_int(limits, where, "hcaHandles", 0, UINT32_MAX, &l->handles) < 0 ||
                    spec_int(limits, where, "hcaObjects", 0, UINT32_MAX, &l->objects) < 0)
                        return -EINVAL;
                if (l->handles == RESOURCE_UNSET && l->objects == RESOURCE_UNSET)
                        return fail_text(EINVAL, "config.json: %s.%s: expected hcaHandles or hcaObjects",
                                         where, device);
                ret->n_rdma++;
        }
        return 0;
}

static int parse_unified(json_object *unified, Resources *ret) {
        /* Not resources: these move, stop or end processes, also others than the container's. */
        static const char *const commands[] = { "cgroup.procs", "cgroup.threads", "cgroup.kill",
                                                "cgroup.freeze" };

        json_object_object_foreach(unified, file, value) {
                size_t name = strcspn(file, ".");

                if (strchr(file, '/'))
                        return fail_text(EINVAL,
                                         "config.json: " WHERE ".unified: unified resource \"%s\" must be "
                                         "a file name (no slashes)",
                                         file);
                if (name == 0 || !file[name] || !file[name + 1] || strlen(file) > 128)
                        return fail_text(EINVAL,
                                         "config.json: " WHERE ".unified: unified resource \"%s\" must be "
                                         "in the form CONTROLLER.PARAMETER: the specified key has not the "
                                         "form CONTROLLER.VALUE `%s`",
                                         file, file);
                for (size_t i = 0; i < ELEMENTSOF(commands); i++)
                        if (streq(file, commands[i]))
                                return fail_text(EINVAL,
                                                 "config.json: " WHERE ".unified: %s is no resource", file);
                if (!json_object_is_type(value, json_type_string))
                        return fail_text(EINVAL, "config.json: " WHERE ".unified: %s: expected a string",
                                         file);
        }
        ret->unified = unified;
        return 0;
}

/* Version 1 alone can mark packets by cgroup. */
static int refuse_network(json_object *network) {
        int64_t class_id = 0;
        json_object *priorities;
        size_t n;

        if (spec_int(network, WHERE ".network", "classID", 0, UINT32_MAX, &class_id) < 0 ||
            spec_array(network, WHERE ".network", "priorities", &priorities, &n) < 0)
                return -EINVAL;
        return class_id > 0 ? not_in_v2("network.classID") : n > 0 ? not_in_v2("network.priorities") : 0;
}

static int parse_pids(json_object *pids, const char *oci_version, Resources *ret) {
        int64_t limit = RESOURCE_UNSET;

        if (spec_int(pids, WHERE ".pids", "limit", INT64_MIN + 1, INT64_MAX, &limit) < 0)
                return -EINVAL;
        if (limit == 0)
                /* No limit until version 1.2 of the specification, a limit since 1.3. The first process must
                 * be let in, and then one is as good as none. */
                limit = oci_version && strverscmp(oci_version, "1.3") >= 0 ? 1 : RESOURCE_MAX;
        ret->pids_max = limit < 0 && limit != RESOURCE_UNSET ? RESOURCE_MAX : limit;
        return 0;
}

/**
 * resources_parse - check and convert linux.resources (all but devices: device-filter.c).
 * @o: borrowed as long as @ret lives; may be NULL.
 * @oci_version: the configuration's, which decides what a pids.limit of 0 means; may be NULL.
 * @ret: release with resources_done(), also on failure.
 *
 * Return: 0, -EOPNOTSUPP for what cgroup v2 lacks, -EINVAL, -ENOMEM; with a message.
 */
int resources_parse(json_object *o, const char *oci_version, Resources *ret) {
        json_object *memory, *cpu, *io, *pids, *hugetlb, *rdma, *unified, *network;
        size_t n;
        int r;

        *ret = RESOURCES_INIT;
        if (!o)
                return 0;
        if ((r = spec_object(o, WHERE, "memory", &memory)) < 0 ||
            (r = spec_object(o, WHERE, "cpu", &cpu)) < 0 ||
            (r = spec_object(o, WHERE, "blockIO", &io)) < 0 ||
            (r = spec_object(o, WHERE, "pids", &pids)) < 0 ||
            (r = spec_array(o, WHERE, "hugepageLimits", &hugetlb, &n)) < 0 ||
            (r = spec_object(o, WHERE, "rdma", &rdma)) < 0 ||
            (r = spec_object(o, WHERE, "network", &network)) < 0 ||
            (r = spec_object(o, WHERE, "unified", &unified)) < 0)
                return r;
        if ((network && (r = refuse_network(network)) < 0) ||
            (memory && (r = parse_memory(memory, ret)) < 0) || (cpu && (r = parse_cpu(cpu, ret)) < 0) ||
            (io && (r = parse_io(io, ret)) < 0) || (pids && (r = parse_pids(pids, oci_version, ret)) < 0) ||
            (n > 0 && (r = parse_hugetlb(hugetlb, n, ret)) < 0) ||
            (rdma && (r = parse_rdma(rdma, ret)) < 0) || (unified && (r = parse_unified(unified, ret)) < 0))
                return r;
        return 0;
}
