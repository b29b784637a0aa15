/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Writes shim.conf; keys and meaning: docs/contracts.md section 4. */
#include <signal.h>

#include "../basic/json.h"
#include "../basic/str.h"
#include "../shared/fields.h"
#include "create.h"

#define STOP_TIMEOUT_DEFAULT 10

static int put_bool(Buffer *b, const char *key, json_object *o, const char *name) {
        bool v = false;

        (void) json_get_bool(o, name, &v);
        return fields_put(b, '\n', key, v ? "1" : "0");
}

static int put_console(const CreateContext *c, Buffer *b) {
        json_object *size = json_get(c->host, "ConsoleSize");
        int64_t height = 0, width = 0;
        int r;

        if (size && json_object_array_length(size) == 2) {
                height = json_object_get_int64(json_object_array_get_idx(size, 0));
                width = json_object_get_int64(json_object_array_get_idx(size, 1));
        }
        if (height <= 0 || width <= 0)
                return 0;
        r = fields_putf(b, '\n', "console-height", "%lld", (long long) height);
        if (r >= 0)
                r = fields_putf(b, '\n', "console-width", "%lld", (long long) width);
        return r;
}

static int put_lifecycle(const CreateContext *c, Buffer *b) {
        const char *sig = json_string_or(c->config, "StopSignal", "");
        int64_t timeout = STOP_TIMEOUT_DEFAULT, max = 0;
        json_object *policy = json_get(c->host, "RestartPolicy");
        int number = isempty(sig) ? SIGTERM : signal_from_string(sig), r;

        (void) json_get_int(c->config, "StopTimeout", -1, INT32_MAX, &timeout);
        (void) json_get_int(policy, "MaximumRetryCount", 0, INT32_MAX, &max);
        r = fields_putf(b, '\n', "stop-signal", "%d", number > 0 ? number : SIGTERM);
        if (r >= 0)
                r = fields_putf(b, '\n', "stop-timeout", "%lld", (long long) timeout);
        if (r >= 0)
                r = put_bool(b, "auto-remove", c->host, "AutoRemove");
        if (r >= 0)
                r = fields_put(b, '\n', "restart", json_string_or(policy, "Name", "no"));
        if (r >= 0)
                r = fields_putf(b, '\n', "restart-max", "%lld", (long long) max);
        return r;
}

static int put_identity(const CreateContext *c, Buffer *b) {
        char tag[CONTAINER_SHORT_ID_LENGTH + 1] = {};
        int r;

        memcpy(tag, c->id, CONTAINER_SHORT_ID_LENGTH);
        r = fields_put(b, '\n', "id", c->id);
        if (r >= 0)
                r = fields_put(b, '\n', "name", c->name);
        if (r >= 0)
                r = fields_put(b, '\n', "image", json_string_or(c->config, "Image", ""));
        if (r >= 0)
                r = fields_put(b, '\n', "image-id", c->image->id);
        if (r >= 0)
                r = fields_put(b, '\n', "tag", tag);
        return r;
}

static int put_stdio(const CreateContext *c, Buffer *b) {
        int r = put_bool(b, "tty", c->config, "Tty");

        if (r >= 0)
                r = put_bool(b, "stdin", c->config, "OpenStdin");
        if (r >= 0)
                r = put_bool(b, "stdin-once", c->config, "StdinOnce");
        return r >= 0 ? put_console(c, b) : r;
}

static int put_setup(const CreateContext *c, Buffer *b) {
        json_object *groups = json_get(c->host, "GroupAdd");
        int r;

        r = fields_put(b, '\n', "runtime", c->runtime);
        if (r >= 0)
                r = fields_put(b, '\n', "network", c->network);
        if (r >= 0)
                r = fields_put(b, '\n', "hostname", json_string_or(c->config, "Hostname", ""));
        if (r >= 0)
                r = fields_put(b, '\n', "user", json_string_or(c->config, "User", ""));
        for (size_t i = 0; r >= 0 && groups && i < json_object_array_length(groups); i++)
                r = fields_put(b, '\n', "group-add",
                               json_object_get_string(json_object_array_get_idx(groups, i)));
        for (size_t i = strv_length(c->image->layers); r >= 0 && i > 0; i--)
                r = fields_put(b, '\n', "lower", c->image->layers[i - 1]);
        return r;
}

/** create_shim_conf - fill @ret (initialised by the caller). Return: 0, -E2BIG, -ENOMEM. */
int create_shim_conf(const CreateContext *c, Buffer *ret) {
        int r;

        r = put_identity(c, ret);
        if (r >= 0)
                r = put_stdio(c, ret);
        if (r >= 0)
                r = put_lifecycle(c, ret);
        if (r >= 0)
                r = put_setup(c, ret);
        if (r >= 0)
                r = create_put_scope_properties(c, ret);
        return r;
}
