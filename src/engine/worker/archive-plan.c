/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "archive-plan.h"

#include <stdarg.h>
#include <sys/utsname.h>

#include "../../basic/json.h"
#include "../../basic/str.h"
#include "../image/blob.h"
#include "../image/image-ref.h"

#define IMAGES_MAX 1024

/** plan_fail - set the text for the user. Return: -EBADMSG, or -ENOMEM. */
int plan_fail(ArchivePlan *p, const char *fmt, ...) {
        va_list ap;
        int r;

        free(p->error);
        va_start(ap, fmt);
        r = vasprintf(&p->error, fmt, ap);
        va_end(ap);
        if (r >= 0)
                return -EBADMSG;
        p->error = NULL;
        return -ENOMEM;
}

/** archive_plan_done - free; safe on a zeroed plan. */
void archive_plan_done(ArchivePlan *p) {
        for (size_t k = 0; k < p->n; k++) {
                free(p->images[k].config);
                strv_free(p->images[k].tags);
                free(p->images[k].layers);
        }
        free(p->images);
        free(p->error);
        *p = (ArchivePlan){};
}

/** host_architecture - as the OCI image specification (Go) calls it. */
const char *host_architecture(void) {
        static const char *const table[][2] = {
                { "x86_64", "amd64" },        { "aarch64", "arm64" },   { "armv7l", "arm" },
                { "armv6l", "arm" },          { "i386", "386" },        { "i686", "386" },
                { "ppc64le", "ppc64le" },     { "s390x", "s390x" },     { "riscv64", "riscv64" },
                { "loongarch64", "loong64" }, { "mips64", "mips64le" },
        };
        static struct utsname u;

        if (uname(&u) < 0)
                return "amd64";
        for (size_t i = 0; i < ELEMENTSOF(table); i++)
                if (streq(u.machine, table[i][0]))
                        return table[i][1];
        return u.machine;
}

/** plan_add_image - a new empty image, NULL on ENOMEM or beyond the limit. Pointers to earlier ones become
 * invalid. */
PlanImage *plan_add_image(ArchivePlan *p) {
        PlanImage *i;

        if (p->n >= IMAGES_MAX)
                return NULL;
        i = reallocarray(p->images, p->n + 1, sizeof(*i));
        if (!i)
                return NULL;
        p->images = i;
        i[p->n] = (PlanImage){ .tags = new0(char *, 1) };
        return i[p->n].tags ? &i[p->n++] : NULL;
}

/** plan_add_tag - add @ref in canonical form. Return: 0, -EBADMSG, -ENOMEM. */
int plan_add_tag(ArchivePlan *p, PlanImage *i, const char *ref) {
        _cleanup_image_ref_ ImageRef parsed = {};
        _cleanup_free_ char *error = NULL, *canonical = NULL;
        int r;

        r = image_ref_parse(ref, &parsed, &error);
        if (r == -EINVAL)
                return plan_fail(p, "the archive's name \"%.512s\" for an image: %s", ref, strempty(error));
        if (r < 0)
                return r;
        if (parsed.digest)
                return plan_fail(p, "the archive's name \"%.512s\" for an image: a name with a digest", ref);
        r = image_ref_default_tag(&parsed);
        canonical = r < 0 ? NULL : image_ref_canonical(&parsed);
        if (!canonical)
                return -ENOMEM;
        for (char **t = i->tags; *t; t++)
                if (streq(*t, canonical))
                        return 0;
        return strv_extend(&i->tags, canonical);
}

static int set_diff_ids(ArchivePlan *p, PlanImage *i, json_object *config, size_t n_layers) {
        json_object *rootfs, *ids = NULL;
        const char *type, *os;
        size_t n = 0;

        os = json_string_or(config, "os", "linux");
        if (!streq(os, "linux") && *os)
                return plan_fail(p, "cannot load %.64s image on linux", os);
        if (json_get_object(config, "rootfs", &rootfs) < 0 || json_get_array(rootfs, "diff_ids", &ids) < 0)
                return plan_fail(p, "image configuration %s: invalid rootfs", i->hex);
        type = json_string_or(rootfs, "type", "layers");
        if (!streq(type, "layers"))
                return plan_fail(p, "image configuration %s: rootfs of type %.64s", i->hex, type);
        if (ids)
                n = json_object_array_length(ids);
        if (n != n_layers)
                return plan_fail(p, "invalid manifest, layers length mismatch: expected %zu, got %zu",
                                 n_layers, n);
        if (n > IMAGE_LAYERS_MAX)
                return plan_fail(p, "max depth exceeded: the image has %zu layers, %d is the limit", n,
                                 IMAGE_LAYERS_MAX);
        i->layers = new0(PlanLayer, n + 1);
        if (!i->layers)
                return -ENOMEM;
        for (size_t k = 0; k < n; k++) {
                json_object *id = json_object_array_get_idx(ids, k);
                const char *hex = json_object_is_type(id, json_type_string)
                                                  ? image_id_hex(json_object_get_string(id))
                                                  : NULL;

                if (!hex)
                        return plan_fail(p, "image configuration %s: diff_id %zu is no sha256 digest",
                                         i->hex, k);
                memcpy(i->layers[k].diff_id, hex, DIGEST_HEX + 1);
        }
        i->n_layers = n;
        return 0;
}

/* Types only: what a container makes of the values is checked at create. */
static int check_config_types(ArchivePlan *p, const PlanImage *i, json_object *root) {
        static const struct {
                const char *key;
                json_type type;
        } rules[] = {
                { "Env", json_type_array },           { "Cmd", json_type_array },
                { "Entrypoint", json_type_array },    { "OnBuild", json_type_array },
                { "Shell", json_type_array },         { "WorkingDir", json_type_string },
                { "User", json_type_string },         { "StopSignal", json_type_string },
                { "Labels", json_type_object },       { "Volumes", json_type_object },
                { "ExposedPorts", json_type_object }, { "Healthcheck", json_type_object },
        };
        json_object *config;

        if (json_get_object(root, "config", &config) < 0)
                return plan_fail(p, "image configuration %s: config is no object", i->hex);
        for (size_t k = 0; k < ELEMENTSOF(rules); k++) {
                json_object *v = json_get(config, rules[k].key);

                if (v && !json_object_is_type(v, rules[k].type))
                        return plan_fail(p, "image configuration %s: config.%s has the wrong type", i->hex,
                                         rules[k].key);
                for (size_t n = 0; v && rules[k].type == json_type_array && n < json_object_array_length(v);
                     n++)
                        if (!json_object_is_type(json_object_array_get_idx(v, n), json_type_string))
                                return plan_fail(p,
                                                 "image configuration %s: config.%s is no list of strings",
                                                 i->hex, rules[k].key);
        }
        return 0;
}

/** plan_set_config - see archive-plan.h. Return: 0, -EBADMSG, -ENOMEM. */
int plan_set_config(ArchivePlan *p, PlanImage *i, char *config, size_t size, size_t n_layers) {
        _cleanup_json_ json_object *o = NULL;
        int r;

        i->config = config;
        i->config_size = size;
        r = sha256_hex(config, size, i->hex);
        if (r < 0)
                return r;
        r = json_parse(config, size, &o);
        if (r == -ENOMEM)
                return r;
        if (r < 0 || !json_object_is_type(o, json_type_object))
                return plan_fail(p, "image configuration %s: not a JSON object", i->hex);
        r = check_config_types(p, i, o);
        return r < 0 ? r : set_diff_ids(p, i, o, n_layers);
}

/** plan_check_blob_name - see archive-plan.h. */
int plan_check_blob_name(ArchivePlan *p, const SpoolMember *m) {
        const char *hex = startswith(m->name, "blobs/sha256/");

        if (hex && !streq(hex, m->sha256))
                return plan_fail(p, "digest mismatch: %s has sha256:%s", m->name, m->sha256);
        return 0;
}

/** archive_plan_make - see archive-plan.h. */
int archive_plan_make(ArchivePlan *p, const MemberSpool *s, const char *architecture) {
        const SpoolMember *m = member_spool_find(s, "manifest.json");
        _cleanup_free_ char *text = NULL;
        bool docker = m != NULL;
        size_t size;
        int r;

        if (!m)
                m = member_spool_find(s, "index.json");
        if (!m)
                return plan_fail(p, "not an image archive: it has neither manifest.json nor index.json");
        r = member_spool_read(s, m, IMAGE_JSON_MAX, &text, &size);
        if (r == -E2BIG)
                return plan_fail(p, "%s is too large", m->name);
        if (r < 0)
                return r;
        r = docker ? plan_docker(p, s, text, size) : plan_oci(p, s, text, size, architecture);
        if (r < 0)
                return r;
        return p->n > 0 ? 0 : plan_fail(p, "the archive holds no image");
}
