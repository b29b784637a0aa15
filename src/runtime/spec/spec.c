/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "spec.h"

#include "../../basic/str.h"
#include "../error.h"
#include "../mounts/mount-idmap.h"

#define KEEP_GROUPS "run.oci.keep_original_groups"

const char *const hook_names[_HOOK_MAX] = {
        [HOOK_PRESTART] = "prestart",           [HOOK_CREATE_RUNTIME] = "createRuntime",
        [HOOK_CREATE_CONTAINER] = "createContainer", [HOOK_START_CONTAINER] = "startContainer",
        [HOOK_POSTSTART] = "poststart",         [HOOK_POSTSTOP] = "poststop",
};

static int wrong(const char *where, const char *key, const char *expected) {
        return fail_text(EINVAL, "config.json: %s%s%s: expected %s", where, isempty(where) ? "" : ".", key,
                         expected);
}

/** spec_string - borrowed text of @key; @ret is untouched when it is absent. Return: 1, 0 when absent,
 * -EINVAL. */
int spec_string(json_object *o, const char *where, const char *key, const char **ret) {
        int r = json_get_string(o, key, ret);

        return r < 0 ? wrong(where, key, "a string") : r;
}

/** spec_flag - as spec_string(), for booleans. */
int spec_flag(json_object *o, const char *where, const char *key, bool *ret) {
        int r = json_get_bool(o, key, ret);

        return r < 0 ? wrong(where, key, "true or false") : r;
}

/** spec_int - as spec_string(), for numbers from @min to @max. */
int spec_int(json_object *o, const char *where, const char *key, int64_t min, int64_t max, int64_t *ret) {
        int r = json_get_int(o, key, min, max, ret);

        if (r == -ERANGE)
                return wrong(where, key, "a number in range");
        return r < 0 ? wrong(where, key, "a number") : r;
}

/** spec_object - as spec_string(), for sub-trees; NULL is stored when absent. */
int spec_object(json_object *o, const char *where, const char *key, json_object **ret) {
        int r = json_get_object(o, key, ret);

        return r < 0 ? wrong(where, key, "an object") : r;
}

/** spec_array - as spec_object(), with the length, which is bounded. */
int spec_array(json_object *o, const char *where, const char *key, json_object **ret, size_t *ret_n) {
        int r = json_get_array(o, key, ret);

        if (r < 0)
                return wrong(where, key, "an array");
        *ret_n = *ret ? json_object_array_length(*ret) : 0;
        if (*ret_n > SPEC_LIST_MAX)
                return wrong(where, key, "a shorter list");
        return r;
}

/** spec_strv - NULL-terminated array (owned) of borrowed strings. Return: as spec_string(). */
int spec_strv(json_object *o, const char *where, const char *key, const char ***ret) {
        _cleanup_free_ const char **l = NULL;
        json_object *a;
        size_t n;
        int r;

        r = spec_array(o, where, key, &a, &n);
        if (r <= 0)
                return r;
        l = new0(const char *, n + 1);
        if (!l)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                json_object *s = json_object_array_get_idx(a, i);

                if (!json_object_is_type(s, json_type_string))
                        return wrong(where, key, "an array of strings");
                l[i] = json_object_get_string(s);
                if (strlen(l[i]) != (size_t) json_object_get_string_len(s))
                        return wrong(where, key, "strings without NUL");
        }
        *ret = TAKE_PTR(l);
        return 1;
}

/** spec_id_maps - uidMappings or gidMappings; the array is owned by the caller. */
int spec_id_maps(json_object *o, const char *where, const char *key, SpecIdMap **ret, size_t *ret_n) {
        _cleanup_free_ SpecIdMap *maps = NULL;
        json_object *a;
        size_t n;
        int r;

        r = spec_array(o, where, key, &a, &n);
        if (r <= 0 || n == 0)
                return r;
        if (n > 340)
                return wrong(where, key, "at most 340 mappings");
        maps = new0(SpecIdMap, n);
        if (!maps)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                json_object *m = json_object_array_get_idx(a, i);
                int64_t inside = -1, outside = -1, size = -1;

                if (spec_int(m, key, "containerID", 0, UINT32_MAX, &inside) < 0 ||
                    spec_int(m, key, "hostID", 0, UINT32_MAX, &outside) < 0 ||
                    spec_int(m, key, "size", 1, UINT32_MAX, &size) < 0)
                        return -EINVAL;
                if (inside < 0 || outside < 0 || size < 0)
                        return wrong(where, key, "containerID, hostID and size");
                maps[i] = (SpecIdMap) { (uint32_t) inside, (uint32_t) outside, (uint32_t) size };
        }
        *ret = TAKE_PTR(maps);
        *ret_n = n;
        return 1;
}

static int parse_hook(json_object *o, const char *where, SpecHook *ret) {
        int64_t timeout = 0;
        int r;

        r = spec_string(o, where, "path", &ret->path);
        if (r < 0)
                return r;
        if (isempty(ret->path) || ret->path[0] != '/')
                return wrong(where, "path", "an absolute path");
        r = spec_strv(o, where, "args", &ret->args);
        if (r < 0)
                return r;
        r = spec_strv(o, where, "env", &ret->env);
        if (r < 0)
                return r;
        r = spec_int(o, where, "timeout", 1, 86400, &timeout);
        ret->timeout = (unsigned) timeout;
        return r;
}

static int parse_hooks(json_object *root, Spec *s) {
        json_object *hooks;
        int r;

        r = spec_object(root, "", "hooks", &hooks);
        if (r <= 0)
                return r;
        for (HookPoint p = 0; p < _HOOK_MAX; p++) {
                json_object *a;
                size_t n;

                r = spec_array(hooks, "hooks", hook_names[p], &a, &n);
                if (r < 0)
                        return r;
                if (n == 0)
                        continue;
                s->hooks[p].items = new0(SpecHook, n);
                if (!s->hooks[p].items)
                        return -ENOMEM;
                s->hooks[p].n = n;
                s->any_hook = true;
                for (size_t i = 0; i < n; i++) {
                        r = parse_hook(json_object_array_get_idx(a, i), hook_names[p],
                                       &s->hooks[p].items[i]);
                        if (r < 0)
                                return r;
                }
        }
        return 0;
}

static int parse_annotations(json_object *root, Spec *s) {
        int r = spec_object(root, "", "annotations", &s->annotations);

        if (r <= 0)
                return r < 0 ? r : spec_annotations_parse(NULL, s);
        json_object_object_foreach(s->annotations, key, value) {
                if (!key[0])
                        return fail_text(EINVAL, "config.json: annotations: a key is empty");
                if (!json_object_is_type(value, json_type_string))
                        return wrong("annotations", key, "a string");
        }
        return spec_annotations_parse(s->annotations, s);
}

/* 1.x.y, maybe with something behind it that says which candidate or build. */
static bool version_is_known(const char *v) {
        const char *p = startswith(v, "1.");

        for (unsigned i = 0; p && i < 2; i++) {
                size_t n = strspn(p, "0123456789");

                if (n == 0 || (i == 0 && p[n] != '.'))
                        return false;
                p += i == 0 ? n + 1 : n;
        }
        return p && (!*p || *p == '-' || *p == '+');
}

static int parse_root(json_object *root, Spec *s) {
        json_object *o;
        int r;

        r = spec_string(root, "", "ociVersion", &s->oci_version);
        if (r < 0)
                return r;
        if (!s->oci_version || !version_is_known(s->oci_version))
                return wrong("", "ociVersion", "1.x");
        r = spec_object(root, "", "root", &o);
        if (r < 0)
                return r;
        if (!o)
                return wrong("", "root", "an object");
        if ((r = spec_string(o, "root", "path", &s->rootfs)) < 0 ||
            (r = spec_flag(o, "root", "readonly", &s->readonly)) < 0)
                return r;
        if (isempty(s->rootfs))
                return wrong("root", "path", "a path");
        if ((r = spec_string(root, "", "hostname", &s->hostname)) < 0 ||
            (r = spec_string(root, "", "domainname", &s->domainname)) < 0)
                return r;
        if (strlen(strempty(s->hostname)) > 64 || strlen(strempty(s->domainname)) > 64)
                return wrong("", "hostname", "at most 64 characters");
        return parse_annotations(root, s);
}

/* An annotation that crun made known and podman's --group-add keep-groups sends. */
static int parse_keep_groups(Spec *s) {
        s->process.keep_groups = spec_keeps_groups(s->annotations);
        if (s->process.keep_groups && s->process.n_gids > 0)
                return fail_text(
                                EINVAL,
                                "config.json: process.user.additionalGids: not together with the annotation " KEEP_GROUPS);
        return 0;
}

static int parse_document(Spec *s) {
        json_object *o;
        int r;

        if (!json_object_is_type(s->root, json_type_object))
                return wrong("", "", "an object");
        r = parse_root(s->root, s);
        if (r < 0)
                return r;
        r = spec_object(s->root, "", "process", &o);
        if (r < 0)
                return r;
        if (o) {
                r = spec_process_parse(o, &s->process);
                if (r < 0)
                        return r;
                s->has_process = true;
                r = parse_keep_groups(s);
                if (r < 0)
                        return r;
        }
        r = spec_mounts_parse(s->root, s);
        if (r < 0)
                return r;
        r = parse_hooks(s->root, s);
        if (r < 0)
                return r;
        if (json_get(s->root, "vm") || json_get(s->root, "windows") || json_get(s->root, "solaris") ||
            json_get(s->root, "zos"))
                return fail_text(EOPNOTSUPP,
                                 "config.json: vm, windows, solaris, zos: only linux is supported");
        r = spec_object(s->root, "", "linux", &o);
        if (r < 0)
                return r;
        r = o ? spec_linux_parse(o, s) : 0;
        for (size_t i = 0; r >= 0 && i < s->n_mounts; i++)
                r = mount_idmap_resolve(s, &s->mounts[i]);
        return r;
}

/**
 * spec_parse - parse a whole config.json.
 * @ret: on success owned by the caller, release with spec_done().
 *
 * Return: 0, -EBADMSG for malformed JSON, -EINVAL or -EOPNOTSUPP with the field in fail_message(), -ENOMEM.
 */
int spec_parse(const char *text, size_t size, Spec *ret) {
        _cleanup_spec_ Spec s = {};
        int r;

        r = json_parse(text, size, &s.root);
        if (r < 0)
                return fail_text(r, "config.json: not valid JSON");
        r = parse_document(&s);
        if (r < 0)
                return r == -ENOMEM ? fail_errno(r, "config.json") : r;
        *ret = s;
        s = (Spec) {};
        return 0;
}

/** spec_done - release what a Spec owns. */
void spec_done(Spec *s) {
        spec_process_done(&s->process);
        for (size_t i = 0; i < s->n_mounts; i++) {
                free(s->mounts[i].data);
                free(s->mounts[i].uid_maps);
                free(s->mounts[i].gid_maps);
        }
        free(s->mounts);
        free(s->notify_source);
        for (HookPoint p = 0; p < _HOOK_MAX; p++) {
                for (size_t i = 0; i < s->hooks[p].n; i++) {
                        free(s->hooks[p].items[i].args);
                        free(s->hooks[p].items[i].env);
                }
                free(s->hooks[p].items);
        }
        free(s->uid_maps);
        free(s->gid_maps);
        free(s->devices);
        free(s->net_devices);
        free(s->masked);
        free(s->readonly_paths);
        json_object_put(s->root);
        *s = (Spec) {};
}

/** spec_keeps_groups - whether the payload shall keep the supplementary groups of the runtime's caller. */
bool spec_keeps_groups(json_object *annotations) {
        const char *value = annotations ? json_string_or(annotations, KEEP_GROUPS, "") : "";

        return streq(value, "1") || streq(value, "true");
}

/** spec_has_new - whether a namespace of @kind is to be made (and not shared or joined). */
bool spec_has_new(const Spec *s, NamespaceKind kind) {
        return s->ns[kind].present && !s->ns[kind].path;
}
