/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <signal.h>
#include <stdio.h>

#include "../basic/str.h"
#include "../shared/state-log.h"

/** restart_policy_from_string - Return: the policy or _RESTART_INVALID; absent or empty is `no`. */
RestartPolicy restart_policy_from_string(const char *s) {
        static const char *const names[] = { "no", "on-failure", "always", "unless-stopped" };

        if (isempty(s))
                return RESTART_NO;
        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                if (streq(s, names[i]))
                        return (RestartPolicy) i;
        return _RESTART_INVALID;
}

/** config_done - free it. */
void config_done(Config *c) {
        fields_done(&c->fields);
}

static const char *get_or(const Fields *f, const char *key, const char *fallback) {
        const char *v = fields_get(f, key);

        return isempty(v) ? fallback : v;
}

/** config_load - read shim.conf. Return: 0, -EINVAL for a bad value, -errno of reading. */
int config_load(int dir_fd, Config *ret) {
        Config c = {};
        int r;

        r = fields_load_at(dir_fd, "shim.conf", &c.fields);
        if (r < 0)
                return r;
        c.name = get_or(&c.fields, "name", "");
        c.image = get_or(&c.fields, "image", "");
        c.tag = get_or(&c.fields, "tag", "");
        c.runtime = get_or(&c.fields, "runtime", "berth-runtime");
        c.network = get_or(&c.fields, "network", "none");
        c.tty = fields_get_bool(&c.fields, "tty");
        c.stdin_open = fields_get_bool(&c.fields, "stdin");
        c.stdin_once = fields_get_bool(&c.fields, "stdin-once");
        c.auto_remove = fields_get_bool(&c.fields, "auto-remove");
        c.restart = restart_policy_from_string(fields_get(&c.fields, "restart"));
        c.stop_signal = signal_from_string(get_or(&c.fields, "stop-signal", "SIGTERM"));
        c.stop_timeout = fields_get_i64_or(&c.fields, "stop-timeout", 10);
        c.height = (uint32_t) fields_get_i64_or(&c.fields, "console-height", 0);
        c.width = (uint32_t) fields_get_i64_or(&c.fields, "console-width", 0);
        if (fields_get_u64(&c.fields, "restart-max", UINT32_MAX, &c.restart_max) < 0)
                c.restart_max = 0;
        if (c.restart < 0 || c.stop_signal <= 0) {
                config_done(&c);
                return -EINVAL;
        }
        *ret = c;
        return 0;
}

static int on_record(const Fields *f, void *userdata) {
        History *h = userdata;
        const char *type = strempty(fields_get(f, "type")), *name = fields_get(f, "name");

        if (streq(type, "created") || streq(type, "name")) {
                if (name)
                        (void) snprintf(h->name, sizeof(h->name), "%s", name);
        } else if (streq(type, "desired")) {
                h->running_desired = streq_ptr(fields_get(f, "state"), "running");
                h->restarts = h->restart_delay = 0;
        } else if (streq(type, "started")) {
                h->open_start = true;
                (void) fields_get_u64(f, "epoch", UINT64_MAX, &h->epoch);
        } else if (streq(type, "exited")) {
                h->open_start = false;
                h->restarts = (uint64_t) fields_get_i64_or(f, "restarts", 0);
                h->restart_delay = (uint64_t) fields_get_i64_or(f, "restart-delay", 0);
        }
        return 0;
}

/** history_load - read state.log. Return: 0 or -errno. */
int history_load(int dir_fd, History *ret) {
        History h = {};
        int r = state_log_read(dir_fd, on_record, &h);

        if (r >= 0)
                *ret = h;
        return r;
}
