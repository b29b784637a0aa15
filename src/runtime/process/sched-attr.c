/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sched-attr.h"

#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../../basic/str.h"
#include "../error.h"
#include "../runtime-log.h"

/* struct sched_attr of the kernel; glibc has none before 2.41. */
typedef struct SchedAttr {
        uint32_t size, policy;
        uint64_t flags;
        int32_t nice;
        uint32_t priority;
        uint64_t runtime, deadline, period;
        uint32_t util_min, util_max;
} SchedAttr;

static const struct {
        const char *name;
        uint32_t value;
} policies[] = {
        { "SCHED_OTHER", 0 }, { "SCHED_FIFO", 1 },     { "SCHED_RR", 2 },  { "SCHED_BATCH", 3 },
        { "SCHED_ISO", 4 },   { "SCHED_IDLE", 5 },     { "SCHED_DEADLINE", 6 },
}, flag_names[] = {
        { "SCHED_FLAG_RESET_ON_FORK", 1 },  { "SCHED_FLAG_RECLAIM", 2 },        { "SCHED_FLAG_DL_OVERRUN", 4 },
        { "SCHED_FLAG_KEEP_POLICY", 8 },    { "SCHED_FLAG_KEEP_PARAMS", 16 },   { "SCHED_FLAG_UTIL_CLAMP_MIN", 32 },
        { "SCHED_FLAG_UTIL_CLAMP_MAX", 64 },
}, io_classes[] = {
        { "IOPRIO_CLASS_RT", 1 }, { "IOPRIO_CLASS_BE", 2 }, { "IOPRIO_CLASS_IDLE", 3 },
};

#define DEADLINE "config.json: process.scheduler: sched_setattr: `SCHED_DEADLINE` "
#define DEADLINE_MIN_NS 1024 /* the kernel counts in units of it */

/* Return: 1, 0 when absent, -EINVAL with a message. */
static int time_field(json_object *o, const char *key, uint64_t *ret) {
        json_object *v = json_get(o, key);

        if (!v)
                return 0;
        if (!json_object_is_type(v, json_type_int) || (json_object_get_int64(v) < 0))
                return fail_text(EINVAL, "config.json: process.scheduler.%s: expected a number from 0 on",
                                 key);
        *ret = json_object_get_uint64(v);
        return 1;
}

/* The kernel's only word for all of these is EINVAL. */
static int check_deadline(const SchedAttr *a, bool has_runtime, bool has_deadline) {
        if (!has_runtime)
                return fail_text(EINVAL, DEADLINE "requires `runtime`");
        if (!has_deadline)
                return fail_text(EINVAL, DEADLINE "requires `deadline`");
        if (a->runtime == 0)
                return fail_text(EINVAL, DEADLINE "runtime must be greater than 0");
        if (a->runtime < DEADLINE_MIN_NS || a->runtime > INT64_MAX)
                return fail_text(EINVAL, DEADLINE "runtime %ju must be between %d and %jd",
                                 (uintmax_t) a->runtime, DEADLINE_MIN_NS, (intmax_t) INT64_MAX);
        if (a->runtime > a->deadline)
                return fail_text(EINVAL, DEADLINE "runtime %ju must be <= deadline %ju",
                                 (uintmax_t) a->runtime, (uintmax_t) a->deadline);
        if (a->period != 0 && a->deadline > a->period)
                return fail_text(EINVAL, DEADLINE "deadline %ju must be <= period %ju",
                                 (uintmax_t) a->deadline, (uintmax_t) a->period);
        return 0;
}

static int take_times(json_object *o, SchedAttr *a, bool deadline_policy) {
        int has_runtime = time_field(o, "runtime", &a->runtime), r;
        int has_deadline = has_runtime < 0 ? has_runtime : time_field(o, "deadline", &a->deadline);

        r = has_deadline < 0 ? has_deadline : time_field(o, "period", &a->period);
        return r < 0 || !deadline_policy ? r : check_deadline(a, has_runtime > 0, has_deadline > 0);
}

static int apply_scheduler(json_object *o) {
        SchedAttr attr = { .size = sizeof(attr), .policy = UINT32_MAX };
        _cleanup_free_ const char **flags = NULL;
        int64_t nice = 0, priority = 0;
        const char *policy = json_string_or(o, "policy", "");
        int r;

        for (size_t i = 0; i < ELEMENTSOF(policies); i++)
                if (streq(policies[i].name, policy))
                        attr.policy = policies[i].value;
        if (attr.policy == UINT32_MAX)
                return fail_text(EINVAL, "config.json: process.scheduler.policy: unknown \"%s\"", policy);
        if ((r = spec_int(o, "process.scheduler", "nice", -20, 19, &nice)) < 0 ||
            (r = spec_int(o, "process.scheduler", "priority", 0, 99, &priority)) < 0 ||
            (r = take_times(o, &attr, streq(policy, "SCHED_DEADLINE"))) < 0 ||
            (r = spec_strv(o, "process.scheduler", "flags", &flags)) < 0)
                return r;
        for (size_t k = 0; flags && flags[k]; k++) {
                uint64_t bit = 0;

                for (size_t i = 0; i < ELEMENTSOF(flag_names); i++)
                        if (streq(flag_names[i].name, flags[k]))
                                bit = flag_names[i].value;
                if (bit == 0)
                        return fail_text(EINVAL, "config.json: process.scheduler.flags: unknown \"%s\"",
                                         flags[k]);
                attr.flags |= bit;
        }
        attr.nice = (int32_t) nice;
        attr.priority = (uint32_t) priority;
        if (syscall(SYS_sched_setattr, 0, &attr, 0) >= 0)
                return 0;
        /* The kernel has one answer for both. */
        if (errno == EPERM && streq(policy, "SCHED_DEADLINE"))
                return fail_text(
                                EPERM,
                                "set process.scheduler: not permitted: there is no CAP_SYS_NICE, or this "
                                "process scheduler can't be used together with AllowedCPUs: it needs all CPUs");
        return fail_errno(errno, "set process.scheduler");
}

static int apply_io_priority(json_object *o) {
        const char *class = json_string_or(o, "class", "");
        int64_t priority = 0;
        int value = -1;
        int r;

        r = spec_int(o, "process.ioPriority", "priority", 0, 7, &priority);
        if (r < 0)
                return r;
        for (size_t i = 0; i < ELEMENTSOF(io_classes); i++)
                if (streq(io_classes[i].name, class))
                        value = (int) (io_classes[i].value << 13 | (uint32_t) priority);
        if (value < 0)
                return fail_text(EINVAL, "config.json: process.ioPriority.class: unknown \"%s\"", class);
        if (syscall(SYS_ioprio_set, 1, 0, value) < 0)
                return fail_errno(errno, "set process.ioPriority");
        return 0;
}

/* "0-3,7" */
static int parse_cpu_list(const char *s, cpu_set_t *ret) {
        _cleanup_strv_ char **parts = NULL;
        int r;

        CPU_ZERO(ret);
        r = strv_split(s, ',', &parts);
        for (char **p = parts; r >= 0 && *p; p++) {
                char *dash = strchr(*p, '-');
                uint64_t first, last;

                if (dash)
                        *dash = 0;
                r = parse_u64(*p, CPU_SETSIZE - 1, &first);
                if (r >= 0)
                        r = dash ? parse_u64(dash + 1, CPU_SETSIZE - 1, &last) : (int) (last = first, 0);
                if (r >= 0 && last < first)
                        r = -EINVAL;
                for (uint64_t i = first; r >= 0 && i <= last; i++)
                        CPU_SET(i, ret);
        }
        return r < 0 ? r : CPU_COUNT(ret) > 0 ? 0 : -EINVAL;
}

/* @apply: or only check it. Return: 1 when there is such a list, 0 when there is none, or -errno. */
static int use_affinity(const SpecProcess *p, const char *key, bool apply) {
        const char *list = NULL;
        cpu_set_t set;
        int r;

        if (!p->cpu_affinity)
                return 0;
        r = spec_string(p->cpu_affinity, "process.execCPUAffinity", key, &list);
        if (r < 0 || isempty(list))
                return r < 0 ? r : 0;
        r = parse_cpu_list(list, &set);
        if (r < 0)
                return fail_text(EINVAL, "config.json: process.execCPUAffinity.%s: bad list \"%s\"", key,
                                 list);
        if (apply && sched_setaffinity(0, sizeof(set), &set) < 0)
                return fail_errno(errno, "set process.execCPUAffinity.%s \"%s\"", key, list);
        return 1;
}

/** sched_check - execCPUAffinity, which only an exec uses. Return: 0, or -EINVAL with a message. */
int sched_check(const SpecProcess *p) {
        int r = use_affinity(p, "initial", false);

        if (r >= 0)
                r = use_affinity(p, "final", false);
        return MIN(r, 0);
}

static void log_affinity(void) {
        cpu_set_t set;
        unsigned long long first = 0;

        if (!runtime_debugging() || sched_getaffinity(0, sizeof(set), &set) < 0)
                return;
        for (unsigned i = 0; i < 64; i++)
                if (CPU_ISSET(i, &set))
                        first |= 1ULL << i;
        runtime_debug("nsexec container setup: affinity: %#llx", first);
}

/**
 * sched_reset_affinity - all processors that the cgroup allows, which the calling process is in. That the
 * runtime itself was started on some of them only says nothing about the container.
 */
void sched_reset_affinity(void) {
        unsigned long all[8192 / (8 * sizeof(unsigned long))];

        memset(all, 0xff, sizeof(all));
        /* The kernel takes those that there are. */
        (void) syscall(SYS_sched_setaffinity, 0, sizeof(all), all);
}

/** sched_apply_initial_affinity - of the runtime itself, before the child is cloned into the container's
 * cgroup. */
int sched_apply_initial_affinity(const SpecProcess *p) {
        int r = use_affinity(p, "initial", true);

        if (r > 0)
                log_affinity();
        return MIN(r, 0);
}

/** sched_apply_final_affinity - of the child, which is in the container's cgroup. */
int sched_apply_final_affinity(const SpecProcess *p) {
        int r = use_affinity(p, "final", true);

        /* With a cpuset, birth in the container's cgroup has taken the initial one away; moving there, as
         * our peers do, does not. One that the cgroup does not allow is gone for good. */
        if (r == 0 && use_affinity(p, "initial", true) == 0)
                sched_reset_affinity();
        return MIN(r, 0);
}

/** sched_apply - scheduler and ioPriority of the calling process. */
int sched_apply(const SpecProcess *p) {
        int r = 0;

        if (p->scheduler)
                r = apply_scheduler(p->scheduler);
        if (r >= 0 && p->io_priority)
                r = apply_io_priority(p->io_priority);
        return r;
}
