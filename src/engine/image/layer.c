/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "layer.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "../../basic/fd.h"
#include "../../basic/file.h"
#include "../../basic/str.h"

#define STAGING_PREFIX ".new-"

/* The directory may have been taken for stale between its making and the lock: the lock counts only on what
 * still has its name. */
static int staging_lock(Staging *g) {
        struct stat a, b;

        if (flock(g->fd, LOCK_EX | LOCK_NB) < 0)
                return errno == EWOULDBLOCK ? -EAGAIN : negative_errno();
        if (fstat(g->fd, &a) < 0)
                return negative_errno();
        if (fstatat(g->parent_fd, g->name, &b, AT_SYMLINK_NOFOLLOW) < 0)
                return errno == ENOENT ? -EAGAIN : negative_errno();
        return a.st_ino == b.st_ino && a.st_dev == b.st_dev ? 0 : -EAGAIN;
}

static int staging_try(Staging *g) {
        char hex[17];
        int r;

        r = random_hex(8, hex);
        if (r < 0)
                return r;
        (void) snprintf(g->name, sizeof(g->name), STAGING_PREFIX "%s", hex);
        if (mkdirat(g->parent_fd, g->name, 0700) < 0)
                return errno == EEXIST ? -EAGAIN : negative_errno();
        g->fd = openat(g->parent_fd, g->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        r = g->fd < 0 ? negative_errno() : staging_lock(g);
        if (r < 0) {
                g->fd = safe_close(g->fd);
                (void) unlinkat(g->parent_fd, g->name, AT_REMOVEDIR);
        }
        return r == -ENOENT ? -EAGAIN : r;
}

/* Removes one leftover if its maker is dead. */
static int remove_if_stale(int parent_fd, const char *name) {
        _cleanup_close_ int fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

        if (fd < 0)
                return errno == ENOENT ? 0 : negative_errno();
        if (flock(fd, LOCK_EX | LOCK_NB) < 0)
                return errno == EWOULDBLOCK ? 0 : negative_errno();
        return remove_tree_at(parent_fd, name);
}

static int remove_stale(int layers_fd) {
        int fd, r = 0, first = 0;
        struct dirent *de;
        DIR *d;

        fd = openat(layers_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return negative_errno();
        d = fdopendir(fd);
        if (!d) {
                (void) safe_close(fd);
                return negative_errno();
        }
        while ((de = readdir(d))) {
                if (!startswith(de->d_name, STAGING_PREFIX))
                        continue;
                r = remove_if_stale(layers_fd, de->d_name);
                if (r < 0 && first == 0)
                        first = r;
        }
        (void) closedir(d);
        return first;
}

/**
 * staging_open - make a staging directory, after removing what dead workers left.
 *
 * Return: 0 or -errno.
 */
int staging_open(ImageStore *s, Staging *ret) {
        Staging g = STAGING_INIT;
        int r;

        /* Leftovers cost space only; not being able to remove them must not stop new work. */
        (void) remove_stale(s->layers_fd);
        g.parent_fd = s->layers_fd;
        for (unsigned i = 0; i < 8; i++) {
                r = staging_try(&g);
                if (r != -EAGAIN)
                        break;
        }
        if (r < 0)
                return r;
        *ret = g;
        return 0;
}

/** staging_done - remove the directory with all in it; safe on STAGING_INIT. */
void staging_done(Staging *g) {
        if (g->fd < 0)
                return;
        (void) remove_tree_at(g->parent_fd, g->name);
        g->fd = safe_close(g->fd);
}

/** layer_exists - is there a complete layer @hex? */
bool layer_exists(ImageStore *s, const char *hex) {
        return faccessat(s->layers_fd, hex, F_OK, AT_SYMLINK_NOFOLLOW) >= 0;
}

/** layer_publish - see layer.h. Return: 0, -EEXIST, -errno. */
int layer_publish(ImageStore *s, Staging *g, const char *name, const char *hex) {
        if (renameat2(g->fd, name, s->layers_fd, hex, RENAME_NOREPLACE) < 0)
                return negative_errno();
        return store_sync_dir(s->layers_fd);
}
