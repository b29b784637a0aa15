/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The mount option idmap=uids=A-B-N[#...];gids=... that crun made known: N ids from A on in the file system
 * are those from B on of the host, or with "@" before A the ids that the container knows as B.
 */
#include "mount-idmap.h"

#include "../../basic/str.h"
#include "../error.h"

static int parse_triplet(char *text, SpecIdMap *ret) {
        _cleanup_strv_ char **parts = NULL;
        uint64_t values[3];
        int r;

        ret->relative = text[0] == '@';
        r = strv_split(text + ret->relative, '-', &parts);
        if (r < 0)
                return r;
        if (strv_length(parts) != 3)
                return -EINVAL;
        for (size_t i = 0; i < 3; i++) {
                r = parse_u64(parts[i], UINT32_MAX, &values[i]);
                if (r < 0)
                        return -EINVAL;
        }
        ret->inside = (uint32_t) values[0];
        ret->outside = (uint32_t) values[1];
        ret->size = (uint32_t) values[2];
        return ret->size > 0 ? 0 : -EINVAL;
}

static int parse_ranges(const char *text, SpecIdMap **ret, size_t *ret_n) {
        _cleanup_strv_ char **triplets = NULL;
        _cleanup_free_ SpecIdMap *maps = NULL;
        size_t n;
        int r;

        r = strv_split(text, '#', &triplets);
        if (r < 0)
                return r;
        n = strv_length(triplets);
        if (n == 0 || n > 340 || *ret)
                return -EINVAL;
        maps = new0(SpecIdMap, n);
        if (!maps)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                r = parse_triplet(triplets[i], &maps[i]);
                if (r < 0)
                        return r;
        }
        *ret = TAKE_PTR(maps);
        *ret_n = n;
        return 0;
}

/**
 * mount_idmap_parse - what follows "idmap=" or "ridmap=".
 *
 * Return: 0, -EINVAL with the option in fail_message(), -ENOMEM.
 */
int mount_idmap_parse(SpecMount *m, const char *text) {
        _cleanup_strv_ char **sets = NULL;
        int r;

        r = strv_split(text, ';', &sets);
        for (char **s = sets; r >= 0 && *s; s++) {
                const char *ranges;

                if ((ranges = startswith(*s, "uids=")))
                        r = parse_ranges(ranges, &m->uid_maps, &m->n_uid_maps);
                else if ((ranges = startswith(*s, "gids=")))
                        r = parse_ranges(ranges, &m->gid_maps, &m->n_gid_maps);
                else
                        r = -EINVAL;
        }
        if (r >= 0 && (!m->uid_maps || !m->gid_maps))
                r = -EINVAL;
        return r == -EINVAL ? fail_text(EINVAL, "config.json: mounts: %s: option idmap=%s: expected "
                                                "uids=A-B-N[#...];gids=A-B-N[#...]",
                                        m->destination, text) :
                              r;
}

static int resolve(const SpecIdMap *container, size_t n, SpecIdMap *maps, size_t n_maps) {
        for (size_t i = 0; i < n_maps; i++) {
                size_t k = 0;

                if (!maps[i].relative)
                        continue;
                while (k < n && (maps[i].outside < container[k].inside ||
                                 maps[i].outside - container[k].inside >= container[k].size))
                        k++;
                if (k == n || maps[i].size > container[k].size - (maps[i].outside - container[k].inside))
                        return -ERANGE;
                maps[i].outside = container[k].outside + (maps[i].outside - container[k].inside);
                maps[i].relative = false;
        }
        return 0;
}

/** mount_idmap_resolve - turn ids of the container into those of the host. Return: 0, or -errno with a
 * message. */
int mount_idmap_resolve(const Spec *s, SpecMount *m) {
        if (resolve(s->uid_maps, s->n_uid_maps, m->uid_maps, m->n_uid_maps) < 0 ||
            resolve(s->gid_maps, s->n_gid_maps, m->gid_maps, m->n_gid_maps) < 0)
                return fail_text(ERANGE, "config.json: mounts: %s: option idmap: ids that no range of the "
                                         "container's mappings has",
                                 m->destination);
        return 0;
}
