/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How an image's configuration and the user's become one: Docker's rules, field by field. The user's word
 * wins, lists of the environment are joined by name, Entrypoint and Cmd depend on one another.
 */
#include "../basic/json.h"
#include "../basic/str.h"
#include "create.h"
#include "env-list.h"
#include "option-table.h"

#define PATH_DEFAULT "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static int merge_env(CreateContext *c) {
        _cleanup_strv_ char **user = NULL, **image = NULL;
        json_object *merged;
        int r;

        r = json_get_strv(c->config, "Env", &user);
        if (r < 0)
                return r;
        r = json_get_strv(c->image->config, "Env", &image);
        if (r < 0)
                return r;
        for (char **e = image; e && *e; e++)
                if (!env_list_find(user, *e)) {
                        r = strv_extend(&user, *e);
                        if (r < 0)
                                return r;
                }
        merged = json_new_strv(user);
        return json_set(c->config, "Env", merged);
}

/* Keys of @key's object in the image are added where the user has none. */
static int merge_map(CreateContext *c, const char *key) {
        json_object *from, *user = json_get(c->config, key), *out;
        int r;

        r = json_get_object(c->image->config, key, &from);
        if (r < 0)
                return r;
        if (r == 0 || json_object_object_length(from) == 0)
                return 0;
        out = json_object_new_object();
        if (!out)
                return -ENOMEM;
        json_object_object_foreach(from, k, v) {
                if (json_object_object_add(out, k, json_object_get(v)) < 0)
                        goto oom;
        }
        if (user) {
                json_object_object_foreach(user, k2, v2) {
                        if (json_object_object_add(out, k2, json_object_get(v2)) < 0)
                                goto oom;
                }
        }
        return json_set(c->config, key, out);
oom:
        json_object_put(out);
        return -ENOMEM;
}

static int merge_string(CreateContext *c, const char *key) {
        const char *v = json_string_or(c->image->config, key, "");

        if (!isempty(json_string_or(c->config, key, "")) || isempty(v))
                return 0;
        return json_set_str(c->config, key, v);
}

static size_t list_length(json_object *list) {
        return list ? json_object_array_length(list) : 0;
}

static int copy_list(CreateContext *c, const char *key) {
        json_object *v;
        int r = json_get_array(c->image->config, key, &v);

        if (r <= 0)
                return r;
        return json_set(c->config, key, json_object_get(v));
}

static int append_list(char ***argv, json_object *config, const char *key) {
        _cleanup_strv_ char **l = NULL;
        int r = json_get_strv(config, key, &l);

        for (char **s = l; r >= 0 && s && *s; s++)
                r = strv_extend(argv, *s);
        return r;
}

static int merge_command(CreateContext *c, EngineError *reterr) {
        json_object *entrypoint = json_get(c->config, "Entrypoint");
        int r;

        if (list_length(entrypoint) == 0) {
                if (list_length(json_get(c->config, "Cmd")) == 0) {
                        r = copy_list(c, "Cmd");
                        if (r < 0)
                                return r;
                }
                if (!entrypoint) {
                        r = copy_list(c, "Entrypoint");
                        if (r < 0)
                                return r;
                }
        }
        entrypoint = json_get(c->config, "Entrypoint");
        if (list_length(entrypoint) == 1 &&
            isempty(json_object_get_string(json_object_array_get_idx(entrypoint, 0)))) {
                r = json_set_null(c->config, "Entrypoint");
                if (r < 0)
                        return r;
        }
        r = append_list(&c->argv, c->config, "Entrypoint");
        if (r >= 0)
                r = append_list(&c->argv, c->config, "Cmd");
        if (r < 0)
                return r;
        if (strv_length(c->argv) == 0)
                return error_set(reterr, -EINVAL, "no command specified");
        return 0;
}

static int merge_volumes(CreateContext *c, EngineError *reterr) {
        json_object *volumes;
        int r = merge_map(c, "Volumes");

        if (r < 0)
                return r;
        volumes = json_get(c->config, "Volumes");
        if (!volumes)
                return 0;
        json_object_object_foreach(volumes, key, value) {
                _cleanup_free_ char *clean = NULL;

                (void) value;
                if (key[0] != '/')
                        return error_set(reterr, -EINVAL, "invalid volume specification: '%s'", key);
                clean = path_clean(key);
                if (!clean)
                        return -ENOMEM;
                if (streq(clean, "/"))
                        return error_set(
                                        reterr, -EINVAL,
                                        "invalid volume specification: '%s': invalid specification: "
                                        "destination can't be '/'",
                                        key);
                /* A mount of the user's at the same place takes its role. */
                if (mount_specs_find(&c->mounts, clean))
                        continue;
                r = strv_consume(&c->directories, TAKE_PTR(clean));
                if (r < 0)
                        return r;
        }
        return 0;
}

static bool healthcheck_asks(json_object *healthcheck) {
        json_object *test = json_get(healthcheck, "Test");

        if (!json_object_is_type(test, json_type_array) || json_object_array_length(test) == 0)
                return false;
        return !streq(json_object_get_string(json_object_array_get_idx(test, 0)) ?: "", "NONE");
}

static int merge_healthcheck(CreateContext *c, EngineError *reterr) {
        json_object *user = json_get(c->config, "Healthcheck");

        if (healthcheck_asks(user) ||
            (user && json_object_object_length(user) > 0 && !json_get(user, "Test")))
                return error_unsupported(reterr, "Config.Healthcheck");
        if (!user && healthcheck_asks(json_get(c->image->config, "Healthcheck")))
                return json_add_str(
                                c->warnings,
                                "The image's HEALTHCHECK is not run: health checks are not supported by "
                                "this version of berth.");
        return 0;
}

/** create_merge_image - lay the image's configuration under Config and fill argv. Return: 0, -EINVAL,
 * -EOPNOTSUPP, -ENOMEM. */
int create_merge_image(CreateContext *c, EngineError *reterr) {
        int r;

        r = merge_env(c);
        if (r >= 0)
                r = merge_string(c, "User");
        if (r >= 0)
                r = merge_string(c, "WorkingDir");
        if (r >= 0)
                r = merge_string(c, "StopSignal");
        if (r >= 0)
                r = merge_map(c, "ExposedPorts");
        if (r >= 0)
                r = merge_map(c, "Labels");
        if (r == -EINVAL)
                return error_set(reterr, -EINVAL, "configuration of image %s is malformed", c->image->id);
        if (r >= 0)
                r = merge_volumes(c, reterr);
        if (r >= 0)
                r = merge_healthcheck(c, reterr);
        if (r >= 0)
                r = merge_command(c, reterr);
        return r;
}

/**
 * create_build_env - what the process starts with: PATH, HOSTNAME and with a terminal TERM, then Config.Env
 * over them. A name without `=` takes a default away.
 */
int create_build_env(CreateContext *c) {
        _cleanup_strv_ char **user = NULL;
        int r;

        r = strv_extend(&c->env, PATH_DEFAULT);
        if (r >= 0)
                r = strv_consume(&c->env,
                                 str_concat("HOSTNAME=", json_string_or(c->config, "Hostname", "")));
        if (r >= 0 && c->tty)
                r = strv_extend(&c->env, "TERM=xterm");
        if (r >= 0)
                r = json_get_strv(c->config, "Env", &user);
        if (r < 0)
                return r;
        return env_list_apply(&c->env, user);
}
