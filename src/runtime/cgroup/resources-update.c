/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An update of linux.resources and the resources that were stored before. The update is written to the
 * kernel, with what it leaves out but needs taken from the stored ones; then both are merged, so that the
 * stored configuration says what is in force, to later updates and to a restore.
 */
#include "resources-update.h"

#include <errno.h>
#include <string.h>

#include "../../basic/str.h"

static int64_t number_of(json_object *o, const char *group, const char *key) {
        int64_t n = 0;

        (void) json_get_int(json_get(o, group), key, INT64_MIN, INT64_MAX, &n);
        return n;
}

static int take_over(json_object *update, json_object *stored, const char *group, const char *key) {
        int64_t n = number_of(stored, group, key);

        return n == 0 ? 0 : json_set_int(json_get(update, group), key, n);
}

static bool says(json_object *resources, const char *file, const char *text) {
        return streq(json_string_or(json_get(resources, "unified"), file, ""), text);
}

/* The kernel gives no weight to an idle cgroup: who asks for one wants it to work. */
static int end_idleness(json_object *update, json_object *stored) {
        bool weight = number_of(update, "cpu", "shares") > 0 ||
                      json_get(json_get(update, "unified"), "cpu.weight"),
             idle = json_get(json_get(update, "cpu"), "idle") ||
                    json_get(json_get(update, "unified"), "cpu.idle");

        if (!weight || idle || (number_of(stored, "cpu", "idle") != 1 && !says(stored, "cpu.idle", "1")))
                return 0;
        if (!json_get(update, "cpu")) {
                int r = json_set(update, "cpu", json_object_new_object());

                if (r < 0)
                        return r;
        }
        return json_set_int(json_get(update, "cpu"), "idle", 0);
}

/**
 * resources_complete - add to @update what it needs from @stored: the memory limit that a new limit of
 * memory and swap contains, the other one of CPU quota and period, and the end of being idle with a weight.
 *
 * Return: 0 or -ENOMEM.
 */
int resources_complete(json_object *update, json_object *stored) {
        bool quota = number_of(update, "cpu", "quota") != 0,
             period = number_of(update, "cpu", "period") != 0;
        int r = 0;

        if (number_of(update, "memory", "swap") > 0 && number_of(update, "memory", "limit") == 0)
                r = take_over(update, stored, "memory", "limit");
        /* What was set by file name is newer than the fields; the writer then asks the kernel. */
        if (r >= 0 && quota != period && !json_get(json_get(stored, "unified"), "cpu.max"))
                r = take_over(update, stored, "cpu", quota ? "period" : "quota");
        return r < 0 ? r : end_idleness(update, stored);
}

/* What tells two elements of a list of limits apart; NULL for lists that are replaced as a whole. */
static const char *const *keys_of(const char *list) {
        static const char *const device[] = { "major", "minor", NULL }, *const page[] = { "pageSize", NULL };

        return startswith(list, "throttle") || streq(list, "weightDevice") ? device :
               streq(list, "hugepageLimits")                               ? page :
                                                                             NULL;
}

static bool same_element(json_object *a, json_object *b, const char *const *keys) {
        for (; *keys; keys++)
                if (!json_object_equal(json_get(a, *keys), json_get(b, *keys)))
                        return false;
        return true;
}

static int merge_list(json_object *stored, json_object *update, const char *const *keys) {
        for (size_t i = 0; i < json_object_array_length(update); i++) {
                json_object *e = json_object_array_get_idx(update, i);
                size_t at = 0;

                while (at < json_object_array_length(stored) &&
                       !same_element(json_object_array_get_idx(stored, at), e, keys))
                        at++;
                if (json_object_array_put_idx(stored, at, json_object_get(e)) < 0) {
                        json_object_put(e);
                        return -ENOMEM;
                }
        }
        return 0;
}

static int merge(json_object *stored, json_object *update) {
        json_object_object_foreach(update, key, value) {
                json_object *old = json_get(stored, key);
                const char *const *keys = keys_of(key);
                int r;

                if (!value)
                        continue;
                if (json_object_is_type(old, json_type_object) &&
                    json_object_is_type(value, json_type_object))
                        r = merge(old, value);
                else if (keys && json_object_is_type(old, json_type_array) &&
                         json_object_is_type(value, json_type_array))
                        r = merge_list(old, value, keys);
                else
                        r = json_set(stored, key, json_object_get(value));
                if (r < 0)
                        return r;
        }
        return 0;
}

/* The kernel keeps the limit of swap alone when that of memory changes; what is stored is their sum. */
static int follow_swap(json_object *stored, json_object *update) {
        int64_t limit = number_of(update, "memory", "limit"), old = number_of(stored, "memory", "limit");
        int64_t swap = number_of(stored, "memory", "swap"), sum;

        if (limit == 0 || number_of(update, "memory", "swap") != 0)
                return 0;
        if (limit < 0)
                return json_set_int(json_get(update, "memory"), "swap", -1);
        if (swap <= 0 || old <= 0)
                return 0;
        if (__builtin_add_overflow(limit, swap - old, &sum))
                sum = INT64_MAX;
        return json_set_int(json_get(update, "memory"), "swap", sum);
}

/* `unified` is written last: what it says of a field that is set anew must not come back. */
static void forget_unified(json_object *stored, json_object *update) {
        static const struct {
                const char *group, *key, *file;
        } fields[] = {
                { "memory", "limit", "memory.max" },       { "memory", "swap", "memory.swap.max" },
                { "memory", "reservation", "memory.low" }, { "cpu", "shares", "cpu.weight" },
                { "cpu", "quota", "cpu.max" },             { "cpu", "period", "cpu.max" },
                { "cpu", "burst", "cpu.max.burst" },       { "cpu", "idle", "cpu.idle" },
                { "cpu", "cpus", "cpuset.cpus" },          { "cpu", "mems", "cpuset.mems" },
                { "pids", "limit", "pids.max" },           { "blockIO", "weight", "io.weight" },
                { "blockIO", "weight", "io.bfq.weight" },
        };
        json_object *unified = json_get(stored, "unified");

        for (size_t i = 0; unified && i < ELEMENTSOF(fields); i++)
                if (json_get(json_get(update, fields[i].group), fields[i].key))
                        json_object_object_del(unified, fields[i].file);
}

/**
 * resources_merge - make @stored say what is in force after @update was written.
 * @update: shares its parts with @stored from then on, and is changed.
 *
 * Return: 0 or -ENOMEM.
 */
int resources_merge(json_object *stored, json_object *update) {
        int r;

        r = follow_swap(stored, update);
        if (r < 0)
                return r;
        forget_unified(stored, update);
        return merge(stored, update);
}

/**
 * resources_parse_size - bytes, as runc's flags take them: "1073741824", "512m", "1.5GiB", or -1.
 *
 * Return: 0, -EINVAL, -ERANGE.
 */
int resources_parse_size(const char *text, int64_t *ret) {
        static const char units[] = "kmgtp";
        size_t whole = strspn(text, "0123456789"), n = whole, fraction = 0;
        unsigned shift = 0;
        uint64_t value = 0;
        double part = 0;

        if (streq(text, "-1")) {
                *ret = -1;
                return 0;
        }
        if (whole == 0)
                return -EINVAL;
        for (size_t i = 0; i < whole; i++)
                if (__builtin_mul_overflow(value, 10, &value) ||
                    __builtin_add_overflow(value, (uint64_t) (text[i] - '0'), &value))
                        return -ERANGE;
        if (text[n] == '.') {
                fraction = strspn(text + n + 1, "0123456789");
                for (size_t i = fraction; i > 0; i--)
                        part = (part + (text[n + i] - '0')) / 10;
                n += 1 + fraction;
        }
        n += text[n] == ' ' && text[n + 1];
        if (text[n] && strchr(units, text[n] | 0x20))
                shift = 10 * (unsigned) (strchr(units, text[n++] | 0x20) - units + 1);
        if (shift > 0 && (text[n] | 0x20) == 'i')
                n += (text[n + 1] | 0x20) == 'b' ? 2 : 0;
        else if ((text[n] | 0x20) == 'b')
                n++;
        if (text[n] || (whole < n && text[whole] == '.' && fraction == 0))
                return -EINVAL;
        if (value > (uint64_t) INT64_MAX >> shift)
                return -ERANGE;
        *ret = (int64_t) (value << shift) + (int64_t) (part * (double) (UINT64_C(1) << shift));
        return *ret < 0 ? -ERANGE : 0;
}
