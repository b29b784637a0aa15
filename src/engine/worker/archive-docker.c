/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../../basic/json.h"
#include "../../basic/str.h"
#include "archive-plan.h"
#include "member-name.h"

/* docker-archive: manifest.json = [{"Config": member, "RepoTags": [..] or null, "Layers": [member, ...]},
 * ...]. */

static int find_member(ArchivePlan *p, const MemberSpool *s, const char *name, const SpoolMember **ret) {
        _cleanup_free_ char *clean = NULL;
        NameFault fault;
        int r;

        r = member_name_clean(name, &clean, &fault);
        if (r == -EINVAL)
                return plan_fail(p, "manifest.json: the name \"%.512s\" %s", name, name_fault_text(fault));
        if (r < 0)
                return r;
        *ret = member_spool_find(s, clean);
        return *ret ? 0 : plan_fail(p, "manifest.json names \"%.512s\", which is not in the archive", name);
}

/* <hex>.json in older archives, blobs/sha256/<hex> in newer ones: either way the name is a promise. */
static int check_config_name(ArchivePlan *p, const SpoolMember *m) {
        const char *dot = endswith(m->name, ".json");

        if (dot && dot - m->name == DIGEST_HEX && !startswith(m->name, m->sha256)) {
                _cleanup_free_ char *hex = strndup(m->name, DIGEST_HEX);

                if (!hex)
                        return -ENOMEM;
                if (hex_is_valid(hex, DIGEST_HEX))
                        return plan_fail(p, "digest mismatch: %s has sha256:%s", m->name, m->sha256);
        }
        return plan_check_blob_name(p, m);
}

static int set_layers(ArchivePlan *p, const MemberSpool *s, PlanImage *i, char *const *names) {
        for (size_t k = 0; k < i->n_layers; k++) {
                int r = find_member(p, s, names[k], &i->layers[k].member);

                if (r >= 0)
                        r = plan_check_blob_name(p, i->layers[k].member);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int add_image(ArchivePlan *p, const MemberSpool *s, json_object *o) {
        _cleanup_strv_ char **layers = NULL, **tags = NULL;
        const char *config = NULL;
        const SpoolMember *m;
        char *text;
        PlanImage *i;
        size_t size;
        int r;

        if (json_get_string(o, "Config", &config) <= 0)
                return plan_fail(p, "manifest.json: Config is missing");
        if (json_get_strv(o, "Layers", &layers) < 0 || json_get_strv(o, "RepoTags", &tags) < 0)
                return plan_fail(p, "manifest.json: Layers or RepoTags is no list of strings");
        r = find_member(p, s, config, &m);
        if (r >= 0)
                r = check_config_name(p, m);
        if (r < 0)
                return r;
        i = plan_add_image(p);
        if (!i)
                return plan_fail(p, "manifest.json: too many images");
        r = member_spool_read(s, m, IMAGE_JSON_MAX, &text, &size);
        if (r == -E2BIG)
                return plan_fail(p, "%s is too large", m->name);
        if (r < 0)
                return r;
        r = plan_set_config(p, i, text, size, strv_length(layers));
        if (r >= 0)
                r = set_layers(p, s, i, layers);
        for (char **t = tags; r >= 0 && t && *t; t++)
                r = plan_add_tag(p, i, *t);
        return r;
}

/** plan_docker - read manifest.json. Return: 0, -EBADMSG, -errno. */
int plan_docker(ArchivePlan *p, const MemberSpool *s, const char *manifest, size_t size) {
        _cleanup_json_ json_object *o = NULL;
        int r;

        r = json_parse(manifest, size, &o);
        if (r == -ENOMEM)
                return r;
        if (r < 0 || !json_object_is_type(o, json_type_array))
                return plan_fail(p, "manifest.json: not a JSON array");
        for (size_t k = 0; k < json_object_array_length(o); k++) {
                r = add_image(p, s, json_object_array_get_idx(o, k));
                if (r < 0)
                        return r;
        }
        return 0;
}
