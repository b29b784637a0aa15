/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where the host's root cannot be pivoted away its mounts stay in our mount namespace, out of sight. The
 * kernel lets whoever makes a user namespace mount a bare proc or sysfs if the mount namespace has one
 * already: so those of the host must go, or masked and read-only paths would be worth nothing.
 */
#include "hide-host.h"

#include <fcntl.h>

#include "../../basic/file.h"
#include "../../basic/str.h"
#include "../error.h"
#include "../kernel-call.h"

#define MOUNTINFO     "/proc/self/mountinfo"
#define MOUNTINFO_MAX (16 * 1024 * 1024)

/* "\040" and the like. */
static void unescape(char *s) {
        char *to = s;

        for (const char *p = s; *p; to++) {
                bool octal = p[0] == '\\' && p[1] >= '0' && p[1] <= '3' && p[2] >= '0' && p[2] <= '7' &&
                             p[3] >= '0' && p[3] <= '7';

                *to = octal ? (char) ((p[1] - '0') << 6 | (p[2] - '0') << 3 | (p[3] - '0')) : *p;
                p += octal ? 4 : 1;
        }
        *to = 0;
}

/* One line of mountinfo, taken apart in place. */
static bool parse_line(char *line, char **ret_point, const char **ret_type) {
        char *type = strstr(line, " - "), *p = line, *end;

        for (unsigned field = 0; p && field < 4; field++) {
                p = strchr(p, ' ');
                p = p ? p + 1 : NULL;
        }
        end = p ? strchr(p, ' ') : NULL;
        if (!type || !end)
                return false;
        *ret_type = type + 3;
        *ret_point = p;
        type[3 + strcspn(type + 3, " ")] = 0;
        *end = 0;
        unescape(p);
        return true;
}

static bool is_inside(const char *point, const char *root) {
        const char *rest = startswith(point, root);

        return rest && (!*rest || *rest == '/');
}

/* What is under another mount is not found by its path; but then nothing that is found hangs on it. */
static int cut_off(const char *point) {
        if (sys_mount(NULL, point, NULL, MS_SLAVE, NULL) >= 0 || errno == EINVAL || errno == ENOENT)
                return 0;
        return fail_errno(errno, "propagation of %s", point);
}

static int hide(const char *point) {
        if (sys_umount2(point, MNT_DETACH_FLAG) >= 0)
                return 0;
        /* Locked by a user namespace: then nobody in it can take the cover away either. */
        if ((errno == EINVAL || errno == EPERM) &&
            sys_mount("tmpfs", point, "tmpfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC,
                      "size=0k,nr_inodes=2") >= 0)
                return 0;
        /* Under another mount, where no path leads. */
        return errno == ENOENT || errno == ENOTDIR ? 0 : fail_errno(errno, "hide the host's %s", point);
}

static bool is_listed(char **points, const char *point) {
        for (; points && *points; points++)
                if (streq(*points, point))
                        return true;
        return false;
}

/**
 * hide_host_views - take away the host's proc and sysfs from the mount namespace we are in.
 * @rootfs: what is mounted below this path stays.
 * @shared: mounts may be peers of the host's, which keeps what it has.
 *
 * Return: 0, or -errno with a message.
 */
int hide_host_views(const char *rootfs, bool shared) {
        _cleanup_strv_ char **lines = NULL, **views = NULL;
        _cleanup_free_ char *text = NULL;
        int r;

        r = read_file_at(AT_FDCWD, MOUNTINFO, MOUNTINFO_MAX, &text, NULL);
        if (r >= 0)
                r = strv_split(text, '\n', &lines);
        if (r < 0)
                return fail_errno(r, "read " MOUNTINFO);
        for (char **l = lines; *l; l++) {
                const char *type;
                char *point;

                if (!parse_line(*l, &point, &type) || is_inside(point, rootfs))
                        continue;
                r = shared ? cut_off(point) : 0;
                /* And whatever covers one, or only the cover would be taken away. */
                if (r >= 0 && (streq(type, "proc") || streq(type, "sysfs") || is_listed(views, point)))
                        r = strv_extend(&views, point);
                if (r < 0)
                        return r;
        }
        /* What lies on top was mounted later. */
        for (size_t n = views ? strv_length(views) : 0; r >= 0 && n > 0; n--)
                r = hide(views[n - 1]);
        return r < 0 ? r : 0;
}

/**
 * root_is_mounted_on_nothing - whether / is what the kernel began with, as in an initial RAM disk: it is the
 * mount that names itself as the one it is mounted on.
 */
bool root_is_mounted_on_nothing(void) {
        _cleanup_free_ char *text = NULL;

        if (read_file_at(AT_FDCWD, MOUNTINFO, MOUNTINFO_MAX, &text, NULL) < 0)
                return false;
        for (const char *l = text; *l;) {
                size_t id = strcspn(l, " \n"), parent = l[id] == ' ' ? strcspn(l + id + 1, " \n") : 0;

                if (id > 0 && id == parent && strncmp(l, l + id + 1, id) == 0)
                        return true;
                l = strchrnul(l, '\n');
                l += *l == '\n';
        }
        return false;
}
