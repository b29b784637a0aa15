/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "../../basic/clock.h"
#include "../../basic/fd.h"
#include "../../basic/file.h"
#include "../../basic/json.h"
#include "../../basic/str.h"
#include "blob.h"
#include "image-ref.h"

/*
 * An image is: blobs/sha256/<hex> (its configuration, what the id is the digest of), images/<hex> (the
 * record: sizes of its layers), layers/<diff-id> for each layer, and any number of references. They are made
 * in the order layers, configuration, record, reference, and removed in the other, so that whatever is named
 * is complete at any instant. What a crash leaves behind is garbage nobody names; layer-gc.c collects it.
 */

static int open_dir(int root_fd, const char *path) {
        int fd;

        if (mkdirat(root_fd, path, 0700) < 0 && errno != EEXIST)
                return negative_errno();
        fd = openat(root_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return fd < 0 ? negative_errno() : fd;
}

/**
 * image_store_open - open the store below the state directory @root; missing directories are made.
 *
 * Return: 0 or -errno.
 */
int image_store_open(const char *root, ImageStore **ret) {
        static const char *const paths[] = { "images", "images/refs", "layers", "blobs", "blobs/sha256" };
        _cleanup_image_store_ ImageStore *s = new0(ImageStore, 1);
        int fds[ELEMENTSOF(paths)], r = 0;

        if (!s)
                return -ENOMEM;
        *s = (ImageStore){ -EBADF, -EBADF, -EBADF, -EBADF, -EBADF };
        r = mkdir_parents(root, 0711);
        if (r < 0)
                return r;
        s->root_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (s->root_fd < 0)
                return negative_errno();
        for (size_t i = 0; i < ELEMENTSOF(paths); i++) {
                fds[i] = r >= 0 ? open_dir(s->root_fd, paths[i]) : -EBADF;
                if (fds[i] < 0 && r >= 0)
                        r = fds[i];
        }
        s->images_fd = fds[0];
        s->refs_fd = fds[1];
        s->layers_fd = fds[2];
        (void) safe_close(fds[3]);
        s->blobs_fd = fds[4];
        if (r < 0)
                return r;
        *ret = TAKE_PTR(s);
        return 0;
}

/** image_store_close - free the store; NULL is fine. Return: NULL. */
ImageStore *image_store_close(ImageStore *s) {
        if (!s)
                return NULL;
        (void) safe_close(s->root_fd);
        (void) safe_close(s->images_fd);
        (void) safe_close(s->refs_fd);
        (void) safe_close(s->layers_fd);
        (void) safe_close(s->blobs_fd);
        return mfree(s);
}

/** store_lock - wait for the store's lock; it is held until *@ret_fd is closed. Return: 0 or -errno. */
int store_lock(ImageStore *s, StoreLock how, int *ret_fd) {
        _cleanup_close_ int fd = -EBADF;

        fd = openat(s->images_fd, ".lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
                return negative_errno();
        while (flock(fd, how == STORE_COLLECT ? LOCK_EX : LOCK_SH) < 0)
                if (errno != EINTR)
                        return negative_errno();
        *ret_fd = TAKE_FD(fd);
        return 0;
}

/** store_sync_dir - make the entries of a directory durable. Return: 0 or -errno. */
int store_sync_dir(int dir_fd) {
        return fsync(dir_fd) < 0 ? negative_errno() : 0;
}

/** image_id_hex - see store-internal.h. */
const char *image_id_hex(const char *id) {
        const char *hex = startswith(id, DIGEST_PREFIX);

        return hex && strlen(hex) == DIGEST_HEX && hex_is_valid(hex, DIGEST_HEX) ? hex : NULL;
}

/** image_exists - is there a record of @hex? */
bool image_exists(ImageStore *s, const char *hex) {
        return faccessat(s->images_fd, hex, F_OK, AT_SYMLINK_NOFOLLOW) >= 0;
}

/** image_record_write - write images/<hex>, durable on return; an existing one is replaced. Return: 0 or
 * -errno. */
int image_record_write(ImageStore *s, const char *hex, const ImageLayer *layers, size_t n_layers) {
        _cleanup_json_ json_object *o = json_object_new_object();
        json_object *a = NULL;
        const char *text;
        int r;

        if (!o)
                return -ENOMEM;
        r = json_set(o, "layers", a = json_object_new_array());
        for (size_t i = 0; r >= 0 && i < n_layers; i++) {
                json_object *l = json_object_new_object();

                r = json_add(a, l);
                if (r >= 0)
                        r = json_set_str(l, "diff-id", layers[i].hex);
                if (r >= 0)
                        r = json_set_int(l, "size", (int64_t) layers[i].size);
        }
        if (r < 0)
                return r;
        text = json_text(o);
        return text ? write_file_at(s->images_fd, hex, text, strlen(text), 0600, WRITE_REPLACE | WRITE_SYNC)
                    : -ENOMEM;
}

static int parse_layer(json_object *o, ImageLayer *ret) {
        const char *hex = json_string_or(o, "diff-id", "");
        int64_t size = 0;

        if (strlen(hex) != DIGEST_HEX || !hex_is_valid(hex, DIGEST_HEX) ||
            json_get_int(o, "size", 0, INT64_MAX, &size) <= 0)
                return -EUCLEAN;
        memcpy(ret->hex, hex, sizeof(ret->hex));
        ret->size = (uint64_t) size;
        return 0;
}

/** image_record_layers - layers of image @hex, bottom first; @ret is the caller's. Return: 0, -ENOENT,
 * -EUCLEAN, -errno. */
int image_record_layers(ImageStore *s, const char *hex, ImageLayer **ret, size_t *ret_n) {
        _cleanup_json_ json_object *o = NULL;
        _cleanup_free_ ImageLayer *l = NULL;
        json_object *a;
        size_t n;
        int r;

        r = json_load_at(s->images_fd, hex, IMAGE_JSON_MAX, &o);
        if (r == -EBADMSG || r == -ENODATA)
                return -EUCLEAN;
        if (r < 0)
                return r;
        if (json_get_array(o, "layers", &a) <= 0)
                return -EUCLEAN;
        n = json_object_array_length(a);
        l = new0(ImageLayer, n + 1);
        if (!l)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                r = parse_layer(json_object_array_get_idx(a, i), &l[i]);
                if (r < 0)
                        return r;
        }
        *ret = TAKE_PTR(l);
        *ret_n = n;
        return 0;
}

/** image_foreach - see store-internal.h. Return: 0, or the first negative answer. */
int image_foreach(ImageStore *s, int (*f)(ImageStore *s, const char *hex, void *userdata), void *userdata) {
        struct dirent *de;
        int fd, r = 0;
        DIR *d;

        fd = openat(s->images_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return negative_errno();
        d = fdopendir(fd);
        if (!d) {
                (void) safe_close(fd);
                return negative_errno();
        }
        while (r >= 0 && (de = readdir(d)))
                if (strlen(de->d_name) == DIGEST_HEX && hex_is_valid(de->d_name, DIGEST_HEX))
                        r = f(s, de->d_name, userdata);
        (void) closedir(d);
        return r < 0 ? r : 0;
}

static int find_layer(ImageStore *s, const char *hex, void *userdata) {
        _cleanup_free_ ImageLayer *l = NULL;
        ImageLayer *wanted = userdata;
        size_t n;

        if (image_record_layers(s, hex, &l, &n) < 0)
                return 0;
        for (size_t i = 0; i < n; i++)
                if (streq(l[i].hex, wanted->hex)) {
                        wanted->size = l[i].size;
                        return -EEXIST;
                }
        return 0;
}

/** image_known_layer_size - see store-internal.h. */
int image_known_layer_size(ImageStore *s, const char *layer_hex, uint64_t *ret) {
        ImageLayer l = {};
        int r;

        memcpy(l.hex, layer_hex, sizeof(l.hex));
        r = image_foreach(s, find_layer, &l);
        if (r >= 0)
                return -ENOENT;
        if (r != -EEXIST)
                return r;
        *ret = l.size;
        return 0;
}

/** image_free - NULL is fine. Return: NULL. */
Image *image_free(Image *i) {
        if (!i)
                return NULL;
        free(i->id);
        strv_free(i->repo_tags);
        strv_free(i->repo_digests);
        free(i->created_text);
        free(i->architecture);
        free(i->os);
        free(i->variant);
        strv_free(i->layers);
        json_object_put(i->content);
        return mfree(i);
}

/** image_list_free - NULL is fine. Return: NULL. */
Image **image_list_free(Image **l) {
        for (Image **i = l; i && *i; i++)
                image_free(*i);
        return mfree(l);
}

static int add_refs(Image *i, const char *hex, const RefList *refs) {
        i->repo_tags = new0(char *, 1);
        i->repo_digests = new0(char *, 1);
        if (!i->repo_tags || !i->repo_digests)
                return -ENOMEM;
        for (size_t k = 0; k < refs->n; k++) {
                _cleanup_image_ref_ ImageRef ref = {};
                char *familiar;
                int r;

                if (!streq(refs->items[k].hex, hex))
                        continue;
                r = image_ref_parse(refs->items[k].canonical, &ref, NULL);
                if (r == -EINVAL)
                        continue;
                if (r < 0)
                        return r;
                familiar = image_ref_familiar(&ref);
                if (!familiar)
                        return -ENOMEM;
                r = strv_consume(ref.digest ? &i->repo_digests : &i->repo_tags, familiar);
                if (r < 0)
                        return r;
                i->tagged_at = MAX(i->tagged_at, refs->items[k].mtime);
        }
        return 0;
}

static int copy_text(json_object *o, const char *key, const char *fallback, char **ret) {
        const char *s = json_string_or(o, key, fallback);

        *ret = s ? strdup(s) : NULL;
        return s && !*ret ? -ENOMEM : 0;
}

static int add_content(Image *i) {
        int r;

        r = copy_text(i->content, "architecture", "", &i->architecture);
        if (r >= 0)
                r = copy_text(i->content, "os", "linux", &i->os);
        if (r >= 0)
                r = copy_text(i->content, "variant", NULL, &i->variant);
        if (r >= 0)
                r = copy_text(i->content, "created", NULL, &i->created_text);
        if (r < 0)
                return r;
        if (i->created_text && parse_rfc3339(i->created_text, &i->created) < 0)
                i->created = 0;
        r = json_get_object(i->content, "config", &i->config);
        if (r < 0)
                return -EUCLEAN;
        if (i->config)
                return 0;
        i->config = json_object_new_object();
        return json_set(i->content, "config", i->config);
}

static int load_with_refs(ImageStore *s, const char *hex, const RefList *refs, Image **ret) {
        _cleanup_image_ Image *i = new0(Image, 1);
        _cleanup_free_ ImageLayer *layers = NULL;
        size_t n;
        int r;

        if (!i)
                return -ENOMEM;
        r = image_record_layers(s, hex, &layers, &n);
        if (r < 0)
                return r;
        r = blob_load_json(s, hex, &i->content);
        if (r < 0)
                return r == -ENOENT ? -EUCLEAN : r;
        i->id = str_concat(DIGEST_PREFIX, hex);
        i->layers = new0(char *, 1);
        if (!i->id || !i->layers)
                return -ENOMEM;
        for (size_t k = 0; r >= 0 && k < n; k++) {
                i->size += layers[k].size;
                r = strv_extend(&i->layers, layers[k].hex);
        }
        if (r >= 0)
                r = add_content(i);
        if (r >= 0)
                r = add_refs(i, hex, refs);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(i);
        return 0;
}

/** image_load - the image with digest @hex. Return: 0, -ENOENT, -EUCLEAN, -errno. */
int image_load(ImageStore *s, const char *hex, Image **ret) {
        _cleanup_ref_list_ RefList refs = {};
        int r;

        r = ref_list(s, hex, &refs);
        return r < 0 ? r : load_with_refs(s, hex, &refs, ret);
}

typedef struct PrefixSearch {
        const char *prefix;
        char hex[DIGEST_HEX + 1];
} PrefixSearch;

static int match_prefix(ImageStore *s, const char *hex, void *userdata) {
        PrefixSearch *p = userdata;

        if (!startswith(hex, p->prefix))
                return 0;
        if (p->hex[0])
                return -ENOTUNIQ;
        memcpy(p->hex, hex, sizeof(p->hex));
        return 0;
}

#define ID_PREFIX_MIN 2

static int find_by_prefix(ImageStore *s, const char *name, char ret_hex[DIGEST_HEX + 1]) {
        PrefixSearch p = { .prefix = startswith(name, DIGEST_PREFIX) ?: name };
        size_t n = strlen(p.prefix);
        int r;

        if (n < ID_PREFIX_MIN || n > DIGEST_HEX || !hex_is_valid(p.prefix, n))
                return -ENOENT;
        if (n == DIGEST_HEX) {
                memcpy(ret_hex, p.prefix, DIGEST_HEX + 1);
                return image_exists(s, ret_hex) ? 0 : -ENOENT;
        }
        r = image_foreach(s, match_prefix, &p);
        if (r < 0)
                return r;
        if (!p.hex[0])
                return -ENOENT;
        memcpy(ret_hex, p.hex, sizeof(p.hex));
        return 0;
}

static int find_by_ref(ImageStore *s, const char *name, char ret_hex[DIGEST_HEX + 1]) {
        _cleanup_image_ref_ ImageRef ref = {};
        _cleanup_free_ char *canonical = NULL;
        int r;

        r = image_ref_parse(name, &ref, NULL);
        if (r < 0)
                return r;
        /* With both, the digest is the stronger statement. */
        if (ref.digest)
                ref.tag = mfree(ref.tag);
        r = image_ref_default_tag(&ref);
        canonical = r < 0 ? NULL : image_ref_canonical(&ref);
        if (!canonical)
                return -ENOMEM;
        r = ref_get(s, canonical, ret_hex);
        if (r < 0)
                return r;
        return image_exists(s, ret_hex) ? 0 : -ENOENT;
}

/** image_resolve - see image-store.h. */
int image_resolve(ImageStore *s, const char *name_or_id, Image **ret) {
        bool full = image_id_hex(name_or_id) ||
                    (strlen(name_or_id) == DIGEST_HEX && hex_is_valid(name_or_id, DIGEST_HEX));
        char hex[DIGEST_HEX + 1];
        int r;

        r = full ? find_by_prefix(s, name_or_id, hex) : find_by_ref(s, name_or_id, hex);
        if (r == -ENOENT && !full)
                r = find_by_prefix(s, name_or_id, hex);
        return r < 0 ? r : image_load(s, hex, ret);
}

/** image_error_text - see image-store.h. */
char *image_error_text(const char *name_or_id, int error) {
        _cleanup_image_ref_ ImageRef ref = {};
        _cleanup_free_ char *text = NULL, *familiar = NULL;
        int r;

        if (error == -ENOTUNIQ)
                return str_printf("image ID %s is ambiguous: several images begin with it", name_or_id);
        if (error == -EUCLEAN)
                return str_printf("image %s is damaged on disk: remove it with force and load it again",
                                  name_or_id);
        if (error != -ENOENT && error != -EINVAL)
                return str_printf("cannot read image %s: %s", name_or_id, strerror(-error));
        r = image_ref_parse(name_or_id, &ref, &text);
        if (r == -ENOMEM)
                return NULL;
        if (error == -EINVAL)
                return r == -EINVAL ? TAKE_PTR(text) : str_printf("invalid reference format");
        if (r >= 0 && !image_id_hex(name_or_id) && image_ref_default_tag(&ref) >= 0)
                familiar = image_ref_familiar(&ref);
        return str_concat("No such image: ", familiar ?: name_or_id);
}

typedef struct ListBuild {
        Image **items;
        size_t n;
        RefList refs;
} ListBuild;

static int list_add(ImageStore *s, const char *hex, void *userdata) {
        ListBuild *b = userdata;
        Image **p, *i;
        int r;

        r = load_with_refs(s, hex, &b->refs, &i);
        /* Removed meanwhile, or damaged: one bad image must not hide the others. */
        if (r == -ENOENT || r == -EUCLEAN)
                return 0;
        if (r < 0)
                return r;
        p = reallocarray(b->items, b->n + 2, sizeof(*p));
        if (!p) {
                image_free(i);
                return -ENOMEM;
        }
        b->items = p;
        p[b->n++] = i;
        p[b->n] = NULL;
        return 0;
}

static int younger_first(const void *a, const void *b) {
        const Image *x = *(Image *const *) a, *y = *(Image *const *) b;

        if (x->created != y->created)
                return x->created < y->created ? 1 : -1;
        return strcmp(x->id, y->id);
}

/** image_list - see image-store.h. */
int image_list(ImageStore *s, Image ***ret) {
        ListBuild b = { .items = new0(Image *, 1) };
        int r;

        if (!b.items)
                return -ENOMEM;
        r = ref_list(s, NULL, &b.refs);
        if (r >= 0)
                r = image_foreach(s, list_add, &b);
        ref_list_done(&b.refs);
        if (r < 0) {
                image_list_free(b.items);
                return r;
        }
        if (b.n > 1)
                qsort(b.items, b.n, sizeof(*b.items), younger_first);
        *ret = b.items;
        return 0;
}
