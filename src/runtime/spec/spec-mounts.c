/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../../basic/str.h"
#include "../error.h"
#include "../runtime-log.h"
#include "mount-options.h"
#include "spec.h"

static int parse_options(json_object *o, SpecMount *m) {
        _cleanup_free_ const char **options = NULL;
        int r;

        r = spec_strv(o, "mounts", "options", &options);
        for (size_t i = 0; r >= 0 && options && options[i]; i++)
                r = mount_option_apply(m, options[i]);
        return r;
}

static int parse_mount(json_object *o, SpecMount *m) {
        int r;

        if ((r = spec_string(o, "mounts", "destination", &m->destination)) < 0 ||
            (r = spec_string(o, "mounts", "source", &m->source)) < 0 ||
            (r = spec_string(o, "mounts", "type", &m->type)) < 0 ||
            (r = spec_id_maps(o, "mounts", "uidMappings", &m->uid_maps, &m->n_uid_maps)) < 0 ||
            (r = spec_id_maps(o, "mounts", "gidMappings", &m->gid_maps, &m->n_gid_maps)) < 0)
                return r;
        if (isempty(m->destination))
                return fail_text(EINVAL, "config.json: mounts.destination: expected a path");
        r = parse_options(o, m);
        if (r < 0)
                return r;
        if (m->type && streq(m->type, "bind"))
                m->bind = true;
        if (m->n_uid_maps > 0 || m->n_gid_maps > 0)
                m->idmap = true;
        if (m->bind && m->sb_flags != 0)
                runtime_warning("mounts: %s: sync, dirsync, lazytime, mand, iversion, acl and silent are options of "
                                "file systems and do nothing to a bind mount",
                                m->destination);
        if ((m->copy_symlink || m->source_nofollow) && !m->bind)
                return fail_text(
                                EINVAL,
                                "config.json: mounts: %s: copy-symlink and src-nofollow are for bind mounts "
                                "only",
                                m->destination);
        if (m->bind && !m->remount && isempty(m->source))
                return fail_text(EINVAL, "config.json: mounts: %s: a bind mount needs a source",
                                 m->destination);
        if (!m->bind && !m->remount && isempty(m->type))
                return fail_text(EINVAL, "config.json: mounts: invalid mount %s: expected a type",
                                 m->destination);
        if ((m->n_uid_maps > 0) != (m->n_gid_maps > 0))
                return fail_text(
                                EINVAL,
                                "config.json: mounts: invalid mount %s: uidMappings and gidMappings go together only",
                                m->destination);
        if (m->idmap && !m->bind)
                return fail_text(
                                EINVAL,
                                "config.json: mounts: invalid mount %s: id mappings are for bind mounts only",
                                m->destination);
        if (m->remount) {
                m->source = strempty(m->source);
                m->type = strempty(m->type);
        }
        if (m->copy_up && (m->bind || m->remount || !streq(m->type, "tmpfs")))
                return fail_text(EINVAL, "config.json: mounts: %s: tmpcopyup is for tmpfs only",
                                 m->destination);
        return 0;
}

/**
 * spec_mounts_parse - the mounts array of @root into @s.
 *
 * Return: 0, -EINVAL or -EOPNOTSUPP with the field in fail_message(), -ENOMEM.
 */
int spec_mounts_parse(json_object *root, Spec *s) {
        json_object *a;
        size_t n;
        int r;

        r = spec_array(root, "", "mounts", &a, &n);
        if (r <= 0 || n == 0)
                return r;
        s->mounts = new0(SpecMount, n);
        if (!s->mounts)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                s->n_mounts = i + 1;
                r = parse_mount(json_object_array_get_idx(a, i), &s->mounts[i]);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* Return: what follows @root in @path, an absolute path in it; NULL if it is not below it. */
static const char *below(const char *path, const char *root) {
        const char *rest = path ? startswith(path, root) : NULL;

        if (!rest || (*rest && *rest != '/'))
                return NULL;
        return *rest ? rest : "/";
}

/**
 * spec_mounts_enter_root - paths that name something in the root file system by where the host has it, are
 * of the container, as with runc: a destination is not looked for a second time below itself, and a source
 * is what is there when it is its turn, with the mounts before it, and found inside of the root: the links
 * on the way are the image's.
 * @rootfs: without links.
 */
void spec_mounts_enter_root(Spec *s, const char *rootfs) {
        /* Only the parent can map the ids of what the host's file systems have, before there is a container.
         */
        bool mapped_early = s->ns[NS_USER].present;

        if (streq(rootfs, "/") || !spec_has_new(s, NS_MOUNT))
                return;
        for (size_t i = 0; i < s->n_mounts; i++) {
                SpecMount *m = &s->mounts[i];
                const char *inside = below(m->destination, rootfs);

                if (inside)
                        m->destination = inside;
                if (m->bind && !m->copy_symlink && !m->source_nofollow && !(m->idmap && mapped_early))
                        m->inside_source = below(m->source, rootfs);
        }
}
