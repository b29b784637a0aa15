/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../basic/json.h"
#include "../basic/str.h"
#include "create.h"

static int refuse(EngineError *reterr, const char *option) {
        _cleanup_free_ char *name = str_concat("--security-opt ", option);

        return error_unsupported(reterr, name ?: option);
}

static int parse_flag(const char *option, const char *value, bool *ret, EngineError *reterr) {
        if (streq(value, "true"))
                *ret = true;
        else if (streq(value, "false"))
                *ret = false;
        else
                return error_set(reterr, -EINVAL, "invalid --security-opt 2: \"%s\"", option);
        return 0;
}

static int parse_seccomp(CreateContext *c, const char *value) {
        c->seccomp = mfree(c->seccomp);
        c->seccomp_unconfined = streq(value, "unconfined");
        if (c->seccomp_unconfined || streq(value, "builtin"))
                return 0;
        c->seccomp = strdup(value);
        return c->seccomp ? 0 : -ENOMEM;
}

static int parse_option(CreateContext *c, const char *option, EngineError *reterr) {
        _cleanup_free_ char *key = NULL;
        const char *value;
        size_t n;

        if (streq(option, "no-new-privileges")) {
                c->no_new_privileges = true;
                return 0;
        }
        /* The colon is the older notation and both are in use; a profile's JSON text is full of both. */
        n = strcspn(option, "=:");
        if (!option[n])
                return error_set(reterr, -EINVAL, "invalid --security-opt 1: \"%s\"", option);
        value = option + n + 1;
        key = strndup(option, n);
        if (!key)
                return -ENOMEM;
        if (streq(key, "seccomp"))
                return parse_seccomp(c, value);
        if (streq(key, "no-new-privileges"))
                return parse_flag(option, value, &c->no_new_privileges, reterr);
        if (streq(key, "apparmor"))
                return streq(value, "unconfined") ? 0 : refuse(reterr, option);
        if (streq(key, "label"))
                return streq(value, "disable") ? 0 : refuse(reterr, option);
        if (streq(key, "writable-cgroups")) {
                bool on;
                int r = parse_flag(option, value, &on, reterr);

                return r < 0 || !on ? r : refuse(reterr, option);
        }
        return error_set(reterr, -EINVAL, "invalid --security-opt 2: \"%s\"", option);
}

/** create_parse_security - SecurityOpt, CapAdd, CapDrop and Privileged. Return: 0, -EINVAL, -EOPNOTSUPP,
 * -ENOMEM. */
int create_parse_security(CreateContext *c, EngineError *reterr) {
        json_object *options = json_get(c->host, "SecurityOpt");
        int r;

        for (size_t i = 0; options && i < json_object_array_length(options); i++) {
                r = parse_option(c, json_object_get_string(json_object_array_get_idx(options, i)), reterr);
                if (r < 0)
                        return r;
        }
        if (c->privileged && !c->seccomp)
                c->seccomp_unconfined = true;
        return capability_set_tweak(json_get(c->host, "CapAdd"), json_get(c->host, "CapDrop"), c->privileged,
                                    &c->capabilities, reterr);
}
