/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../../basic/clock.h"
#include "../../basic/json.h"
#include "../../basic/str.h"
#include "../../shared/paths.h"
#include "store-internal.h"

/* Docker API 1.50: ImageInspect, ImageSummary, HistoryResponseItem. */

/* Fields of the configuration that API 1.50 shows; older containers' leftovers (Hostname, Image...) are not
 * the image's. */
static const char *const config_keys[] = {
        "User",    "ExposedPorts", "Env",    "Entrypoint", "Cmd",     "Healthcheck", "ArgsEscaped",
        "Volumes", "WorkingDir",   "Labels", "StopSignal", "OnBuild", "Shell",
};

static bool is_empty(json_object *v) {
        switch (json_object_get_type(v)) {
        case json_type_null: return true;
        case json_type_boolean: return !json_object_get_boolean(v);
        case json_type_string: return json_object_get_string_len(v) == 0;
        case json_type_array: return json_object_array_length(v) == 0;
        case json_type_object: return json_object_object_length(v) == 0;
        default: return false;
        }
}

static json_object *config_json(const Image *i) {
        json_object *o = json_object_new_object();

        for (size_t k = 0; o && k < ELEMENTSOF(config_keys); k++) {
                json_object *v = json_get(i->config, config_keys[k]);

                if (!is_empty(v) && json_set(o, config_keys[k], json_object_get(v)) < 0) {
                        json_object_put(o);
                        return NULL;
                }
        }
        return o;
}

static json_object *driver_json(const Image *i) {
        _cleanup_json_ json_object *o = json_object_new_object(), *data = json_object_new_object();
        size_t n = strv_length(i->layers);
        _cleanup_free_ char *lower = strdup(""), *upper = NULL;

        if (!o || !data || !lower)
                return NULL;
        for (size_t k = n > 0 ? n - 1 : 0; k > 0; k--) {
                char *next = str_concat(lower, lower[0] ? ":" : "", BERTH_LAYERS_DIR "/", i->layers[k - 1]);

                if (!next)
                        return NULL;
                free(lower);
                lower = next;
        }
        upper = n > 0 ? str_concat(BERTH_LAYERS_DIR "/", i->layers[n - 1]) : strdup("");
        if (!upper || (lower[0] && json_set_str(data, "LowerDir", lower) < 0) ||
            (upper[0] && json_set_str(data, "UpperDir", upper) < 0) ||
            json_set_str(o, "Name", "overlay2") < 0 || json_set(o, "Data", json_object_get(data)) < 0)
                return NULL;
        return TAKE_PTR(o);
}

static json_object *rootfs_json(const Image *i) {
        _cleanup_json_ json_object *o = json_object_new_object(), *l = json_object_new_array();

        for (char **p = i->layers; l && p && *p; p++) {
                _cleanup_free_ char *id = str_concat(DIGEST_PREFIX, *p);

                if (!id || json_add_str(l, id) < 0)
                        return NULL;
        }
        if (!o || !l || json_set_str(o, "Type", "layers") < 0 ||
            json_set(o, "Layers", json_object_get(l)) < 0)
                return NULL;
        return TAKE_PTR(o);
}

static json_object *metadata_json(const Image *i) {
        _cleanup_json_ json_object *o = json_object_new_object();
        char text[RFC3339_MAX] = "0001-01-01T00:00:00Z";

        if (i->tagged_at > 0)
                format_rfc3339(i->tagged_at, text);
        if (!o || json_set_str(o, "LastTagTime", text) < 0)
                return NULL;
        return TAKE_PTR(o);
}

static const char *comment(const Image *i) {
        json_object *h = json_get(i->content, "history");
        const char *s = json_string_or(i->content, "comment", "");

        if (s[0] || !h || !json_object_is_type(h, json_type_array) || json_object_array_length(h) == 0)
                return s;
        return json_string_or(json_object_array_get_idx(h, json_object_array_length(h) - 1), "comment", "");
}

/** image_to_inspect_json - GET /images/{name}/json. Return: 0 or -ENOMEM. */
int image_to_inspect_json(ImageStore *s, const Image *i, json_object **ret) {
        _cleanup_json_ json_object *o = json_object_new_object();

        (void) s;
        if (!o || json_set_str(o, "Id", i->id) < 0 ||
            json_set(o, "RepoTags", json_new_strv(i->repo_tags)) < 0 ||
            json_set(o, "RepoDigests", json_new_strv(i->repo_digests)) < 0 ||
            json_set_str(o, "Parent", "") < 0 || json_set_str(o, "Comment", comment(i)) < 0)
                return -ENOMEM;
        if (i->created_text && json_set_str(o, "Created", i->created_text) < 0)
                return -ENOMEM;
        if (json_set_str(o, "DockerVersion", json_string_or(i->content, "docker_version", "")) < 0 ||
            json_set_str(o, "Author", json_string_or(i->content, "author", "")) < 0 ||
            json_set_str(o, "Architecture", i->architecture) < 0)
                return -ENOMEM;
        if (!isempty(i->variant) && json_set_str(o, "Variant", i->variant) < 0)
                return -ENOMEM;
        if (json_set_str(o, "Os", i->os) < 0 || json_set_int(o, "Size", (int64_t) i->size) < 0 ||
            json_set(o, "GraphDriver", driver_json(i)) < 0 || json_set(o, "RootFS", rootfs_json(i)) < 0 ||
            json_set(o, "Metadata", metadata_json(i)) < 0 || json_set(o, "Config", config_json(i)) < 0)
                return -ENOMEM;
        *ret = TAKE_PTR(o);
        return 0;
}

/** image_to_summary_json - one item of GET /images/json. Return: 0 or -ENOMEM. */
int image_to_summary_json(const Image *i, json_object **ret) {
        _cleanup_json_ json_object *o = json_object_new_object();
        json_object *labels = json_get(i->config, "Labels");
        int r;

        if (!o || json_set_str(o, "Id", i->id) < 0 || json_set_str(o, "ParentId", "") < 0 ||
            json_set(o, "RepoTags", json_new_strv(i->repo_tags)) < 0 ||
            json_set(o, "RepoDigests", json_new_strv(i->repo_digests)) < 0 ||
            json_set_int(o, "Created", (int64_t) (i->created / USEC_PER_SEC)) < 0 ||
            json_set_int(o, "Size", (int64_t) i->size) < 0 || json_set_int(o, "SharedSize", -1) < 0)
                return -ENOMEM;
        r = is_empty(labels) ? json_set_null(o, "Labels") : json_set(o, "Labels", json_object_get(labels));
        if (r < 0 || json_set_int(o, "Containers", -1) < 0)
                return -ENOMEM;
        *ret = TAKE_PTR(o);
        return 0;
}

/* One history entry; @k: index of its layer, or -1. */
static json_object *history_item(const Image *i, json_object *h, bool last) {
        _cleanup_json_ json_object *o = json_object_new_object();
        const char *created = json_string_or(h, "created", NULL);
        usec_t at = 0;

        if (!o || (created && parse_rfc3339(created, &at) < 0))
                at = 0;
        if (!o || json_set_str(o, "Id", last ? i->id : "<missing>") < 0 ||
            json_set_int(o, "Created", (int64_t) (at / USEC_PER_SEC)) < 0 ||
            json_set_str(o, "CreatedBy", json_string_or(h, "created_by", "")) < 0)
                return NULL;
        if (last && i->repo_tags[0] ? json_set(o, "Tags", json_new_strv(i->repo_tags)) < 0
                                    : json_set_null(o, "Tags") < 0)
                return NULL;
        if (json_set_int(o, "Size", 0) < 0 ||
            json_set_str(o, "Comment", json_string_or(h, "comment", "")) < 0)
                return NULL;
        return TAKE_PTR(o);
}

/** image_to_history_json - GET /images/{name}/history, youngest first. Return: 0 or -ENOMEM. */
int image_to_history_json(ImageStore *s, const Image *i, json_object **ret) {
        _cleanup_json_ json_object *a = json_object_new_array();
        _cleanup_free_ ImageLayer *layers = NULL;
        json_object *history = json_get(i->content, "history");
        size_t n_layers = 0, n;

        if (!a)
                return -ENOMEM;
        /* Sizes are an extra: history is shown without them when the record is gone. */
        (void) image_record_layers(s, image_id_hex(i->id), &layers, &n_layers);
        n = history && json_object_is_type(history, json_type_array) ? json_object_array_length(history) : 0;
        for (size_t k = n, layer = n_layers; k > 0; k--) {
                json_object *h = json_object_array_get_idx(history, k - 1);
                json_object *item = history_item(i, h, k == n);
                bool empty = false;

                if (json_add(a, item) < 0)
                        return -ENOMEM;
                (void) json_get_bool(h, "empty_layer", &empty);
                if (!empty && layer > 0 && json_set_int(item, "Size", (int64_t) layers[--layer].size) < 0)
                        return -ENOMEM;
        }
        *ret = TAKE_PTR(a);
        return 0;
}
