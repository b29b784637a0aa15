/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Resources as files of cgroup v2. Only what is given is written. The order matters where the kernel checks
 * one file against another, or acts at once: a write of memory.max below the use kills.
 */
#include "cgroup-resources.h"

#include <inttypes.h>
#include <stdio.h>

#include "../../basic/file.h"
#include "../../basic/str.h"
#include "../error.h"
#include "../runtime-log.h"
#include "cgroup-controllers.h"

typedef struct Target {
        int fd;
        const char *path;
} Target;

/* The file appears when the controller is switched on above; that is tried once it is found missing. */
static int put_raw(const Target *t, const char *file, const char *value) {
        int r = write_string_at(t->fd, file, value);

        if (r == -ENOENT) {
                (void) cgroup_enable_controllers(t->path, file);
                r = write_string_at(t->fd, file, value);
        }
        return r;
}

static int put_failed(const Target *t, int r, const char *file, const char *value) {
        if (r == -ENOENT)
                return cgroup_explain_missing(t->path, file);
        return fail_errno(r, "cgroup %s: write \"%s\" to %s", t->path, value, file);
}

static int put(const Target *t, const char *file, const char *value) {
        int r = put_raw(t, file, value);

        return r < 0 ? put_failed(t, r, file, value) : 0;
}

static const char *limit_text(int64_t value, char text[static 24]) {
        if (value == RESOURCE_MAX)
                return "max";
        (void) snprintf(text, 24, "%" PRId64, value);
        return text;
}

static int put_limit(const Target *t, const char *file, int64_t value) {
        char text[24];

        if (value == RESOURCE_UNSET)
                return 0;
        /* Where the controller is not there, there is no limit either: podman says so in so many words. */
        if (value == RESOURCE_MAX && faccessat(t->fd, file, F_OK, 0) < 0 && errno == ENOENT)
                return 0;
        return put(t, file, limit_text(value, text));
}

/* The text of @file up to the first white space, or -errno. */
static int get_word(const Target *t, const char *file, char **ret) {
        _cleanup_free_ char *text = NULL;
        int r = read_file_at(t->fd, file, 4096, &text, NULL);

        if (r < 0)
                return r;
        text[strcspn(text, " \n")] = 0;
        *ret = TAKE_PTR(text);
        return 0;
}

static int64_t get_number(const Target *t, const char *file) {
        _cleanup_free_ char *text = NULL;
        int64_t n;

        return get_word(t, file, &text) >= 0 && parse_i64(text, 0, INT64_MAX, &n) >= 0 ? n : -1;
}

/* The caller would rather have an error than its container killed. */
static int check_memory(const Target *t, const Resources *r) {
        int64_t used = get_number(t, "memory.current");

        if (used < 0)
                return 0;
        if (r->memory_swap_total > 0 && r->memory_swap_total <= used)
                return fail_text(EBUSY, "rejecting memory+swap limit %" PRId64 " <= usage %" PRId64,
                                 r->memory_swap_total, used);
        if (r->memory_max > 0 && r->memory_max <= used)
                return fail_text(EBUSY, "rejecting memory limit %" PRId64 " <= usage %" PRId64,
                                 r->memory_max, used);
        return 0;
}

static int put_swap(const Target *t, int64_t value) {
        char buffer[24];
        const char *text = limit_text(value, buffer);
        int r;

        if (value == RESOURCE_UNSET)
                return 0;
        r = put_raw(t, "memory.swap.max", text);
        /* A kernel without swap accounting has no such file; no swap and any swap are then the same. */
        if (r == -ENOENT && (value == RESOURCE_MAX ||
                             (value == 0 && faccessat(t->fd, "memory.max", F_OK, 0) >= 0)))
                return 0;
        return r < 0 ? put_failed(t, r, "memory.swap.max", text) : 0;
}

/* Swap first: what a lower memory.max pushes out finds its new room already. */
static int write_memory(const Target *t, const Resources *r) {
        int q;

        if (r->memory_check && (q = check_memory(t, r)) < 0)
                return q;
        if ((q = put_swap(t, r->memory_swap_max)) < 0 || (q = put_limit(t, "memory.max", r->memory_max)) < 0)
                return q;
        return put_limit(t, "memory.low", r->memory_low);
}

/* "max" or a quota alone leaves the period as it is, but there is no way to write a period alone. */
static int write_cpu_max(const Target *t, const Resources *r) {
        _cleanup_free_ char *old = NULL;
        char quota[24], text[64];

        if (r->cpu_quota == RESOURCE_UNSET && r->cpu_period == RESOURCE_UNSET)
                return 0;
        if (r->cpu_period == RESOURCE_UNSET)
                return put(t, "cpu.max", limit_text(r->cpu_quota, quota));
        if (r->cpu_quota == RESOURCE_UNSET)
                (void) get_word(t, "cpu.max", &old);
        (void) snprintf(text, sizeof(text), "%.20s %" PRId64,
                        r->cpu_quota != RESOURCE_UNSET ? limit_text(r->cpu_quota, quota) :
                        old                            ? old :
                                                         "max",
                        r->cpu_period);
        return put(t, "cpu.max", text);
}

/* A burst may not exceed the quota: the one that shrinks goes first. */
static int write_bandwidth(const Target *t, const Resources *r) {
        char text[24];
        bool done;
        int q;

        if (r->cpu_burst == RESOURCE_UNSET)
                return write_cpu_max(t, r);
        q = put_raw(t, "cpu.max.burst", limit_text(r->cpu_burst, text));
        done = q >= 0;
        if (q < 0 && q != -EINVAL)
                return put_failed(t, q, "cpu.max.burst", text);
        q = write_cpu_max(t, r);
        return q < 0 || done ? q : put(t, "cpu.max.burst", text);
}

/* An idle group takes no weight, and becoming idle forgets it. */
static int64_t weight_beside(int64_t idle, int64_t weight) {
        if (idle != 1 || weight == RESOURCE_UNSET)
                return weight;
        runtime_warning("unable to apply both cpu.weight and cpu.idle: an idle cgroup has no weight");
        return RESOURCE_UNSET;
}

static int write_cpu(const Target *t, const Resources *r) {
        int q;

        if (r->cpu_idle == 0 && (q = put_limit(t, "cpu.idle", 0)) < 0)
                return q;
        q = put_limit(t, "cpu.weight", weight_beside(r->cpu_idle, r->cpu_weight));
        if (q < 0)
                return q;
        if (r->cpu_idle == 1 && (q = put_limit(t, "cpu.idle", 1)) < 0)
                return q;
        if ((q = write_bandwidth(t, r)) < 0)
                return q;
        if (r->cpus && (q = put(t, "cpuset.cpus", r->cpus)) < 0)
                return q;
        return r->mems ? put(t, "cpuset.mems", r->mems) : 0;
}

/* The two schedulers that know weights have a file each; which of them a disk uses may change at any time,
 * so both are told where both are there. @device is "" or "8:0 ". */
static int put_io_weight(const Target *t, const char *device, int64_t weight, int64_t bfq_weight) {
        char text[64];
        int r, q;

        (void) snprintf(text, sizeof(text), "%s%" PRId64, device, bfq_weight);
        q = put_raw(t, "io.bfq.weight", text);
        if (q < 0 && q != -ENOENT && q != -EOPNOTSUPP)
                return put_failed(t, q, "io.bfq.weight", text);
        (void) snprintf(text, sizeof(text), "%s%" PRId64, device, weight);
        r = put_raw(t, "io.weight", text);
        if (r >= 0 || (q >= 0 && (r == -ENOENT || r == -EOPNOTSUPP)))
                return 0;
        return put_failed(t, r, "io.weight", text);
}

static int write_io(const Target *t, const Resources *r) {
        char text[96], rate[24];
        int q;

        if (r->io_weight != RESOURCE_UNSET && (q = put_io_weight(t, "", r->io_weight, r->io_bfq_weight)) < 0)
                return q;
        for (size_t i = 0; i < r->n_io_weights; i++) {
                const ResourceIoWeight *w = &r->io_weights[i];

                (void) snprintf(text, sizeof(text), "%u:%u ", w->major, w->minor);
                q = put_io_weight(t, text, w->weight, w->bfq_weight);
                if (q < 0)
                        return q;
        }
        for (size_t i = 0; i < r->n_io_limits; i++) {
                const ResourceIoLimit *l = &r->io_limits[i];

                (void) snprintf(text, sizeof(text), "%u:%u %s=%s", l->major, l->minor,
                                resource_rate_names[l->rate], limit_text(l->value, rate));
                q = put(t, "io.max", text);
                if (q < 0)
                        return q;
        }
        return 0;
}

static int write_hugetlb(const Target *t, const Resources *r) {
        for (size_t i = 0; i < r->n_hugetlb; i++) {
                char file[64], text[24];
                int q;

                (void) snprintf(file, sizeof(file), "hugetlb.%s.max", r->hugetlb[i].page_size);
                q = put_limit(t, file, r->hugetlb[i].limit);
                if (q < 0)
                        return q;
                /* Without it a reservation succeeds and the touch of the page is answered with SIGBUS. */
                (void) snprintf(file, sizeof(file), "hugetlb.%s.rsvd.max", r->hugetlb[i].page_size);
                q = put_raw(t, file, limit_text(r->hugetlb[i].limit, text));
                if (q < 0 && q != -ENOENT)
                        return put_failed(t, q, file, text);
        }
        return 0;
}

static int write_rdma(const Target *t, const Resources *r) {
        for (size_t i = 0; i < r->n_rdma; i++) {
                const ResourceRdma *l = &r->rdma[i];
                char text[160];
                int n, q;

                n = snprintf(text, sizeof(text), "%s", l->device);
                if (l->handles != RESOURCE_UNSET)
                        n += snprintf(text + n, sizeof(text) - (size_t) n, " hca_handle=%" PRId64,
                                      l->handles);
                if (l->objects != RESOURCE_UNSET)
                        n += snprintf(text + n, sizeof(text) - (size_t) n, " hca_object=%" PRId64,
                                      l->objects);
                q = put(t, "rdma.max", text);
                if (q < 0)
                        return q;
        }
        return 0;
}

/* Files of the io controller take one line per write. */
static int put_lines(const Target *t, const char *file, const char *value) {
        _cleanup_strv_ char **lines = NULL;
        int r;

        if (!strchr(value, '\n'))
                return put(t, file, value);
        r = strv_split(value, '\n', &lines);
        for (char **l = lines; r >= 0 && *l; l++)
                if (**l)
                        r = put(t, file, *l);
        return r;
}

static int write_unified(const Target *t, const Resources *r) {
        bool idle = r->unified && streq(json_string_or(r->unified, "cpu.idle", ""), "1");

        if (!r->unified)
                return 0;
        json_object_object_foreach(r->unified, file, value) {
                int q;

                if (streq(file, "cpu.weight") && weight_beside(idle ? 1 : r->cpu_idle, 1) == RESOURCE_UNSET)
                        continue;
                q = put_lines(t, file, json_object_get_string(value));

                if (q < 0)
                        return q;
        }
        return 0;
}

/**
 * cgroup_resources_write - write all that is set in @resources to a cgroup.
 * @path: of the same cgroup, for enabling controllers above it.
 *
 * Return: 0, -EOPNOTSUPP for a controller that is not there, -EBUSY for limits that memory_check rejects, or
 * -errno; with a message.
 */
int cgroup_resources_write(int cgroup_fd, const char *path, const Resources *resources) {
        const Target t = { cgroup_fd, path };
        int r;

        if ((r = write_memory(&t, resources)) < 0 || (r = write_cpu(&t, resources)) < 0 ||
            (r = write_io(&t, resources)) < 0 || (r = put_limit(&t, "pids.max", resources->pids_max)) < 0 ||
            (r = write_hugetlb(&t, resources)) < 0 || (r = write_rdma(&t, resources)) < 0)
                return r;
        return write_unified(&t, resources);
}

/** cgroup_resources_apply - resources_parse() and cgroup_resources_write() in one. */
int cgroup_resources_apply(int cgroup_fd, const char *path, json_object *resources,
                           const char *oci_version) {
        _cleanup_resources_ Resources parsed = RESOURCES_INIT;
        int r = resources_parse(resources, oci_version, &parsed);

        return r < 0 ? r : cgroup_resources_write(cgroup_fd, path, &parsed);
}
