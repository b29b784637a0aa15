/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "../../basic/fd.h"
#include "../../basic/file.h"
#include "../../basic/str.h"
#include "../../shared/fields.h"
#include "layer.h"

/*
 * Garbage collection by marking: a layer lives while an image's record or a container's shim.conf names it.
 * Whatever cannot be read stops the collection: deleting is only right when everything that could refer is
 * known. What is to go is renamed into a staging directory under the exclusive lock (fast) and deleted after
 * it is released (slow).
 */

/** layer_marks_done - free; safe on a zeroed set. */
void layer_marks_done(LayerMarks *m) {
        hashmap_free(m->set);
        strv_free(m->strings);
        *m = (LayerMarks){};
}

/** layer_is_marked - is @hex in use? */
bool layer_is_marked(const LayerMarks *m, const char *hex) {
        return m->set && hashmap_get(m->set, hex);
}

static int mark(LayerMarks *m, const char *hex) {
        char **l, *copy;
        int r;

        if (layer_is_marked(m, hex))
                return 0;
        copy = strdup(hex);
        l = copy ? reallocarray(m->strings, m->n + 2, sizeof(char *)) : NULL;
        if (!l) {
                free(copy);
                return -ENOMEM;
        }
        m->strings = l;
        l[m->n++] = copy;
        l[m->n] = NULL;
        if (!m->set)
                m->set = hashmap_new();
        r = m->set ? hashmap_put(m->set, copy, copy) : -ENOMEM;
        return r;
}

typedef struct MarkImages {
        LayerMarks *marks;
        const char *except;
} MarkImages;

static int mark_image(ImageStore *s, const char *hex, void *userdata) {
        _cleanup_free_ ImageLayer *layers = NULL;
        MarkImages *mi = userdata;
        size_t n;
        int r;

        if (streq_ptr(hex, mi->except))
                return 0;
        r = image_record_layers(s, hex, &layers, &n);
        if (r == -ENOENT)
                return 0;
        for (size_t i = 0; r >= 0 && i < n; i++)
                r = mark(mi->marks, layers[i].hex);
        return r;
}

static int mark_container(int containers_fd, const char *id, LayerMarks *m) {
        _cleanup_free_ char *path = str_concat(id, "/shim.conf");
        _cleanup_fields_ Fields f = {};
        int r = 0;

        if (!path)
                return -ENOMEM;
        r = fields_load_at(containers_fd, path, &f);
        /* A container without description was never created, or is just being removed. */
        if (r == -ENOENT || r == -ENOTDIR)
                return 0;
        for (size_t i = 0; r >= 0 && i < f.n; i++)
                if (streq(f.items[i].key, "lower"))
                        r = mark(m, f.items[i].value);
        return r;
}

static int mark_containers(ImageStore *s, LayerMarks *m) {
        struct dirent *de;
        int fd, r = 0;
        DIR *d;

        fd = openat(s->root_fd, "containers", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return errno == ENOENT ? 0 : negative_errno();
        d = fdopendir(fd);
        if (!d) {
                (void) safe_close(fd);
                return negative_errno();
        }
        while (r >= 0 && (de = readdir(d)))
                if (de->d_name[0] != '.')
                        r = mark_container(dirfd(d), de->d_name, m);
        (void) closedir(d);
        return r;
}

/** layer_mark_used - see layer.h. Return: 0 or -errno, in which case the marks are not complete. */
int layer_mark_used(ImageStore *s, const char *except, LayerMarks *m) {
        MarkImages mi = { m, except };
        int r;

        r = image_foreach(s, mark_image, &mi);
        return r < 0 ? r : mark_containers(s, m);
}

/* Does the entry @name of its directory stay? */
typedef bool (*keep_t)(ImageStore *s, const LayerMarks *m, const char *name);

static bool keep_layer(ImageStore *s, const LayerMarks *m, const char *name) {
        (void) s;
        return strlen(name) != DIGEST_HEX || !hex_is_valid(name, DIGEST_HEX) || layer_is_marked(m, name);
}

static bool keep_blob(ImageStore *s, const LayerMarks *m, const char *name) {
        (void) m;
        /* A blob's temporary file belongs to a worker that is writing it now, or is garbage of a crash: as
         * long as the exclusive lock is held nobody is. */
        return image_exists(s, name);
}

static bool keep_ref(ImageStore *s, const LayerMarks *m, const char *name) {
        char target[DIGEST_HEX + 1] = "";

        (void) m;
        return readlinkat(s->refs_fd, name, target, DIGEST_HEX) == DIGEST_HEX && name[0] != '.' &&
               image_exists(s, target);
}

static int move_garbage(ImageStore *s, const LayerMarks *m, int dir_fd, keep_t keep, Staging *g) {
        struct dirent *de;
        int fd, r = 0;
        DIR *d;

        fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return negative_errno();
        d = fdopendir(fd);
        if (!d) {
                (void) safe_close(fd);
                return negative_errno();
        }
        while (r >= 0 && (de = readdir(d))) {
                if (streq(de->d_name, ".") || streq(de->d_name, "..") || keep(s, m, de->d_name))
                        continue;
                if (renameat(dir_fd, de->d_name, g->fd, de->d_name) < 0 && errno != ENOENT)
                        r = negative_errno();
        }
        (void) closedir(d);
        return r;
}

static int collect_locked(ImageStore *s, Staging *g) {
        _cleanup_layer_marks_ LayerMarks m = {};
        _cleanup_close_ int lock = -EBADF;
        int r;

        r = store_lock(s, STORE_COLLECT, &lock);
        if (r >= 0)
                r = layer_mark_used(s, NULL, &m);
        if (r >= 0)
                r = move_garbage(s, &m, s->refs_fd, keep_ref, g);
        if (r >= 0)
                r = move_garbage(s, &m, s->blobs_fd, keep_blob, g);
        if (r >= 0)
                r = move_garbage(s, &m, s->layers_fd, keep_layer, g);
        return r;
}

/**
 * layer_collect - delete everything nobody refers to.
 *
 * Return: 0 or -errno; after an error what was found so far is deleted all the same.
 */
int layer_collect(ImageStore *s) {
        _cleanup_staging_ Staging g = STAGING_INIT;
        int r;

        r = staging_open(s, &g);
        return r < 0 ? r : collect_locked(s, &g);
}
