/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../../basic/json.h"
#include "../../basic/str.h"
#include "archive-plan.h"

/* OCI image layout: index.json -> (index ->) manifest -> config, layers; all but the first by digest below
 * blobs/. */
#define INDEX_DEPTH_MAX 4
#define ANNOTATION_NAME "io.containerd.image.name"
#define ANNOTATION_REF  "org.opencontainers.image.ref.name"

static int find_blob(ArchivePlan *p, const MemberSpool *s, json_object *descriptor,
                     const SpoolMember **ret) {
        const char *digest = json_string_or(descriptor, "digest", ""), *hex = image_id_hex(digest);
        _cleanup_free_ char *name = NULL;
        const SpoolMember *m;
        int64_t size = 0;

        if (!hex)
                return plan_fail(p, "descriptor with the digest \"%.128s\": only sha256 is supported",
                                 digest);
        name = str_concat("blobs/sha256/", hex);
        if (!name)
                return -ENOMEM;
        m = member_spool_find(s, name);
        if (!m)
                return plan_fail(p, "blob %s is not in the archive", digest);
        if (!streq(m->sha256, hex))
                return plan_fail(p, "digest mismatch: %s has sha256:%s", name, m->sha256);
        if (json_get_int(descriptor, "size", 0, INT64_MAX, &size) <= 0 || (uint64_t) size != m->size)
                return plan_fail(p, "size mismatch: %s has %llu bytes, its descriptor says %lld", name,
                                 (unsigned long long) m->size, (long long) size);
        *ret = m;
        return 0;
}

static int read_blob(ArchivePlan *p, const MemberSpool *s, json_object *descriptor, char **ret,
                     size_t *ret_size) {
        const SpoolMember *m;
        int r;

        r = find_blob(p, s, descriptor, &m);
        if (r < 0)
                return r;
        r = member_spool_read(s, m, IMAGE_JSON_MAX, ret, ret_size);
        return r == -E2BIG ? plan_fail(p, "%s is too large", m->name) : r;
}

static int read_json(ArchivePlan *p, const MemberSpool *s, json_object *descriptor, json_object **ret) {
        _cleanup_free_ char *text = NULL;
        size_t size;
        int r;

        r = read_blob(p, s, descriptor, &text, &size);
        if (r < 0)
                return r;
        r = json_parse(text, size, ret);
        if (r == -ENOMEM)
                return r;
        if (r < 0 || !json_object_is_type(*ret, json_type_object)) {
                json_object_put(r < 0 ? NULL : TAKE_PTR(*ret));
                return plan_fail(p, "blob %s: not a JSON object", json_string_or(descriptor, "digest", ""));
        }
        return 0;
}

/* containerd's annotation is a whole reference; OCI's may be one, or only a tag, which names nothing by
 * itself. */
static int add_tags(ArchivePlan *p, PlanImage *i, json_object *descriptor) {
        json_object *a = json_get(descriptor, "annotations");
        const char *name = json_string_or(a, ANNOTATION_NAME, ""),
                   *ref = json_string_or(a, ANNOTATION_REF, "");

        if (*name)
                return plan_add_tag(p, i, name);
        return strpbrk(ref, ":/") ? plan_add_tag(p, i, ref) : 0;
}

static PlanImage *find_image(ArchivePlan *p, const char *hex) {
        for (size_t k = 0; k < p->n; k++)
                if (streq(p->images[k].hex, hex))
                        return &p->images[k];
        return NULL;
}

static int add_manifest(ArchivePlan *p, const MemberSpool *s, json_object *manifest, json_object *named_by) {
        json_object *config, *layers = NULL;
        PlanImage *i;
        char *text;
        size_t size, n;
        int r;

        if (json_get_object(manifest, "config", &config) <= 0 ||
            json_get_array(manifest, "layers", &layers) < 0)
                return plan_fail(p, "image manifest without config or layers");
        n = layers ? json_object_array_length(layers) : 0;
        /* One image under several names is one manifest listed several times. */
        i = find_image(p, strempty(image_id_hex(json_string_or(config, "digest", ""))));
        if (i && i->n_layers == n)
                return add_tags(p, i, named_by);
        r = read_blob(p, s, config, &text, &size);
        if (r < 0)
                return r;
        i = plan_add_image(p);
        if (!i) {
                free(text);
                return plan_fail(p, "index.json: too many images");
        }
        r = plan_set_config(p, i, text, size, n);
        for (size_t k = 0; r >= 0 && k < n; k++)
                r = find_blob(p, s, json_object_array_get_idx(layers, k), &i->layers[k].member);
        return r < 0 ? r : add_tags(p, i, named_by);
}

static bool is_index(json_object *o) {
        return json_get(o, "manifests") != NULL;
}

/* Attestations travel as manifests of platform unknown/unknown. */
static bool fits(json_object *descriptor, const char *architecture) {
        json_object *platform = json_get(descriptor, "platform");

        return !platform || (streq(json_string_or(platform, "os", "linux"), "linux") &&
                             streq(json_string_or(platform, "architecture", architecture), architecture));
}

static int add_one(ArchivePlan *p, const MemberSpool *s, json_object *descriptor, json_object *named_by,
                   const char *architecture, unsigned depth);

/* An index stands for one image: the first manifest for this machine. */
static int add_from_index(ArchivePlan *p, const MemberSpool *s, json_object *index, json_object *named_by,
                          const char *architecture, unsigned depth) {
        json_object *list;

        if (json_get_array(index, "manifests", &list) <= 0)
                return plan_fail(p, "image index without a list of manifests");
        for (size_t k = 0; k < json_object_array_length(list); k++) {
                json_object *d = json_object_array_get_idx(list, k);

                if (fits(d, architecture))
                        return add_one(p, s, d, named_by, architecture, depth + 1);
        }
        return plan_fail(p, "no manifest for linux/%s in the image index", architecture);
}

static int add_one(ArchivePlan *p, const MemberSpool *s, json_object *descriptor, json_object *named_by,
                   const char *architecture, unsigned depth) {
        _cleanup_json_ json_object *o = NULL;
        int r;

        if (depth > INDEX_DEPTH_MAX)
                return plan_fail(p, "image indexes are nested too deeply");
        r = read_json(p, s, descriptor, &o);
        if (r < 0)
                return r;
        return is_index(o) ? add_from_index(p, s, o, named_by, architecture, depth)
                           : add_manifest(p, s, o, named_by);
}

static int choose(ArchivePlan *p, const MemberSpool *s, json_object *list, const char *architecture) {
        size_t n = json_object_array_length(list), taken = 0;
        int r;

        for (size_t k = 0; k < n; k++) {
                json_object *d = json_object_array_get_idx(list, k);

                if (!fits(d, architecture))
                        continue;
                r = add_one(p, s, d, d, architecture, 0);
                if (r < 0)
                        return r;
                taken++;
        }
        /* A single image for another machine is loaded as what it is, as docker-archives are. */
        if (taken == 0 && n == 1) {
                json_object *d = json_object_array_get_idx(list, 0);

                return add_one(p, s, d, d, architecture, 0);
        }
        return taken > 0 || n == 0 ? 0
                                   : plan_fail(p, "no manifest for linux/%s in index.json", architecture);
}

/** plan_oci - read index.json. Return: 0, -EBADMSG, -errno. */
int plan_oci(ArchivePlan *p, const MemberSpool *s, const char *index, size_t size,
             const char *architecture) {
        _cleanup_json_ json_object *o = NULL;
        json_object *list;
        int r;

        r = json_parse(index, size, &o);
        if (r == -ENOMEM)
                return r;
        if (r < 0 || json_get_array(o, "manifests", &list) <= 0)
                return plan_fail(p, "index.json: no list of manifests");
        return choose(p, s, list, architecture);
}
