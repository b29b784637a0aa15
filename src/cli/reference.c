/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "reference.h"

#include "../basic/str.h"

/** reference_done - free the parts; safe on a zeroed one. */
void reference_done(Reference *r) {
        r->name = mfree(r->name);
        r->tag = mfree(r->tag);
}

/**
 * reference_parse - "busybox" is docker.io/library/busybox; a registry in front stays; a digest beats the
 * tag.
 *
 * Return: 0, -EINVAL for an empty name, a bad tag, or upper-case letters in the path, -ENOMEM.
 */
int reference_parse(const char *s, Reference *ret) {
        const char *at = strchrnul(s, '@'), *slash, *tag, *path;
        _cleanup_free_ char *whole = strndup(s, (size_t) (at - s));
        _cleanup_reference_ Reference ref = {};
        bool registry;
        char *colon;

        if (!whole)
                return -ENOMEM;
        slash = strrchr(whole, '/');
        colon = strrchr(slash ? slash : whole, ':');
        tag = NULL;
        if (colon) {
                *colon = 0;
                tag = colon + 1;
                if (!*tag ||
                    strspn(tag, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") !=
                                    strlen(tag))
                        return -EINVAL;
        }
        if (*at)
                tag = at + 1;
        slash = strchr(whole, '/');
        registry = slash &&
                   (memchr(whole, '.', (size_t) (slash - whole)) ||
                    memchr(whole, ':', (size_t) (slash - whole)) || startswith(whole, "localhost/"));
        path = registry ? slash + 1 : whole;
        if (!*path || strspn(path, "abcdefghijklmnopqrstuvwxyz0123456789_.-/") != strlen(path))
                return -EINVAL;
        ref.name = registry ? strdup(whole) : str_concat("docker.io/", slash ? "" : "library/", whole);
        ref.tag = tag ? strdup(tag) : NULL;
        if (!ref.name || (tag && !ref.tag))
                return -ENOMEM;
        *ret = ref;
        ref = (Reference){};
        return 0;
}
