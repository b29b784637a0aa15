/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <ctype.h>
#include <net/if.h>

#include "../error.h"
#include "spec.h"

/* What the kernel takes as a name. */
static bool name_is_valid(const char *name) {
        size_t n = strlen(name);

        if (n == 0 || n >= IFNAMSIZ || streq(name, ".") || streq(name, ".."))
                return false;
        for (const char *p = name; *p; p++)
                if (*p == '/' || *p == ':' || isspace((unsigned char) *p))
                        return false;
        return true;
}

static int parse_one(const char *name, json_object *o, SpecNetDevice *ret) {
        const char *inside = NULL;
        int r;

        if (!json_object_is_type(o, json_type_object))
                return fail_text(EINVAL, "config.json: linux.netDevices: expected an object for \"%s\"",
                                 name);
        r = spec_string(o, "linux.netDevices", "name", &inside);
        if (r < 0)
                return r;
        if (isempty(inside))
                inside = name;
        if (!name_is_valid(name) || !name_is_valid(inside))
                return fail_text(EINVAL, "config.json: linux.netDevices: invalid network device name \"%s\"",
                                 name_is_valid(name) ? inside : name);
        *ret = (SpecNetDevice) { name, inside };
        return 0;
}

/**
 * spec_net_devices_parse - linux.netDevices of @linux_object into @s.
 *
 * Return: 0, -EINVAL with the field in fail_message(), -ENOMEM.
 */
int spec_net_devices_parse(json_object *linux_object, Spec *s) {
        json_object *o;
        int r;

        r = spec_object(linux_object, "linux", "netDevices", &o);
        if (r < 0 || !o || json_object_object_length(o) == 0)
                return r;
        s->net_devices = new0(SpecNetDevice, (size_t) json_object_object_length(o));
        if (!s->net_devices)
                return -ENOMEM;
        json_object_object_foreach(o, name, value) {
                SpecNetDevice *d = &s->net_devices[s->n_net_devices];

                r = parse_one(name, value, d);
                if (r < 0)
                        return r;
                for (size_t i = 0; i < s->n_net_devices; i++)
                        if (streq(s->net_devices[i].inside, d->inside) && !strchr(d->inside, '%'))
                                return fail_text(
                                                EINVAL,
                                                "config.json: linux.netDevices: two devices of the name \"%s\"",
                                                d->inside);
                s->n_net_devices++;
        }
        return 0;
}
