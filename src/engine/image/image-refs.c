/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "../../basic/fd.h"
#include "../../basic/str.h"
#include "store-internal.h"

/*
 * A reference is a symlink whose name is the canonical reference with `/` written as `+` (which no reference
 * contains) and whose target is the image's hex digest: setting one is symlink + rename, so readers see the
 * old or the new image.
 */

static char *escape(const char *canonical) {
        char *s = strdup(canonical);

        for (char *p = s; p && *p; p++)
                if (*p == '/')
                        *p = '+';
        return s;
}

static char *unescape(const char *name) {
        char *s = strdup(name);

        for (char *p = s; p && *p; p++)
                if (*p == '+')
                        *p = '/';
        return s;
}

static int read_target(ImageStore *s, const char *name, char ret_hex[DIGEST_HEX + 1]) {
        char target[DIGEST_HEX + 2];
        ssize_t n = readlinkat(s->refs_fd, name, target, sizeof(target));

        if (n < 0)
                return errno == EINVAL ? -ENOENT : negative_errno();
        if (n != DIGEST_HEX)
                return -ENOENT;
        target[n] = 0;
        if (!hex_is_valid(target, DIGEST_HEX))
                return -ENOENT;
        memcpy(ret_hex, target, DIGEST_HEX + 1);
        return 0;
}

/** ref_set - let @canonical name the image @hex, durable on return. Return: 0, -ENAMETOOLONG or -errno. */
int ref_set(ImageStore *s, const char *canonical, const char *hex) {
        _cleanup_free_ char *name = escape(canonical);
        char tmp[] = ".new-0123456789abcdef";
        int r;

        if (!name)
                return -ENOMEM;
        r = random_hex(8, tmp + 5);
        if (r < 0)
                return r;
        if (symlinkat(hex, s->refs_fd, tmp) < 0)
                return negative_errno();
        if (renameat(s->refs_fd, tmp, s->refs_fd, name) < 0) {
                r = negative_errno();
                (void) unlinkat(s->refs_fd, tmp, 0);
                return r;
        }
        return store_sync_dir(s->refs_fd);
}

/** ref_get - which image @canonical names. Return: 0, -ENOENT, -errno. */
int ref_get(ImageStore *s, const char *canonical, char ret_hex[DIGEST_HEX + 1]) {
        _cleanup_free_ char *name = escape(canonical);
        int r;

        if (!name)
                return -ENOMEM;
        r = read_target(s, name, ret_hex);
        return r == -ENAMETOOLONG ? -ENOENT : r;
}

/** ref_remove - take the name away. Return: 0, -ENOENT, -errno. */
int ref_remove(ImageStore *s, const char *canonical) {
        _cleanup_free_ char *name = escape(canonical);

        if (!name)
                return -ENOMEM;
        return unlinkat(s->refs_fd, name, 0) < 0 ? negative_errno() : 0;
}

/** ref_list_done - free a list; safe on a zeroed one. */
void ref_list_done(RefList *l) {
        for (size_t i = 0; i < l->n; i++)
                free(l->items[i].canonical);
        free(l->items);
        *l = (RefList){};
}

static int add(RefList *l, ImageStore *s, const char *name, const char *hex) {
        struct stat st;
        RefEntry *e;

        if (fstatat(s->refs_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return errno == ENOENT ? 0 : negative_errno();
        e = reallocarray(l->items, l->n + 1, sizeof(*e));
        if (!e)
                return -ENOMEM;
        l->items = e;
        e += l->n;
        *e = (RefEntry){ .canonical = unescape(name),
                         .mtime = (usec_t) st.st_mtim.tv_sec * USEC_PER_SEC +
                                  (usec_t) st.st_mtim.tv_nsec / 1000 };
        if (!e->canonical)
                return -ENOMEM;
        memcpy(e->hex, hex, sizeof(e->hex));
        l->n++;
        return 0;
}

static int compare(const void *a, const void *b) {
        return strcmp(((const RefEntry *) a)->canonical, ((const RefEntry *) b)->canonical);
}

/** ref_list - the references of image @hex, or all if NULL, sorted. Return: 0 or -errno. */
int ref_list(ImageStore *s, const char *hex, RefList *ret) {
        _cleanup_ref_list_ RefList l = {};
        _cleanup_close_ int fd = -EBADF;
        struct dirent *de;
        int r = 0;
        DIR *d;

        fd = openat(s->refs_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return negative_errno();
        d = fdopendir(fd);
        if (!d)
                return negative_errno();
        (void) TAKE_FD(fd);
        while (r >= 0 && (de = readdir(d))) {
                char target[DIGEST_HEX + 1];

                if (de->d_name[0] == '.' || read_target(s, de->d_name, target) < 0)
                        continue;
                if (!hex || streq(hex, target))
                        r = add(&l, s, de->d_name, target);
        }
        (void) closedir(d);
        if (r < 0)
                return r;
        if (l.n > 1)
                qsort(l.items, l.n, sizeof(*l.items), compare);
        *ret = l;
        l = (RefList){};
        return 0;
}
