/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* linux.cgroupsPath as the systemd driver reads it: SLICE:PREFIX:NAME. */
#include "systemd-name.h"

#include "../../basic/str.h"
#include "../error.h"

#define UNIT_NAME_MAX 255

/** scope_name_done - release both names. */
void scope_name_done(ScopeName *n) {
        free(n->slice);
        free(n->unit);
        *n = (ScopeName) {};
}

static bool unit_is_valid(const char *s, const char *suffix) {
        size_t n = strlen(s);

        return n > strlen(suffix) && n <= UNIT_NAME_MAX && endswith(s, suffix) && s[0] != '.' &&
               s[0] != '@' &&
               strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:-_.\\@") == n;
}

/* A dash divides the levels of slices, so each must have a name. */
static bool slice_is_valid(const char *s) {
        if (streq(s, "-.slice"))
                return true;
        return unit_is_valid(s, ".slice") && s[0] != '-' && !strstr(s, "--") && !strstr(s, "-.slice");
}

/* Return: whether @path has exactly three parts, where empty ones count, or two, the second of which is a
 * scope's full name. */
static bool split(char *path, const char *ret[3]) {
        char *colon = strchr(path, ':');

        if (colon && !strchr(colon + 1, ':') && endswith(colon + 1, ".scope")) {
                *colon = 0;
                ret[0] = path;
                ret[1] = "";
                ret[2] = colon + 1;
                return true;
        }
        for (unsigned i = 0; i < 3; i++) {
                char *end = strchr(path, ':');

                if (!end != (i == 2))
                        return false;
                ret[i] = path;
                if (end) {
                        *end = 0;
                        path = end + 1;
                }
        }
        return true;
}

static int fill(const char *path, const char *const parts[3], bool user, ScopeName *n) {
        if (isempty(parts[0]))
                n->slice = strdup(user ? "user.slice" : "system.slice");
        else
                n->slice = strdup(streq(parts[0], "-") ? "-.slice" : parts[0]);
        if (endswith(parts[2], ".slice"))
                return fail_text(
                                EOPNOTSUPP,
                                "config.json: linux.cgroupsPath: \"%s\": a container in a .slice of its own "
                                "is not supported",
                                path);
        /* As crun has it: without a prefix there is no dash, and a scope's full name is taken as it is. */
        if (endswith(parts[2], ".scope"))
                n->unit = strdup(parts[2]);
        else if (isempty(parts[1]))
                n->unit = str_concat(parts[2], ".scope");
        else
                n->unit = str_concat(parts[1], "-", parts[2], ".scope");
        if (!n->slice || !n->unit)
                return -ENOMEM;
        if (!slice_is_valid(n->slice))
                return fail_text(EINVAL,
                                 "config.json: linux.cgroupsPath: \"%s\": \"%s\" is not the name of a slice",
                                 path, n->slice);
        if (isempty(parts[2]) || !unit_is_valid(n->unit, ".scope"))
                return fail_text(EINVAL,
                                 "config.json: linux.cgroupsPath: \"%s\": \"%s\" is not the name of a scope",
                                 path, n->unit);
        return 0;
}

/* The one character that an id may have and the name of a unit may not; written as systemd escapes it. */
static char *standard_path(const char *id) {
        char *path = strdup(":berth-runtime:");

        for (const char *p = id; path && *p;) {
                size_t n = strcspn(p, "+");
                char *longer = str_printf("%s%.*s%s", path, (int) n, p, p[n] ? "\\x2b" : "");

                free(path);
                path = longer;
                p += n + (p[n] != 0);
        }
        return path;
}

/**
 * scope_name_parse - the slice and the scope for a container.
 * @cgroups_path: may be NULL or empty: then the scope is berth-runtime-ID.scope.
 * @user: of a user's manager, whose default slice is user.slice instead of system.slice.
 *
 * Return: 0, -EINVAL or -EOPNOTSUPP with a message.
 */
int scope_name_parse(const char *cgroups_path, const char *id, bool user, ScopeName *ret) {
        _cleanup_scope_name_ ScopeName n = {};
        _cleanup_free_ char *standard = NULL, *copy = NULL;
        const char *path = cgroups_path, *parts[3];
        int r;

        if (isempty(path)) {
                path = standard = standard_path(id);
                if (!path)
                        return -ENOMEM;
        }
        copy = strdup(path);
        if (!copy)
                return -ENOMEM;
        if (!split(copy, parts))
                return fail_text(EINVAL,
                                 "config.json: linux.cgroupsPath: \"%s\": with the systemd cgroup driver it "
                                 "has the form slice:prefix:name",
                                 path);
        r = fill(path, parts, user, &n);
        if (r < 0)
                return r;
        *ret = n;
        n = (ScopeName) {};
        return 0;
}

/**
 * scope_name_cgroup - where systemd, the system's, has the cgroup of a unit: a-b.slice is below a.slice.
 * @ret: owned by the caller.
 */
int scope_name_cgroup(const char *slice, const char *unit, char **ret) {
        size_t length = strlen(slice) - strlen(".slice");
        _cleanup_free_ char *path = strdup("");

        for (size_t n = 1; path && n <= length && !streq(slice, "-.slice"); n++) {
                char *longer;

                if (n < length && slice[n] != '-')
                        continue;
                longer = str_printf("%s/%.*s.slice", path, (int) n, slice);
                free(path);
                path = longer;
        }
        *ret = path ? str_concat(path, "/", unit) : NULL;
        return *ret ? 0 : -ENOMEM;
}
