/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A container as Docker's clients see it: config.json (what it was asked to be) and the object (what it is
 * now). Field order is Docker's, empty lists and objects are what Docker sends for each field.
 */
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "../basic/clock.h"
#include "../basic/fd.h"
#include "../basic/file.h"
#include "../basic/json.h"
#include "../basic/str.h"
#include "../shared/fields.h"
#include "container-config.h"
#include "container-filter.h"
#include "container-internal.h"
#include "duration.h"
#include "image/image-store.h"
#include "network-json.h"

#define DEPTH_MAX 256

static int set_time(json_object *o, const char *key, usec_t t) {
        char text[RFC3339_MAX];

        if (t == 0)
                return json_set_str(o, key, "0001-01-01T00:00:00Z");
        format_rfc3339(t, text);
        return json_set_str(o, key, text);
}

static char *error_text(const Container *c) {
        if (c->ran && c->exit_code == EXIT_CODE_UNKNOWN && !container_is_up(c))
                return str_concat("exit status unknown: ",
                                  isempty(c->error) ? "nobody saw the container end" : c->error);
        return strdup(strempty(c->error));
}

static int put_state(const Container *c, json_object *out) {
        _cleanup_free_ char *error = error_text(c);
        json_object *o = json_object_new_object();
        bool up = container_is_up(c);
        int r = json_set(out, "State", o);

        if (r >= 0)
                r = json_set_str(o, "Status", container_status_to_string(c->status));
        if (r >= 0)
                r = json_set_bool(o, "Running", up || c->status == CONTAINER_RESTARTING);
        if (r >= 0)
                r = json_set_bool(o, "Paused", c->status == CONTAINER_PAUSED);
        if (r >= 0)
                r = json_set_bool(o, "Restarting", c->status == CONTAINER_RESTARTING);
        if (r >= 0)
                r = json_set_bool(o, "OOMKilled", c->oom_killed);
        if (r >= 0)
                r = json_set_bool(o, "Dead", c->status == CONTAINER_DEAD);
        if (r >= 0)
                r = json_set_int(o, "Pid", up ? (int64_t) c->pid : 0);
        if (r >= 0)
                r = json_set_int(o, "ExitCode", up ? 0 : container_docker_exit_code(c));
        if (r >= 0)
                r = error ? json_set_str(o, "Error", error) : -ENOMEM;
        if (r >= 0)
                r = set_time(o, "StartedAt", c->started_at);
        return r >= 0 ? set_time(o, "FinishedAt", c->finished_at) : r;
}

static int copy(json_object *out, const char *key, json_object *from, const char *from_key) {
        json_object *v = json_get(from, from_key);

        return v ? json_set(out, key, json_object_get(v)) : json_set_null(out, key);
}

static int put_path(const Container *c, json_object *out, const char *key, const char *name) {
        _cleanup_free_ char *path = str_concat(BERTH_CONTAINERS_DIR "/", c->id, "/", name);

        return path ? json_set_str(out, key, path) : -ENOMEM;
}

static int put_graph_driver(const Container *c, json_object *out) {
        json_object *o = json_object_new_object(), *data = json_object_new_object();
        _cleanup_fields_ Fields conf = {};
        _cleanup_strv_ char **layers = NULL;
        _cleanup_free_ char *lower = NULL;
        const char *layer;
        int r = json_set(out, "GraphDriver", o);

        if (r >= 0)
                r = json_set(o, "Data", data);
        else
                json_object_put(data);
        if (r >= 0)
                r = json_set_str(o, "Name", "overlay2");
        if (r < 0)
                return r;
        if (fields_load_at(c->dir_fd, "shim.conf", &conf) >= 0)
                for (size_t i = 0; (layer = fields_get_nth(&conf, "lower", i)); i++) {
                        r = strv_consume(&layers, str_concat(BERTH_LAYERS_DIR "/", layer));
                        if (r < 0)
                                return r;
                }
        lower = strv_join(layers, ":");
        r = lower ? json_set_str(data, "LowerDir", lower) : -ENOMEM;
        if (r >= 0) {
                _cleanup_free_ char *merged = str_concat(BERTH_RUN_CONTAINERS_DIR "/", c->id, "/rootfs");

                r = merged ? json_set_str(data, "MergedDir", merged) : -ENOMEM;
        }
        if (r >= 0)
                r = put_path(c, data, "UpperDir", "upper");
        return r >= 0 ? put_path(c, data, "WorkDir", "work") : r;
}

/* Bytes of the regular files below a directory; what vanishes meanwhile does not count. */
static uint64_t tree_size(int parent_fd, const char *name, unsigned depth) {
        uint64_t size = 0;
        struct dirent *e;
        DIR *dir;
        int fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

        if (fd < 0)
                return 0;
        dir = fdopendir(fd);
        if (!dir) {
                safe_close(fd);
                return 0;
        }
        while ((e = readdir(dir))) {
                struct stat st;

                if (streq(e->d_name, ".") || streq(e->d_name, "..") ||
                    fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                        continue;
                if (S_ISDIR(st.st_mode))
                        size += depth < DEPTH_MAX ? tree_size(fd, e->d_name, depth + 1) : 0;
                else if (S_ISREG(st.st_mode))
                        size += (uint64_t) st.st_size;
        }
        (void) closedir(dir);
        return size;
}

static int put_sizes(Container *c, json_object *out) {
        uint64_t own = tree_size(c->dir_fd, "upper", 0);
        _cleanup_image_ Image *image = NULL;
        int r = json_set_int(out, "SizeRw", (int64_t) own);

        if (r >= 0 && image_resolve(c->manager->images, c->image_id, &image) >= 0)
                r = json_set_int(out, "SizeRootFs", (int64_t) (image->size + own));
        return r;
}

static int put_head(Container *c, json_object *config, json_object *o) {
        _cleanup_free_ char *name = str_concat("/", c->name);
        int r;

        r = json_set_str(o, "Id", c->id);
        if (r >= 0)
                r = set_time(o, "Created", c->created_at);
        if (r >= 0)
                r = copy(o, "Path", config, "Path");
        if (r >= 0)
                r = copy(o, "Args", config, "Args");
        if (r >= 0)
                r = put_state(c, o);
        if (r >= 0)
                r = json_set_str(o, "Image", c->image_id);
        if (r >= 0)
                r = put_path(c, o, "ResolvConfPath", "resolv.conf");
        if (r >= 0)
                r = put_path(c, o, "HostnamePath", "hostname");
        if (r >= 0)
                r = put_path(c, o, "HostsPath", "hosts");
        if (r >= 0)
                r = json_set_str(o, "LogPath", "");
        if (r >= 0)
                r = name ? json_set_str(o, "Name", name) : -ENOMEM;
        if (r >= 0)
                r = json_set_int(o, "RestartCount", (int64_t) c->restart_count);
        if (r >= 0)
                r = json_set_str(o, "Driver", "overlay2");
        if (r >= 0)
                r = json_set_str(o, "Platform", "linux");
        return r;
}

static int put_tail(Container *c, json_object *config, bool size, json_object *o) {
        static const char *const labels[] = { "MountLabel", "ProcessLabel", "AppArmorProfile" };
        int r = 0;

        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(labels); i++)
                r = json_set_str(o, labels[i], "");
        if (r >= 0)
                r = json_set_null(o, "ExecIDs");
        if (r >= 0)
                r = copy(o, "HostConfig", config, "HostConfig");
        if (r >= 0)
                r = put_graph_driver(c, o);
        if (r >= 0 && size)
                r = put_sizes(c, o);
        if (r >= 0)
                r = copy(o, "Mounts", config, "Mounts");
        if (r >= 0)
                r = copy(o, "Config", config, "Config");
        return r >= 0 ? network_put_settings(c, config, o) : r;
}

/** container_to_inspect - Docker's ContainerInspectResponse, new reference. Return: 0 or -errno with a text.
 */
int container_to_inspect(Container *c, bool size, json_object **ret, EngineError *reterr) {
        _cleanup_json_ json_object *config = NULL, *o = json_object_new_object();
        int r;

        r = o ? container_load_config(c, &config) : -ENOMEM;
        if (r < 0)
                return error_set_status(reterr, r, 500, "cannot read config.json of container %s: %s", c->id,
                                        strerrordesc_np(-r));
        r = put_head(c, config, o);
        if (r >= 0)
                r = put_tail(c, config, size, o);
        if (r < 0)
                return error_fill(reterr, r);
        *ret = TAKE_PTR(o);
        return 0;
}

static char *human_status(const Container *c) {
        usec_t now = now_realtime();
        char text[DURATION_MAX];

        switch (c->status) {
        case CONTAINER_RUNNING:
        case CONTAINER_PAUSED:
                duration_to_human(now > c->started_at ? now - c->started_at : 0, text);
                return str_concat("Up ", text, c->status == CONTAINER_PAUSED ? " (Paused)" : "");
        case CONTAINER_RESTARTING:
        case CONTAINER_EXITED:
                duration_to_human(now > c->finished_at ? now - c->finished_at : 0, text);
                return str_printf("%s (%d) %s ago", c->status == CONTAINER_EXITED ? "Exited" : "Restarting",
                                  container_docker_exit_code(c), text);
        case CONTAINER_REMOVING:
                return strdup("Removal In Progress");
        case CONTAINER_DEAD:
                return strdup("Dead");
        default:
                return strdup("Created");
        }
}

/* Path and arguments in one line; what has a space is quoted. */
static char *command_line(json_object *config) {
        _cleanup_buffer_ Buffer b = BUFFER_INIT(1024 * 1024);
        json_object *args = json_get(config, "Args");
        int r = buffer_append_str(&b, json_string_or(config, "Path", ""));

        for (size_t i = 0; r >= 0 && args && i < json_object_array_length(args); i++) {
                const char *s = json_object_get_string(json_object_array_get_idx(args, i));

                r = buffer_appendf(&b, strchr(s, ' ') ? " '%s'" : " %s", s);
        }
        /* Longer than the buffer: what fits is what is shown. */
        return r < 0 && r != -E2BIG ? NULL : b.data ? buffer_take(&b) : strdup("");
}

static int put_summary(Container *c, json_object *config, json_object *o) {
        _cleanup_free_ char *name = str_concat("/", c->name), *command = command_line(config),
                            *status = human_status(c);
        json_object *names = json_object_new_array(), *labels;
        int r = json_set_str(o, "Id", c->id);

        if (!name || !command || !status) {
                json_object_put(names);
                return -ENOMEM;
        }
        if (r >= 0)
                r = json_set(o, "Names", names);
        if (r >= 0)
                r = json_add_str(names, name);
        if (r >= 0)
                r = json_set_str(o, "Image", c->image);
        if (r >= 0)
                r = json_set_str(o, "ImageID", c->image_id);
        if (r >= 0)
                r = json_set_str(o, "Command", command);
        if (r >= 0)
                r = json_set_int(o, "Created", (int64_t) (c->created_at / USEC_PER_SEC));
        if (r >= 0)
                r = json_set(o, "Ports", json_object_new_array());
        labels = json_get(json_get(config, "Config"), "Labels");
        if (r >= 0)
                r = json_set(o, "Labels", labels ? json_object_get(labels) : json_object_new_object());
        if (r >= 0)
                r = json_set_str(o, "State", container_status_to_string(c->status));
        return r >= 0 ? json_set_str(o, "Status", status) : r;
}

static int summary_from(Container *c, json_object *config, bool size, json_object **ret) {
        _cleanup_json_ json_object *o = json_object_new_object();
        json_object *host = json_object_new_object();
        int r;

        if (!o) {
                json_object_put(host);
                return -ENOMEM;
        }
        r = json_set(o, "HostConfig", host);
        if (r >= 0)
                r = copy(host, "NetworkMode", json_get(config, "HostConfig"), "NetworkMode");
        if (r >= 0)
                r = put_summary(c, config, o);
        if (r >= 0)
                r = network_put_summary(c, config, o);
        if (r >= 0)
                r = json_get(config, "Mounts") ? copy(o, "Mounts", config, "Mounts") :
                                                 json_set(o, "Mounts", json_object_new_array());
        if (r >= 0 && size)
                r = put_sizes(c, o);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(o);
        return 0;
}

/** container_to_summary - Docker's ContainerSummary, new reference. Return: 0 or -errno with a text. */
int container_to_summary(Container *c, bool size, json_object **ret, EngineError *reterr) {
        _cleanup_json_ json_object *config = NULL;
        int r = container_load_config(c, &config);

        if (r < 0)
                return error_set_status(reterr, r, 500, "cannot read config.json of container %s: %s", c->id,
                                        strerrordesc_np(-r));
        r = summary_from(c, config, size, ret);
        return r < 0 ? error_fill(reterr, r) : 0;
}

static int compare_created(const void *a, const void *b) {
        const Container *x = *(Container *const *) a, *y = *(Container *const *) b;

        if (x->created_at != y->created_at)
                return x->created_at > y->created_at ? -1 : 1;
        return -strcmp(x->id, y->id);
}

static bool is_listed(const ContainerFilter *f, Container *c, bool all) {
        if (!all && !container_is_up(c) && c->status != CONTAINER_RESTARTING)
                return false;
        return container_filter_match_state(f, c);
}

static int list_add(Container *c, const ContainerFilter *f, bool size, json_object *list) {
        _cleanup_json_ json_object *config = NULL;
        json_object *o;
        int r = container_load_config(c, &config);

        /* One that is being removed this very moment, or damaged: the others are still to be seen. */
        if (r < 0)
                return r == -ENOMEM ? r : 0;
        if (!container_filter_match_config(f, c, config))
                return 0;
        r = summary_from(c, config, size, &o);
        return r < 0 ? r : json_add(list, o);
}

/**
 * container_list_json - see container-config.h; youngest first. A positive @limit shows that many whatever
 * their state, and so does a filter by status; @limit of zero or less is none.
 *
 * Return: 0, -EINVAL (filters), -ENOENT (container of before or since), -ENOMEM.
 */
int container_list_json(Manager *m, bool all, int64_t limit, bool size, const char *filters,
                        json_object **ret, EngineError *reterr) {
        _cleanup_container_filter_ ContainerFilter f = {};
        _cleanup_json_ json_object *list = json_object_new_array();
        _cleanup_free_ Container **sorted = NULL;
        size_t position = 0, n = 0;
        void *value;
        int r;

        sorted = new0(Container *, hashmap_size(m->containers) + 1);
        if (!list || !sorted)
                return error_fill(reterr, -ENOMEM);
        r = container_filter_parse(m, filters, &f, reterr);
        if (r < 0)
                return error_fill(reterr, r);
        all = all || limit > 0 || f.values[FILTER_STATUS];
        while (hashmap_next(m->containers, &position, NULL, &value))
                if (is_listed(&f, value, all))
                        sorted[n++] = value;
        if (n > 0)
                qsort(sorted, n, sizeof(Container *), compare_created);
        for (size_t i = 0; i < n; i++) {
                if (limit > 0 && json_object_array_length(list) >= (size_t) limit)
                        break;
                r = list_add(sorted[i], &f, size, list);
                if (r < 0)
                        return error_fill(reterr, r);
        }
        *ret = TAKE_PTR(list);
        return 0;
}
