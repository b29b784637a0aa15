/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "container-filter.h"

#include <regex.h>

#include "../basic/json.h"
#include "../basic/str.h"
#include "../shared/fields.h"
#include "container-internal.h"
#include "image/image-store.h"

static const char *const key_names[_FILTER_MAX] = {
        [FILTER_ID] = "id",           [FILTER_NAME] = "name",       [FILTER_LABEL] = "label",
        [FILTER_STATUS] = "status",   [FILTER_EXITED] = "exited",   [FILTER_ANCESTOR] = "ancestor",
        [FILTER_BEFORE] = "before",   [FILTER_SINCE] = "since",     [FILTER_HEALTH] = "health",
        [FILTER_NETWORK] = "network", [FILTER_VOLUME] = "volume",   [FILTER_IS_TASK] = "is-task",
        [FILTER_EXPOSE] = "expose",   [FILTER_PUBLISH] = "publish", [FILTER_ISOLATION] = "isolation",
};

/** container_filter_done - free all. */
void container_filter_done(ContainerFilter *f) {
        for (size_t i = 0; i < _FILTER_MAX; i++)
                (void) strv_free(f->values[i]);
        free(f->before_id);
        free(f->since_id);
        (void) strv_free(f->ancestor_layers);
        (void) strv_free(f->ancestor_ids);
        *f = (ContainerFilter){};
}

static ContainerFilterKey key_from_string(const char *s) {
        for (size_t i = 0; i < _FILTER_MAX; i++)
                if (streq(key_names[i], s))
                        return (ContainerFilterKey) i;
        return _FILTER_INVALID;
}

/* ["v"] or {"v":true}; a value that is false is not asked for. */
static int take_values(json_object *o, char ***values, EngineError *reterr) {
        int r = 0;

        if (json_object_is_type(o, json_type_array)) {
                for (size_t i = 0; r >= 0 && i < json_object_array_length(o); i++) {
                        json_object *v = json_object_array_get_idx(o, i);

                        if (!json_object_is_type(v, json_type_string))
                                return error_set(reterr, -EINVAL, "invalid filter");
                        r = strv_extend(values, json_object_get_string(v));
                }
                return r;
        }
        if (!json_object_is_type(o, json_type_object))
                return error_set(reterr, -EINVAL, "invalid filter");
        json_object_object_foreach(o, key, on) {
                if (!json_object_is_type(on, json_type_boolean))
                        return error_set(reterr, -EINVAL, "invalid filter");
                if (json_object_get_boolean(on) && strv_extend(values, key) < 0)
                        return -ENOMEM;
        }
        return 0;
}

static int check_values(const ContainerFilter *f, ContainerFilterKey key, EngineError *reterr) {
        static const char *const states[] = { "created",  "running", "paused", "restarting",
                                              "removing", "exited",  "dead" };
        static const char *const healths[] = { "none", "starting", "healthy", "unhealthy" };

        for (char **v = f->values[key]; v && *v; v++) {
                bool known = key != FILTER_STATUS && key != FILTER_HEALTH;
                int64_t code;

                for (size_t i = 0; key == FILTER_STATUS && i < ELEMENTSOF(states); i++)
                        known = known || streq(states[i], *v);
                for (size_t i = 0; key == FILTER_HEALTH && i < ELEMENTSOF(healths); i++)
                        known = known || streq(healths[i], *v);
                if (!known && key == FILTER_STATUS)
                        return error_set(
                                        reterr, -EINVAL,
                                        "invalid filter 'status=%s': invalid value for state (%s): must "
                                        "be one of created, "
                                        "running, paused, restarting, removing, exited, dead",
                                        *v, *v);
                if (!known ||
                    (key == FILTER_IS_TASK && !streq(*v, "true") && !streq(*v, "false") &&
                     parse_bool(*v) < 0) ||
                    (key == FILTER_EXITED && parse_i64(*v, INT32_MIN, INT32_MAX, &code) < 0))
                        return error_set(reterr, -EINVAL, "invalid filter '%s=%s'", key_names[key], *v);
        }
        return 0;
}

static int resolve_order(Manager *m, ContainerFilter *f, EngineError *reterr) {
        for (ContainerFilterKey key = FILTER_BEFORE; key <= FILTER_SINCE; key++)
                for (char **v = f->values[key]; v && *v; v++) {
                        char **id = key == FILTER_BEFORE ? &f->before_id : &f->since_id;
                        Container *c;
                        int r = manager_find_container(m, *v, &c);

                        if (r < 0)
                                return error_set(reterr, r, "No such container: %s", *v);
                        *(key == FILTER_BEFORE ? &f->before : &f->since) = c->created_at;
                        free(*id);
                        *id = strdup(c->id);
                        if (!*id)
                                return -ENOMEM;
                }
        return 0;
}

/* An image no longer there still names containers by the text they were made with. */
static int resolve_ancestors(Manager *m, ContainerFilter *f) {
        for (char **v = f->values[FILTER_ANCESTOR]; v && *v; v++) {
                _cleanup_image_ Image *image = NULL;
                int r = image_resolve(m->images, *v, &image);

                if (r == -ENOMEM)
                        return r;
                r = strv_extend(&f->ancestor_ids, r >= 0 ? image->id : "");
                if (r >= 0)
                        r = image ? strv_consume(&f->ancestor_layers, strv_join(image->layers, " ")) :
                                    strv_extend(&f->ancestor_layers, "");
                if (r < 0)
                        return r;
        }
        return 0;
}

/** container_filter_parse - see container-filter.h. Return: 0, -EINVAL, -ENOENT (before, since), -ENOMEM. */
int container_filter_parse(Manager *m, const char *text, ContainerFilter *ret, EngineError *reterr) {
        _cleanup_container_filter_ ContainerFilter f = {};
        _cleanup_json_ json_object *o = NULL;
        int r;

        if (isempty(text)) {
                *ret = f;
                return 0;
        }
        r = json_parse(text, strlen(text), &o);
        if (r == -ENOMEM)
                return r;
        if (r < 0 || !json_object_is_type(o, json_type_object))
                return error_set(reterr, -EINVAL, "invalid filter");
        json_object_object_foreach(o, name, values) {
                ContainerFilterKey key = key_from_string(name);

                if (key < 0)
                        return error_set(reterr, -EINVAL, "invalid filter '%s'", name);
                r = take_values(values, &f.values[key], reterr);
                if (r >= 0)
                        r = check_values(&f, key, reterr);
                if (r < 0)
                        return r;
        }
        r = resolve_order(m, &f, reterr);
        if (r >= 0)
                r = resolve_ancestors(m, &f);
        if (r < 0)
                return r;
        *ret = f;
        f = (ContainerFilter){};
        return 0;
}

static bool matches_pattern(char *const *patterns, const char *s) {
        if (!patterns)
                return true;
        for (; *patterns; patterns++) {
                regex_t regex;
                bool found;

                if (streq(*patterns, s))
                        return true;
                if (regcomp(&regex, *patterns, REG_EXTENDED | REG_NOSUB) != 0)
                        continue;
                found = regexec(&regex, s, 0, NULL, 0) == 0;
                regfree(&regex);
                if (found)
                        return true;
        }
        return false;
}

static bool matches_exact(char *const *values, const char *s) {
        if (!values)
                return true;
        for (; *values; values++)
                if (streq(*values, s))
                        return true;
        return false;
}

static bool matches_exited(char *const *values, const Container *c) {
        if (!values)
                return true;
        if (!c->ran || container_is_up(c))
                return false;
        for (; *values; values++) {
                int64_t code;

                if (parse_i64(*values, INT32_MIN, INT32_MAX, &code) >= 0 &&
                    code == container_docker_exit_code(c))
                        return true;
        }
        return false;
}

static bool created_later(const Container *c, usec_t at, const char *id) {
        return c->created_at != at ? c->created_at > at : strcmp(c->id, id) > 0;
}

static bool matches_order(const ContainerFilter *f, const Container *c) {
        if (f->before_id && (streq(c->id, f->before_id) || created_later(c, f->before, f->before_id)))
                return false;
        return !f->since_id || created_later(c, f->since, f->since_id);
}

static bool matches_task(char *const *values) {
        bool wanted = !values;

        /* berth runs no swarm tasks. */
        for (; values && *values; values++)
                wanted = wanted || parse_bool(*values) == 0;
        return wanted;
}

static bool matches_name(char *const *patterns, const char *name) {
        _cleanup_free_ char *slashed = NULL;

        if (!patterns || matches_pattern(patterns, name))
                return true;
        slashed = str_concat("/", name);
        return slashed && matches_pattern(patterns, slashed);
}

/** container_filter_match_state - see container-filter.h. */
bool container_filter_match_state(const ContainerFilter *f, Container *c) {
        return matches_name(f->values[FILTER_NAME], c->name) &&
               matches_pattern(f->values[FILTER_ID], c->id) &&
               matches_exact(f->values[FILTER_STATUS], container_status_to_string(c->status)) &&
               matches_exited(f->values[FILTER_EXITED], c) && matches_order(f, c) &&
               matches_task(f->values[FILTER_IS_TASK]) && matches_exact(f->values[FILTER_HEALTH], "none") &&
               !f->values[FILTER_PUBLISH];
}

static bool matches_labels(char *const *values, json_object *labels) {
        for (; values && *values; values++) {
                size_t n = strcspn(*values, "=");
                _cleanup_free_ char *key = strndup(*values, n);
                json_object *v;

                if (!key || !labels || !json_object_object_get_ex(labels, key, &v))
                        return false;
                if ((*values)[n] && !streq(json_object_get_string(v) ?: "", *values + n + 1))
                        return false;
        }
        return true;
}

/* Does the container's image begin with all layers of the ancestor? */
static bool has_layers(Container *c, const char *ancestor) {
        _cleanup_fields_ Fields conf = {};
        _cleanup_strv_ char **l = NULL;
        const char *lower;
        size_t n = 0, i = 0;

        if (isempty(ancestor) || strv_split(ancestor, ' ', &l) < 0 ||
            fields_load_at(c->dir_fd, "shim.conf", &conf) < 0)
                return false;
        while (fields_get_nth(&conf, "lower", n))
                n++;
        /* Topmost first in the file, bottom first in the image. */
        for (; l[i]; i++) {
                lower = i < n ? fields_get_nth(&conf, "lower", n - 1 - i) : NULL;
                if (!lower || !streq(lower, l[i]))
                        return false;
        }
        return true;
}

static bool matches_ancestor(const ContainerFilter *f, Container *c) {
        char *const *values = f->values[FILTER_ANCESTOR];

        for (size_t i = 0; values && values[i]; i++)
                if (streq(values[i], c->image) || streq(f->ancestor_ids[i], c->image_id) ||
                    has_layers(c, f->ancestor_layers[i]))
                        return true;
        return !values;
}

static bool matches_volume(char *const *values, json_object *mounts) {
        for (char *const *v = values; v && *v; v++)
                for (size_t i = 0; mounts && i < json_object_array_length(mounts); i++) {
                        json_object *o = json_object_array_get_idx(mounts, i);

                        if (streq(json_string_or(o, "Name", ""), *v) ||
                            streq(json_string_or(o, "Destination", ""), *v) ||
                            streq(json_string_or(o, "Source", ""), *v))
                                return true;
                }
        return !values;
}

static bool matches_expose(char *const *values, json_object *ports) {
        for (char *const *v = values; v && *v; v++) {
                _cleanup_free_ char *full = strchr(*v, '/') ? strdup(*v) : str_concat(*v, "/tcp");

                if (full && ports && json_object_object_get_ex(ports, full, NULL))
                        return true;
        }
        return !values;
}

/** container_filter_match_config - see container-filter.h. @config: config.json. */
bool container_filter_match_config(const ContainerFilter *f, Container *c, json_object *config) {
        json_object *o = json_get(config, "Config"), *host = json_get(config, "HostConfig");

        return matches_labels(f->values[FILTER_LABEL], json_get(o, "Labels")) &&
               matches_exact(f->values[FILTER_NETWORK], json_string_or(host, "NetworkMode", "")) &&
               matches_volume(f->values[FILTER_VOLUME], json_get(config, "Mounts")) &&
               matches_expose(f->values[FILTER_EXPOSE], json_get(o, "ExposedPorts")) &&
               matches_ancestor(f, c);
}
