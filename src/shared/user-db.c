/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "user-db.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../basic/fd.h"
#include "../basic/file.h"
#include "../basic/str.h"

#define DATABASE_MAX (8 * 1024 * 1024)
#define ID_MAX INT32_MAX

/** user_identity_done - free all. */
void user_identity_done(UserIdentity *u) {
        u->groups = mfree(u->groups);
        u->home = mfree(u->home);
        u->n_groups = 0;
}

/* Whole text of a file of the other root; "" when there is none. The image may hold a fifo there: never wait
 * for it. */
static int read_database(int root_fd, const char *path, char **ret) {
        struct open_how how = {
                .flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
                .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
        };
        _cleanup_close_ int fd = (int) syscall(SYS_openat2, root_fd, path, &how, sizeof(how));
        struct stat st;

        if (fd < 0) {
                if (errno != ENOENT && errno != ENOTDIR && errno != ELOOP)
                        return negative_errno();
                *ret = strdup("");
                return *ret ? 0 : -ENOMEM;
        }
        if (fstat(fd, &st) < 0)
                return negative_errno();
        if (!S_ISREG(st.st_mode))
                return -EINVAL;
        return read_fd(fd, DATABASE_MAX, ret, NULL);
}

/* Splits the next line of *@text at colons into @fields (missing ones are ""). Return: false at the end. */
static bool next_entry(char **text, char **fields, size_t n_fields) {
        char *line = *text;
        size_t n;

        if (!*line)
                return false;
        n = strcspn(line, "\n");
        *text = line + n + (line[n] == '\n');
        line[n] = 0;
        for (size_t i = 0; i < n_fields; i++) {
                fields[i] = line;
                line += strcspn(line, ":");
                if (*line)
                        *line++ = 0;
        }
        return true;
}

static bool parse_id(const char *s, uint32_t *ret) {
        uint64_t v;

        if (parse_u64(s, ID_MAX, &v) < 0)
                return false;
        *ret = (uint32_t) v;
        return true;
}

/* Return: 1 when an entry matched (its name is in @ret_name), 0 when not, -errno. */
static int find_user(int root_fd, const char *wanted, UserIdentity *u, char **ret_name) {
        _cleanup_free_ char *text = NULL;
        char *rest, *f[7];
        uint32_t number = 0;
        bool numeric = isempty(wanted) || parse_id(wanted, &number);
        int r;

        r = read_database(root_fd, "etc/passwd", &text);
        if (r < 0)
                return r;
        rest = text;
        while (next_entry(&rest, f, ELEMENTSOF(f))) {
                uint32_t uid, gid;

                if (!f[0][0] || f[0][0] == '#' || !parse_id(f[2], &uid) || !parse_id(f[3], &gid))
                        continue;
                if (!(wanted[0] && streq(f[0], wanted)) && !(numeric && uid == number))
                        continue;
                u->uid = uid;
                u->gid = gid;
                free(u->home);
                u->home = strdup(f[5][0] ? f[5] : "/");
                *ret_name = strdup(f[0]);
                return u->home && *ret_name ? 1 : -ENOMEM;
        }
        return 0;
}

static bool list_has(const char *list, const char *name) {
        size_t n = strlen(name);

        while (*list) {
                size_t size = strcspn(list, ",");

                if (size == n && memcmp(list, name, n) == 0)
                        return true;
                list += size + (list[size] == ',');
        }
        return false;
}

static int add_group(UserIdentity *u, uint32_t gid) {
        uint32_t *p;

        for (size_t i = 0; i < u->n_groups; i++)
                if (u->groups[i] == gid)
                        return 0;
        if (u->n_groups >= USER_GROUPS_MAX)
                return -E2BIG;
        p = reallocarray(u->groups, u->n_groups + 1, sizeof(uint32_t));
        if (!p)
                return -ENOMEM;
        u->groups = p;
        u->groups[u->n_groups++] = gid;
        return 0;
}

static int add_memberships(const char *database, const char *name, UserIdentity *u) {
        _cleanup_free_ char *text = strdup(database);
        char *rest = text, *f[4];
        uint32_t gid;

        if (!text)
                return -ENOMEM;
        while (next_entry(&rest, f, ELEMENTSOF(f)))
                if (f[0][0] && list_has(f[3], name) && parse_id(f[2], &gid)) {
                        int r = add_group(u, gid);

                        if (r < 0)
                                return r;
                }
        return 0;
}

/* By name first, then by number, whether or not the file knows the number. Return: 0, -ENOENT, -ENOMEM. */
static int find_group(const char *database, const char *wanted, uint32_t *ret) {
        _cleanup_free_ char *text = strdup(database);
        char *rest = text, *f[4];

        if (!text)
                return -ENOMEM;
        while (next_entry(&rest, f, ELEMENTSOF(f)))
                if (f[0][0] && streq(f[0], wanted) && parse_id(f[2], ret))
                        return 0;
        return parse_id(wanted, ret) ? 0 : -ENOENT;
}

static int fail(char **ret_error, int error, const char *what, const char *name, const char *file) {
        *ret_error = str_printf("unable to find %s %s: no matching entries in %s file", what, name, file);
        return error;
}

static int resolve_groups(int root_fd, const char *group, const char *name, char *const *extra,
                          UserIdentity *u, char **ret_error) {
        _cleanup_free_ char *text = NULL;
        int r;

        if (isempty(group) && isempty(name) && (!extra || !extra[0]))
                return 0;
        r = read_database(root_fd, "etc/group", &text);
        if (r < 0)
                return r;
        /* An explicit group stands alone, as with Docker. */
        if (!isempty(group)) {
                r = find_group(text, group, &u->gid);
                if (r == -ENOENT)
                        return fail(ret_error, r, "group", group, "group");
        } else if (!isempty(name))
                r = add_memberships(text, name, u);
        for (; r >= 0 && extra && *extra; extra++) {
                uint32_t gid;

                r = find_group(text, *extra, &gid);
                if (r == -ENOENT)
                        return fail(ret_error, r, "group", *extra, "group");
                if (r >= 0)
                        r = add_group(u, gid);
        }
        return r;
}

/**
 * user_identity_resolve - see user-db.h. @root_fd: O_PATH is enough. @ret and @ret_error are owned by the
 * caller.
 *
 * Return: 0; -ENOENT: no such user or group; -EINVAL: malformed @spec or database; -ENOMEM and errors of
 * reading.
 */
int user_identity_resolve(int root_fd, const char *spec, char *const *extra_groups, UserIdentity *ret,
                          char **ret_error) {
        _cleanup_user_identity_ UserIdentity u = {};
        _cleanup_free_ char *user = strdup(strempty(spec)), *name = NULL;
        char *group;
        int r;

        *ret_error = NULL;
        if (!user)
                return -ENOMEM;
        group = strchr(user, ':');
        if (group)
                *group++ = 0;
        u.home = strdup("/");
        if (!u.home)
                return -ENOMEM;
        r = find_user(root_fd, user, &u, &name);
        if (r < 0)
                return r;
        if (r == 0 && user[0] && !parse_id(user, &u.uid))
                return fail(ret_error, -ENOENT, "user", user, "passwd");
        r = resolve_groups(root_fd, group, name, extra_groups, &u, ret_error);
        if (r < 0)
                return r;
        *ret = u;
        u = (UserIdentity){};
        return 0;
}
