/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../basic/str.h"
#include "container-options.h"

typedef struct PortRange {
        uint64_t first;
        uint64_t last;
} PortRange;

static int parse_range(const char *s, PortRange *ret) {
        _cleanup_free_ char *first = strndup(s, strcspn(s, "-"));
        const char *dash = strchr(s, '-');
        int r;

        if (!first)
                return -ENOMEM;
        r = parse_u64(first, 65535, &ret->first);
        if (r >= 0)
                r = dash ? parse_u64(dash + 1, 65535, &ret->last) : (ret->last = ret->first, 0);
        return r < 0 || ret->first == 0 || ret->last < ret->first ? -EINVAL : 0;
}

/* Splits "[ip:][host:]container[/protocol]"; an address in brackets is IPv6. The parts point into @s. */
static int split(char *s, char **ret_ip, char **ret_host, char **ret_container, const char **ret_protocol) {
        char *slash = strrchr(s, '/'), *colon;

        *ret_ip = *ret_host = NULL;
        *ret_protocol = "tcp";
        if (slash) {
                *slash = 0;
                *ret_protocol = slash + 1;
                if (!streq(slash + 1, "tcp") && !streq(slash + 1, "udp") && !streq(slash + 1, "sctp"))
                        return -EINVAL;
        }
        colon = strrchr(s, ':');
        *ret_container = colon ? colon + 1 : s;
        if (!colon)
                return 0;
        *colon = 0;
        colon = s[0] == '[' && s[strlen(s) - 1] == ']' ? s - 1 : strrchr(s, ':');
        if (!colon) {
                *ret_host = s;
                return 0;
        }
        if (colon < s)
                *ret_host = s + strlen(s);
        else {
                *colon = 0;
                *ret_host = colon + 1;
        }
        *ret_ip = s;
        if (s[0] == '[' && s[strlen(s) - 1] == ']') {
                s[strlen(s) - 1] = 0;
                *ret_ip = s + 1;
        }
        return 0;
}

static int add_binding(json_object *bindings, const char *port, const char *ip, const char *host_port) {
        json_object *list = json_get(bindings, port), *b = json_object_new_object();
        int r = 0;

        if (!list) {
                list = json_object_new_array();
                r = json_set(bindings, port, list);
        }
        if (r >= 0)
                r = json_add(list, b);
        if (r >= 0)
                r = json_set_str(b, "HostIp", strempty(ip));
        return r < 0 ? r : json_set_str(b, "HostPort", host_port);
}

/* Return: 0, -EINVAL. @bindings NULL: --expose, a container port only. */
static int add_ports(const char *spec, json_object *exposed, json_object *bindings) {
        _cleanup_free_ char *copy = strdup(spec);
        char *ip, *host, *container;
        PortRange inner, outer = {};
        const char *protocol;
        int r;

        r = copy ? split(copy, &ip, &host, &container, &protocol) : -ENOMEM;
        if (r >= 0)
                r = parse_range(container, &inner);
        if (r >= 0 && !isempty(host))
                r = parse_range(host, &outer);
        if (r < 0)
                return r;
        if (outer.first > 0 && inner.last != inner.first &&
            outer.last - outer.first != inner.last - inner.first)
                return -EINVAL;
        for (uint64_t i = 0; r >= 0 && i <= inner.last - inner.first; i++) {
                char port[32], host_port[32] = "";

                (void) snprintf(port, sizeof(port), "%u/%s", (unsigned) (inner.first + i), protocol);
                if (outer.first > 0 && inner.first == inner.last && outer.first != outer.last)
                        (void) snprintf(host_port, sizeof(host_port), "%u-%u", (unsigned) outer.first,
                                        (unsigned) outer.last);
                else if (outer.first > 0)
                        (void) snprintf(host_port, sizeof(host_port), "%u", (unsigned) (outer.first + i));
                r = json_set(exposed, port, json_object_new_object());
                if (r >= 0 && bindings)
                        r = add_binding(bindings, port, ip, host_port);
        }
        return r;
}

/** ports_apply - --publish, --publish-all and --expose into Config and HostConfig. */
int ports_apply(Client *c, const ContainerOptions *o, json_object *config, json_object *host) {
        _cleanup_json_ json_object *exposed = json_object_new_object(), *bindings = json_object_new_object();
        int r = exposed && bindings ? 0 : -ENOMEM;

        for (size_t i = 0; r >= 0 && i < o->publish.n; i++) {
                r = add_ports(o->publish.items[i], exposed, bindings);
                if (r == -EINVAL || r == -ERANGE)
                        return client_fail(c, -EINVAL, "invalid publish specification: %s",
                                           o->publish.items[i]);
        }
        for (size_t i = 0; r >= 0 && i < o->expose.n; i++) {
                r = add_ports(o->expose.items[i], exposed, NULL);
                if (r == -EINVAL || r == -ERANGE)
                        return client_fail(c, -EINVAL, "invalid range format for --expose: %s",
                                           o->expose.items[i]);
        }
        if (r >= 0 && o->publish_all)
                r = json_set_bool(host, "PublishAllPorts", true);
        if (r >= 0 && json_object_object_length(exposed) > 0)
                r = json_set(config, "ExposedPorts", TAKE_PTR(exposed));
        if (r >= 0 && json_object_object_length(bindings) > 0)
                r = json_set(host, "PortBindings", TAKE_PTR(bindings));
        return r;
}
