/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Resources as properties of a unit, which systemd keeps through daemon-reload and daemon-reexec. The files
 * of the cgroup are written as well (cgroup-resources.c) and it is the kernel who judges values: what is
 * malformed, out of a property's range or without a property is left out here.
 */
#include "systemd-properties.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../basic/str.h"

#define INFINITY_TEXT "18446744073709551615"
#define PERIOD_DEFAULT 100000
#define USEC 1000000
/* systemd keeps a quota in whole percents of a CPU. */
#define QUOTA_STEP 10000
#define SET_MAX 1024 /* bytes: CPUs and nodes up to 8191 */

enum { IO_WEIGHT = _RATE_MAX, _IO_MAX };

static const char *const io_properties[_IO_MAX] = {
        [RATE_RBPS] = "IOReadBandwidthMax", [RATE_WBPS] = "IOWriteBandwidthMax",
        [RATE_RIOPS] = "IOReadIOPSMax",     [RATE_WIOPS] = "IOWriteIOPSMax",
        [IO_WEIGHT] = "IODeviceWeight",
};

/* The resources with those of `unified` written over them. */
typedef struct Wanted {
        Resources r; /* shallow */
        int64_t memory_high, memory_min, memory_zswap;
        bool oom_group;
        Buffer io[_IO_MAX]; /* lines of a(st) */
} Wanted;

static void wanted_done(Wanted *w) {
        for (unsigned i = 0; i < _IO_MAX; i++)
                buffer_done(&w->io[i]);
}

/* As the kernel reads it: a number, maybe with a suffix, or "max". Return: whether @ret is set. */
static bool parse_amount(const char *text, bool suffix, int64_t *ret) {
        static const char suffixes[] = "kmgtpe";
        const char *found = NULL;
        unsigned shift = 0;
        char digits[24];
        uint64_t u;
        size_t n;

        if (streq(text, "max")) {
                *ret = RESOURCE_MAX;
                return true;
        }
        n = strspn(text, "0123456789");
        if (n == 0 || n >= sizeof(digits))
                return false;
        if (text[n])
                found = suffix && !text[n + 1] ? strchr(suffixes, text[n] | 0x20) : NULL;
        if (text[n] && !found)
                return false;
        if (found)
                shift = 10 * (unsigned) (found - suffixes + 1);
        (void) snprintf(digits, sizeof(digits), "%.*s", (int) n, text);
        if (parse_u64(digits, (uint64_t) INT64_MAX >> shift, &u) < 0)
                return false;
        *ret = (int64_t) (u << shift);
        return true;
}

static int add_io(Wanted *w, unsigned which, unsigned major, unsigned minor, int64_t value) {
        Buffer *b = &w->io[which];

        return buffer_appendf(b, value == RESOURCE_MAX ? "%s/dev/block/%u:%u " INFINITY_TEXT :
                                                         "%s/dev/block/%u:%u %" PRId64,
                              b->size > 0 ? "\n" : "", major, minor, value);
}

/* One line of io.max or io.weight: MAJOR:MINOR and words. */
static int take_io_line(Wanted *w, bool weight, char *line) {
        unsigned major, minor;
        int end = 0, r = 0;
        int64_t value;
        char *rest;

        if (sscanf(line, "%u:%u %n", &major, &minor, &end) < 2 || end == 0) {
                const char *n = startswith(line, "default ");

                if (weight && parse_amount(n ? n : line, false, &value))
                        w->r.io_weight = value;
                return 0;
        }
        rest = line + end;
        if (weight)
                return parse_amount(rest, false, &value) ? add_io(w, IO_WEIGHT, major, minor, value) : 0;
        for (char *word = rest, *next; r >= 0 && word && *word; word = next) {
                next = strchr(word, ' ');
                if (next)
                        *next++ = 0;
                for (unsigned i = 0; i < _RATE_MAX; i++) {
                        const char *v = startswith(word, resource_rate_names[i]);

                        if (v && *v == '=' && parse_amount(v + 1, false, &value))
                                r = add_io(w, i, major, minor, value);
                }
        }
        return r;
}

static int take_io(Wanted *w, bool weight, const char *text) {
        _cleanup_strv_ char **lines = NULL;
        int r = strv_split(text, '\n', &lines);

        for (char **l = lines; r >= 0 && *l; l++)
                r = take_io_line(w, weight, *l);
        return r;
}

static void take_cpu_max(Wanted *w, const char *text) {
        char quota[24] = "", period[24] = "";
        int64_t q, p;

        if (sscanf(text, "%23s %23s", quota, period) < 1 || !parse_amount(quota, false, &q))
                return;
        if (period[0] && (!parse_amount(period, false, &p) || p < 1))
                return;
        w->r.cpu_quota = q;
        if (period[0])
                w->r.cpu_period = p;
}

static int take_unified(Wanted *w, json_object *unified) {
        const struct {
                const char *file;
                int64_t *field;
                bool suffix;
        } numbers[] = {
                { "memory.max", &w->r.memory_max, true },   { "memory.low", &w->r.memory_low, true },
                { "memory.high", &w->memory_high, true },   { "memory.min", &w->memory_min, true },
                { "memory.swap.max", &w->r.memory_swap_max, true }, { "pids.max", &w->r.pids_max, false },
                { "cpu.weight", &w->r.cpu_weight, false },  { "cpu.idle", &w->r.cpu_idle, false },
        };

        json_object_object_foreach(unified, file, value) {
                const char *text = json_object_get_string(value);
                int r = 0;

                for (size_t i = 0; i < ELEMENTSOF(numbers); i++)
                        if (streq(numbers[i].file, file))
                                (void) parse_amount(text, numbers[i].suffix, numbers[i].field);
                if (streq(file, "memory.oom.group"))
                        w->oom_group = streq(text, "1");
                else if (streq(file, "memory.zswap.max"))
                        (void) parse_amount(text, true, &w->memory_zswap);
                else if (streq(file, "cpu.max"))
                        take_cpu_max(w, text);
                else if (streq(file, "cpuset.cpus"))
                        w->r.cpus = text;
                else if (streq(file, "cpuset.mems"))
                        w->r.mems = text;
                else if (streq(file, "io.weight") || streq(file, "io.max"))
                        r = take_io(w, streq(file, "io.weight"), text);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* @least: the smallest value the property takes. */
static int put_limit(Buffer *b, const char *name, int64_t value, int64_t least) {
        if (value == RESOURCE_MAX)
                return scope_request_put(b, name, "t", INFINITY_TEXT);
        if (value == RESOURCE_UNSET || value < least)
                return 0;
        return scope_request_putf(b, name, "t", "%" PRId64, value);
}

/* "0-3,8" as one bit for each, in hexadecimal. Return: false for what is no such list. */
static bool parse_set(const char *list, char ret[2 * SET_MAX + 1]) {
        uint8_t bits[SET_MAX] = {};
        size_t size = 0;

        for (const char *p = list; *p;) {
                unsigned long first, last;
                char *end;

                first = last = strtoul(p, &end, 10);
                if (end == p || p[0] < '0' || p[0] > '9')
                        return false;
                if (*end == '-') {
                        p = end + 1;
                        last = strtoul(p, &end, 10);
                        if (end == p || p[0] < '0' || p[0] > '9')
                                return false;
                }
                if (last < first || last >= 8 * SET_MAX || (*end && *end != ','))
                        return false;
                for (unsigned long i = first; i <= last; i++)
                        bits[i / 8] |= (uint8_t) (1U << i % 8);
                size = MAX(size, last / 8 + 1);
                p = *end ? end + 1 : end;
        }
        hex_encode(bits, size, ret);
        return size > 0;
}

static int put_set(Buffer *b, const char *name, const char *list) {
        char text[2 * SET_MAX + 1];

        return list && parse_set(list, text) ? scope_request_put(b, name, "ay", text) : 0;
}

static int put_cpu_max(Buffer *b, int64_t quota, int64_t period) {
        int r = put_limit(b, "CPUQuotaPeriodUSec", period, 1);
        int64_t used = period == RESOURCE_UNSET ? PERIOD_DEFAULT : period;
        uint64_t per_second;

        if (r < 0 || quota == RESOURCE_UNSET)
                return r;
        if (quota == RESOURCE_MAX)
                return scope_request_put(b, "CPUQuotaPerSecUSec", "t", INFINITY_TEXT);
        if (quota < 1 || used < 1 || quota > INT64_MAX / USEC - USEC)
                return 0;
        /* Rounded up, or a reload would take some of it away. */
        per_second = (uint64_t) (quota * USEC / used) + (quota * USEC % used > 0);
        per_second = (per_second + QUOTA_STEP - 1) / QUOTA_STEP * QUOTA_STEP;
        return scope_request_putf(b, "CPUQuotaPerSecUSec", "t", "%" PRIu64, per_second);
}

/* A weight of 0 is systemd's word for an idle cgroup, the largest number its word for none. */
static int put_cpu_weight(Buffer *b, int64_t weight, int64_t idle) {
        if (idle == 1)
                return scope_request_put(b, "CPUWeight", "t", "0");
        if (weight != RESOURCE_UNSET && weight >= 1 && weight <= 10000)
                return scope_request_putf(b, "CPUWeight", "t", "%" PRId64, weight);
        return idle == 0 ? scope_request_put(b, "CPUWeight", "t", INFINITY_TEXT) : 0;
}

static int collect(Wanted *w, const Resources *r) {
        int q = 0;

        w->r = *r;
        w->memory_high = w->memory_min = w->memory_zswap = RESOURCE_UNSET;
        for (size_t i = 0; q >= 0 && i < r->n_io_weights; i++)
                q = add_io(w, IO_WEIGHT, r->io_weights[i].major, r->io_weights[i].minor,
                           r->io_weights[i].weight);
        for (size_t i = 0; q >= 0 && i < r->n_io_limits; i++)
                q = add_io(w, r->io_limits[i].rate, r->io_limits[i].major, r->io_limits[i].minor,
                           r->io_limits[i].value);
        return q < 0 || !r->unified ? q : take_unified(w, r->unified);
}

/* What systemd has had since version 253. */
static int put_newer(Buffer *b, const Wanted *w) {
        char text[24];
        int r;

        /* The policy `kill` is what makes systemd write a 1 to memory.oom.group. */
        r = w->oom_group ? scope_request_put_optional(b, "OOMPolicy", "s", "kill") : 0;
        if (r < 0 || w->memory_zswap == RESOURCE_UNSET)
                return r;
        (void) snprintf(text, sizeof(text), "%" PRId64, w->memory_zswap);
        return scope_request_put_optional(b, "MemoryZSwapMax", "t",
                                          w->memory_zswap == RESOURCE_MAX ? INFINITY_TEXT : text);
}

/**
 * systemd_put_resources - append the properties for all of @r that has one.
 *
 * Return: 0, -E2BIG, -ENOMEM.
 */
int systemd_put_resources(Buffer *b, const Resources *r) {
        _cleanup_(wanted_done) Wanted w = {};
        int q;

        for (unsigned i = 0; i < _IO_MAX; i++)
                w.io[i] = BUFFER_INIT(FIELDS_TEXT_MAX);
        if ((q = collect(&w, r)) < 0 || (q = put_limit(b, "MemoryMax", w.r.memory_max, 1)) < 0 ||
            (q = put_limit(b, "MemoryLow", w.r.memory_low, 0)) < 0 ||
            (q = put_limit(b, "MemoryHigh", w.memory_high, 1)) < 0 ||
            (q = put_limit(b, "MemoryMin", w.memory_min, 0)) < 0 ||
            (q = put_limit(b, "MemorySwapMax", w.r.memory_swap_max, 0)) < 0 ||
            (q = put_cpu_weight(b, w.r.cpu_weight, w.r.cpu_idle)) < 0 ||
            (q = put_cpu_max(b, w.r.cpu_quota, w.r.cpu_period)) < 0 ||
            (q = put_set(b, "AllowedCPUs", w.r.cpus)) < 0 ||
            (q = put_set(b, "AllowedMemoryNodes", w.r.mems)) < 0 ||
            (q = put_limit(b, "TasksMax", w.r.pids_max, 1)) < 0)
                return q;
        if (w.r.io_weight >= 1 && w.r.io_weight <= 10000 &&
            (q = put_limit(b, "IOWeight", w.r.io_weight, 1)) < 0)
                return q;
        for (unsigned i = 0; i < _IO_MAX; i++)
                if (w.io[i].size > 0 &&
                    (q = scope_request_put(b, io_properties[i], "a(st)", w.io[i].data)) < 0)
                        return q;
        return put_newer(b, &w);
}
