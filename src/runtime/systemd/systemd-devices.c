/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Device rules as DevicePolicy= and DeviceAllow=. systemd knows only lists of what is allowed, so this one
 * holds at least what our own filter (device-filter.c) lets through; both must agree, and ours is exact. It
 * is there so that whatever systemd does to the unit's filter later takes nothing away from the container.
 */
#include <inttypes.h>

#include "../cgroup/device-filter.h"
#include "systemd-properties.h"

static int put_rule(Buffer *b, const DeviceRule *rule) {
        static const char *const kinds[] = { "char", "block" };
        char access[4] = "";
        int r = 0;

        for (unsigned i = 0, n = 0; i < 3; i++)
                if (rule->access & (unsigned[]) { BPF_DEVCG_ACC_READ, BPF_DEVCG_ACC_WRITE,
                                                  BPF_DEVCG_ACC_MKNOD }[i])
                        access[n++] = "rwm"[i];
        for (unsigned i = 0; r >= 0 && access[0] && i < ELEMENTSOF(kinds); i++) {
                const char *end = b->size > 0 ? "\n" : "";

                if (rule->type != 'a' && rule->type != kinds[i][0])
                        continue;
                /* One minor of all majors has no pattern: it is a part of all devices. */
                if (rule->major == DEVICE_ANY)
                        r = buffer_appendf(b, "%s%s-* %s", end, kinds[i], access);
                else if (rule->minor == DEVICE_ANY)
                        r = buffer_appendf(b, "%s%s-%" PRId64 " %s", end, kinds[i], rule->major, access);
                else
                        r = buffer_appendf(b, "%s/dev/%s/%" PRId64 ":%" PRId64 " %s", end, kinds[i],
                                           rule->major, rule->minor, access);
        }
        return r;
}

/* Return: 1 when @ret holds the whole list, 0 when everything not named is allowed, -errno. */
static int list_allowed(json_object *rules, size_t n_rules, Buffer *ret) {
        int r = 0;

        for (size_t i = n_rules; i-- > 0;) {
                DeviceRule rule;

                r = device_rule_parse(json_object_array_get_idx(rules, i), &rule);
                if (r < 0)
                        return r;
                if (device_rule_is_for_all(&rule)) {
                        if (rule.allow)
                                return 0;
                        break;
                }
                if (rule.allow && (r = put_rule(ret, &rule)) < 0)
                        return r;
        }
        for (size_t i = 0; i < device_rules_always_n; i++)
                if ((r = put_rule(ret, &device_rules_always[i])) < 0)
                        return r;
        return 1;
}

/**
 * systemd_put_devices - append the device properties for linux.resources.devices.
 * @update: of a unit that has some already.
 *
 * Return: 0, -E2BIG, -ENOMEM, -EINVAL with a message.
 */
int systemd_put_devices(Buffer *b, json_object *resources, bool update) {
        _cleanup_buffer_ Buffer list = BUFFER_INIT(FIELDS_TEXT_MAX);
        json_object *rules = NULL;
        size_t n = 0;
        int r = 0;

        if (resources)
                r = spec_array(resources, "linux.resources", "devices", &rules, &n);
        if (r < 0 || n == 0)
                return r;
        r = list_allowed(rules, n, &list);
        if (r < 0)
                return r;
        if (update && (r == 0 || list.size > 0)) {
                /* An empty list forgets the old one. */
                int q = scope_request_put(b, "DeviceAllow", "a(ss)", "");

                if (q < 0)
                        return q;
        }
        if (r == 0)
                return scope_request_put(b, "DevicePolicy", "s", "auto");
        r = scope_request_put(b, "DevicePolicy", "s", "strict");
        return r < 0 ? r : scope_request_put(b, "DeviceAllow", "a(ss)", list.data);
}
