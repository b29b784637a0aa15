/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../basic/fd.h"
#include "../basic/file.h"
#include "../basic/str.h"
#include "setup.h"

/*
 * `user`, `uid`, `user:group`, `uid:gid` against the image's own passwd and group, as Docker does it: a name must exist, a
 * number need not. The files are opened with RESOLVE_IN_ROOT, an image may well have symlinks there.
 */
#define ID_MAX 2147483647ULL
#define DATABASE_MAX (4 * 1024 * 1024)
#define GROUPS_MAX 1024

static int read_in_root(Setup *s, const char *path, char **ret) {
        struct open_how how = { .flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };
        _cleanup_close_ int fd = (int) syscall(SYS_openat2, s->root_fd, path, &how, sizeof(how));
        size_t size;

        if (fd < 0) {
                *ret = NULL;
                return errno == ENOENT || errno == ENOTDIR ? 0 : negative_errno();
        }
        return read_fd(fd, DATABASE_MAX, ret, &size);
}

/* Cut a line of n colon-separated fields up in place. Return: how many there are. */
static size_t split_line(char *line, char *ret[], size_t max) {
        size_t n = 0;

        while (n < max) {
                char *colon = strchr(line, ':');

                ret[n++] = line;
                if (!colon)
                        break;
                *colon = 0;
                line = colon + 1;
        }
        return n;
}

static char *next_line(char **p) {
        char *line = *p;

        if (!line || !*line)
                return NULL;
        *p = line + strcspn(line, "\n");
        if (**p)
                *(*p)++ = 0;
        return line;
}

/** user_ids_done - free it. */
void user_ids_done(UserIds *u) {
        u->groups = mfree(u->groups);
        u->home = mfree(u->home);
}

static int add_group(UserIds *u, gid_t gid) {
        gid_t *p;

        for (size_t i = 0; i < u->n_groups; i++)
                if (u->groups[i] == gid)
                        return 0;
        if (u->n_groups >= GROUPS_MAX)
                return -E2BIG;
        p = reallocarray(u->groups, u->n_groups + 1, sizeof(gid_t));
        if (!p)
                return -ENOMEM;
        u->groups = p;
        u->groups[u->n_groups++] = gid;
        return 0;
}

/* Return: 1 found (and @name is set, borrowed from @passwd), 0 not. */
static int find_passwd(char *passwd, const char *user, bool number, uint64_t uid, UserIds *u, const char **ret_name) {
        char *line, *f[7], *p = passwd;

        while ((line = next_line(&p))) {
                size_t n = split_line(line, f, 7);
                uint64_t id, gid;

                if (n < 4 || parse_u64(f[2], ID_MAX, &id) < 0 || parse_u64(f[3], ID_MAX, &gid) < 0)
                        continue;
                if (!streq(f[0], user) && !(number && id == uid))
                        continue;
                u->uid = (uid_t) id;
                u->gid = (gid_t) gid;
                *ret_name = f[0];
                u->home = n > 5 ? strdup(f[5]) : NULL;
                return 1;
        }
        return 0;
}

static bool is_member(char *members, const char *name) {
        while (members && *members) {
                size_t n = strcspn(members, ",");

                if (n == strlen(name) && strncmp(members, name, n) == 0)
                        return true;
                members += n + (members[n] == ',');
        }
        return false;
}

/* One pass: the wanted group's gid, and the groups @name is in. */
static int read_groups(char *text, const char *wanted, bool number, uint64_t gid, const char *name, UserIds *u, bool *found) {
        char *line, *f[4], *p = text;

        while ((line = next_line(&p))) {
                uint64_t id;
                size_t n;
                int r;

                n = split_line(line, f, 4);
                if (n < 3 || parse_u64(f[2], ID_MAX, &id) < 0)
                        continue;
                if (wanted && !*found && (streq(f[0], wanted) || (number && id == gid))) {
                        u->gid = (gid_t) id;
                        *found = true;
                }
                if (!wanted && name && n > 3 && is_member(f[3], name)) {
                        r = add_group(u, (gid_t) id);
                        if (r < 0)
                                return r;
                }
        }
        return 0;
}

static int resolve_user(Setup *s, const char *user, UserIds *u, char **ret_name) {
        _cleanup_free_ char *passwd = NULL;
        const char *name = NULL;
        bool number;
        uint64_t uid = 0;
        int r;

        r = read_in_root(s, "etc/passwd", &passwd);
        if (r < 0)
                return r;
        number = parse_u64(user, ID_MAX, &uid) >= 0;
        if (!passwd || find_passwd(passwd, user, number, uid, u, &name) == 0) {
                if (!number)
                        return setup_fail(s, -ENOENT, 126, "unable to find user %s: no matching entries in passwd file", user);
                u->uid = (uid_t) uid;
                return 0;
        }
        *ret_name = strdup(name);
        return *ret_name ? 0 : -ENOMEM;
}

/**
 * user_resolve - look @user (may be empty: root) up in the container's root.
 *
 * Return: 0 or -errno with the user's message noted (-ENOENT: no such user or group).
 */
int user_resolve(Setup *s, const char *user, UserIds *ret) {
        _cleanup_free_ char *copy = strdup(user), *name = NULL, *group_file = NULL;
        char *group;
        uint64_t gid = 0;
        bool number = false, found = false;
        UserIds u = {};
        int r;

        if (!copy)
                return -ENOMEM;
        group = strchr(copy, ':');
        if (group)
                *group++ = 0;
        r = resolve_user(s, copy[0] ? copy : "0", &u, &name);
        if (r >= 0)
                r = read_in_root(s, "etc/group", &group_file);
        if (r >= 0 && group && *group) {
                number = parse_u64(group, ID_MAX, &gid) >= 0;
                if (group_file)
                        r = read_groups(group_file, group, number, gid, NULL, &u, &found);
                if (r >= 0 && !found && !number)
                        r = setup_fail(s, -ENOENT, 126, "unable to find group %s: no matching entries in group file", group);
                if (r >= 0 && !found)
                        u.gid = (gid_t) gid;
        } else if (r >= 0 && group_file)
                r = read_groups(group_file, NULL, false, 0, name, &u, &found);
        if (r >= 0 && !u.home)
                u.home = strdup("/");
        if (r < 0) {
                user_ids_done(&u);
                return r;
        }
        *ret = u;
        return 0;
}
