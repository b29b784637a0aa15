/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names of fields in linux.resources, which many callers write as runc's decoder takes them: in any case. */
#include "resources-spelling.h"

#include <errno.h>
#include <strings.h>

#include "../../basic/str.h"

/* Free names, which stay as they are, are only below these. */
static bool has_free_names(const char *key) {
        return streq(key, "unified") || streq(key, "rdma");
}

static const char *spelling(const char *key) {
        static const char *const known[] = {
                "devices",
                "memory",
                "cpu",
                "pids",
                "blockIO",
                "hugepageLimits",
                "rdma",
                "unified",
                "network",
                "limit",
                "reservation",
                "swap",
                "kernel",
                "kernelTCP",
                "swappiness",
                "disableOOMKiller",
                "useHierarchy",
                "checkBeforeUpdate",
                "shares",
                "quota",
                "burst",
                "period",
                "realtimeRuntime",
                "realtimePeriod",
                "cpus",
                "mems",
                "idle",
                "weight",
                "leafWeight",
                "weightDevice",
                "throttleReadBpsDevice",
                "throttleWriteBpsDevice",
                "throttleReadIOPSDevice",
                "throttleWriteIOPSDevice",
                "pageSize",
                "major",
                "minor",
                "rate",
                "type",
                "access",
                "allow",
        };

        for (size_t i = 0; i < ELEMENTSOF(known); i++)
                if (((known[i][0] ^ key[0]) & ~0x20) == 0 && strcasecmp(known[i], key) == 0)
                        return known[i];
        return key;
}

/* {"cpu": {"shares": 2}, "CPU": {"cpus": "0"}} is one object. @item: consumed. */
static int add_or_merge(json_object *to, const char *name, json_object *item) {
        json_object *old = json_get(to, name);

        if (!json_object_is_type(old, json_type_object) || !json_object_is_type(item, json_type_object))
                return json_object_object_add(to, name, item) < 0 ? -ENOMEM : 0;
        json_object_object_foreach(item, key,
                                   value) if (json_object_object_add(old, key, json_object_get(value)) < 0) {
                json_object_put(item);
                return -ENOMEM;
        }
        json_object_put(item);
        return 0;
}

/**
 * resources_fold_case - give the names of fields the spelling of the specification.
 *
 * Callers write them as their own decoder takes them, and runc's takes any case: {"CPU": {"idle": 1}} must
 * not be ignored in silence. @ret: owned by the caller.
 */
int resources_fold_case(json_object *from, json_object **ret) {
        _cleanup_json_ json_object *to = NULL;
        int r = 0;

        if (json_object_is_type(from, json_type_array)) {
                to = json_object_new_array();
                for (size_t i = 0; to && r >= 0 && i < json_object_array_length(from); i++) {
                        json_object *item = NULL;

                        r = resources_fold_case(json_object_array_get_idx(from, i), &item);
                        /* Not json_add(), for which null is a failure. */
                        if (r >= 0 && json_object_array_add(to, item) < 0) {
                                json_object_put(item);
                                r = -ENOMEM;
                        }
                }
        } else if (json_object_is_type(from, json_type_object)) {
                to = json_object_new_object();
                json_object_object_foreach(from, key, value) {
                        const char *name = spelling(key);
                        json_object *item = NULL;

                        if (!to || r < 0)
                                break;
                        if (has_free_names(name))
                                item = json_object_get(value);
                        else
                                r = resources_fold_case(value, &item);
                        if (r >= 0)
                                r = add_or_merge(to, name, item);
                }
        } else {
                *ret = json_object_get(from);
                return 0;
        }
        if (!to || r < 0)
                return r < 0 ? r : -ENOMEM;
        *ret = TAKE_PTR(to);
        return 0;
}

static bool is_spelled_well(json_object *o) {
        if (json_object_is_type(o, json_type_array))
                for (size_t i = 0; i < json_object_array_length(o); i++)
                        if (!is_spelled_well(json_object_array_get_idx(o, i)))
                                return false;
        if (!json_object_is_type(o, json_type_object))
                return true;
        json_object_object_foreach(o, key, value) {
                if (spelling(key) != key && !streq(spelling(key), key))
                        return false;
                if (!has_free_names(key) && !is_spelled_well(value))
                        return false;
        }
        return true;
}

/**
 * resources_respell - give the fields of linux.resources in config.json the spelling of the specification.
 * @linux_object: may be NULL; owns what is changed.
 */
int resources_respell(json_object *linux_object) {
        json_object *o = json_get(linux_object, "resources"), *folded = NULL;
        int r;

        if (is_spelled_well(o))
                return 0;
        r = resources_fold_case(o, &folded);
        return r < 0 ? r : json_set(linux_object, "resources", folded);
}
