/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>

#include "../../basic/fd.h"
#include "../../basic/json.h"
#include "../../basic/str.h"
#include "blob.h"
#include "image-ref.h"
#include "layer.h"

/*
 * DELETE /images/{name} as Docker's clients know it. By reference: the reference goes, and with the last one
 * the image, unless a container still uses it. By id: only if the image has at most one name, or by force
 * with all of them.
 */
#define SHORT_ID 12

typedef struct Removal {
        ImageStore *store;
        Image *image;
        char hex[DIGEST_HEX + 1];
        RefList refs;
        bool force;
        image_in_use_t in_use;
        void *userdata;
        json_object *records;
        char *error;
} Removal;

static int add_record(Removal *x, const char *what, const char *value) {
        json_object *o = json_object_new_object();
        int r = json_add(x->records, o);

        return r < 0 ? r : json_set_str(o, what, value);
}

static int conflict(Removal *x, char *text) {
        x->error = text;
        return text ? -EBUSY : -ENOMEM;
}

static const char *user(Removal *x, bool running) {
        const char *id;

        return x->in_use && x->in_use(x->image->id, running, &id, x->userdata) ? id : NULL;
}

/* One reference in all, or one tag and digests of the same repository. */
static bool has_one_name(const RefList *l) {
        size_t tags = 0;

        for (size_t i = 0; i < l->n; i++)
                if (!strchr(l->items[i].canonical, '@'))
                        tags++;
        return tags <= 1;
}

static int drop_ref(Removal *x, size_t k) {
        _cleanup_image_ref_ ImageRef ref = {};
        _cleanup_free_ char *familiar = NULL;
        RefEntry *e = &x->refs.items[k];
        int r;

        r = ref_remove(x->store, e->canonical);
        if (r < 0 && r != -ENOENT)
                return r;
        r = image_ref_parse(e->canonical, &ref, NULL);
        if (r < 0)
                return r;
        familiar = image_ref_familiar(&ref);
        r = familiar ? add_record(x, "Untagged", familiar) : -ENOMEM;
        free(e->canonical);
        memmove(e, e + 1, (x->refs.n - k - 1) * sizeof(*e));
        x->refs.n--;
        return r;
}

/* Digest references of a repository leave with its last tag. */
static int drop_digests_of(Removal *x, const ImageRef *ref) {
        _cleanup_free_ char *repo = str_concat(ref->domain, "/", ref->path);
        int r = 0;

        if (!repo)
                return -ENOMEM;
        for (size_t i = 0; i < x->refs.n; i++) {
                const char *rest = startswith(x->refs.items[i].canonical, repo);

                if (rest && rest[0] == ':')
                        return 0;
        }
        for (size_t i = x->refs.n; r >= 0 && i > 0; i--) {
                const char *rest = startswith(x->refs.items[i - 1].canonical, repo);

                if (rest && rest[0] == '@')
                        r = drop_ref(x, i - 1);
        }
        return r;
}

static int add_layer_records(Removal *x) {
        _cleanup_layer_marks_ LayerMarks m = {};
        char chain[IMAGE_LAYERS_MAX + 1][DIGEST_HEX + 1];
        size_t n = strv_length(x->image->layers);
        int r;

        r = layer_mark_used(x->store, x->hex, &m);
        /* The list is for show; a container that cannot be read must not keep an image from being removed.
         */
        if (r < 0 || n > IMAGE_LAYERS_MAX)
                return 0;
        for (size_t i = 0; r >= 0 && i < n; i++) {
                char both[2 * (DIGEST_HEX + sizeof(DIGEST_PREFIX)) + 2];

                if (i == 0) {
                        memcpy(chain[0], x->image->layers[0], DIGEST_HEX + 1);
                        continue;
                }
                (void) snprintf(both, sizeof(both), DIGEST_PREFIX "%s " DIGEST_PREFIX "%s", chain[i - 1],
                                x->image->layers[i]);
                r = sha256_hex(both, strlen(both), chain[i]);
        }
        for (size_t i = n; r >= 0 && i > 0; i--) {
                char id[sizeof(DIGEST_PREFIX) + DIGEST_HEX];

                if (layer_is_marked(&m, x->image->layers[i - 1]))
                        continue;
                (void) snprintf(id, sizeof(id), DIGEST_PREFIX "%s", chain[i - 1]);
                r = add_record(x, "Deleted", id);
        }
        return r;
}

/* Record first: from then on nothing names the layers. */
static int delete_image(Removal *x) {
        int r;

        if (unlinkat(x->store->images_fd, x->hex, 0) < 0 && errno != ENOENT)
                return negative_errno();
        r = store_sync_dir(x->store->images_fd);
        if (r >= 0 && unlinkat(x->store->blobs_fd, x->hex, 0) < 0 && errno != ENOENT)
                r = negative_errno();
        if (r >= 0)
                r = add_record(x, "Deleted", x->image->id);
        return r < 0 ? r : add_layer_records(x);
}

static int check_hard(Removal *x) {
        const char *id = user(x, true);

        return id ? conflict(x,
                             str_printf("conflict: unable to delete %.*s (cannot be forced) - image is being used by "
                                        "running container %.*s",
                                        SHORT_ID, x->hex, SHORT_ID, id))
                  : 0;
}

static int check_soft(Removal *x) {
        const char *id;

        if (x->force)
                return 0;
        id = user(x, false);
        return id ? conflict(x,
                             str_printf("conflict: unable to delete %.*s (must be forced) - image is being used by "
                                        "stopped container %.*s",
                                        SHORT_ID, x->hex, SHORT_ID, id))
                  : 0;
}

static int remove_by_id(Removal *x) {
        int r;

        r = check_hard(x);
        if (r >= 0 && !x->force && !has_one_name(&x->refs))
                r = conflict(x,
                             str_printf("conflict: unable to delete %.*s (must be forced) - image is referenced in "
                                        "multiple repositories",
                                        SHORT_ID, x->hex));
        if (r >= 0)
                r = check_soft(x);
        while (r >= 0 && x->refs.n > 0)
                r = drop_ref(x, 0);
        return r < 0 ? r : delete_image(x);
}

static int remove_by_ref(Removal *x, const char *name, ImageRef *ref) {
        _cleanup_free_ char *canonical = image_ref_canonical(ref);
        const char *id;
        size_t k = 0;
        int r;

        if (!canonical)
                return -ENOMEM;
        while (k < x->refs.n && !streq(x->refs.items[k].canonical, canonical))
                k++;
        if (k == x->refs.n)
                return -ENOENT;
        if (!x->force && has_one_name(&x->refs) && (id = user(x, false)))
                return conflict(x,
                                str_printf("conflict: unable to remove repository reference \"%s\" (must force) - "
                                           "container %.*s is using its referenced image %.*s",
                                           name, SHORT_ID, id, SHORT_ID, x->hex));
        r = drop_ref(x, k);
        if (r >= 0 && !ref->digest)
                r = drop_digests_of(x, ref);
        if (r < 0 || x->refs.n > 0)
                return r;
        /* The name is gone, which is what was asked; a container that still uses the image keeps it, without
         * a name. */
        if (user(x, true) || (!x->force && user(x, false)))
                return 0;
        return delete_image(x);
}

static int remove_locked(Removal *x, const char *name) {
        _cleanup_image_ref_ ImageRef ref = {};
        _cleanup_free_ char *canonical = NULL;
        char hex[DIGEST_HEX + 1];
        int r;

        r = image_resolve(x->store, name, &x->image);
        if (r < 0)
                return r;
        memcpy(x->hex, image_id_hex(x->image->id), sizeof(x->hex));
        r = ref_list(x->store, x->hex, &x->refs);
        if (r < 0)
                return r;
        /* A name that is an id prefix as well resolves as a name: the same order here. */
        if (!image_id_hex(name) && image_ref_parse(name, &ref, NULL) >= 0) {
                if (ref.digest)
                        ref.tag = mfree(ref.tag);
                r = image_ref_default_tag(&ref);
                canonical = r < 0 ? NULL : image_ref_canonical(&ref);
                if (!canonical)
                        return -ENOMEM;
                if (ref_get(x->store, canonical, hex) >= 0)
                        return remove_by_ref(x, name, &ref);
        }
        return remove_by_id(x);
}

static int remove_damaged(Removal *x, const char *name) {
        const char *id = image_id_hex(name);
        _cleanup_image_ref_ ImageRef ref = {};
        _cleanup_free_ char *canonical = NULL;
        int r = 0;

        if (id)
                memcpy(x->hex, id, sizeof(x->hex));
        else {
                r = image_ref_parse(name, &ref, NULL);
                if (r >= 0)
                        r = image_ref_default_tag(&ref);
                canonical = r < 0 ? NULL : image_ref_canonical(&ref);
                r = canonical ? ref_get(x->store, canonical, x->hex) : -EUCLEAN;
        }
        if (r < 0)
                return -EUCLEAN;
        r = ref_list(x->store, x->hex, &x->refs);
        while (r >= 0 && x->refs.n > 0)
                r = drop_ref(x, 0);
        if (r >= 0 && unlinkat(x->store->images_fd, x->hex, 0) < 0 && errno != ENOENT)
                r = negative_errno();
        return r;
}

/** image_remove - see image-store.h. */
int image_remove(ImageStore *s, const char *name_or_id, bool force, image_in_use_t in_use, void *userdata,
                 json_object **ret_records, char **ret_error) {
        Removal x = { .store = s, .force = force, .in_use = in_use, .userdata = userdata };
        _cleanup_close_ int lock = -EBADF;
        int r;

        x.records = json_object_new_array();
        r = x.records ? store_lock(s, STORE_COLLECT, &lock) : -ENOMEM;
        if (r >= 0)
                r = remove_locked(&x, name_or_id);
        if (r == -EUCLEAN && force)
                r = remove_damaged(&x, name_or_id);
        if (r >= 0)
                r = !image_exists(s, x.hex);
        if (r < 0)
                *ret_error = x.error ?: image_error_text(name_or_id, r);
        else
                *ret_records = TAKE_PTR(x.records);
        json_object_put(x.records);
        ref_list_done(&x.refs);
        image_free(x.image);
        return r;
}

/** image_untag - only take the name away. Return: 0, -ENOENT, -EINVAL, -errno. */
int image_untag(ImageStore *s, const char *ref) {
        _cleanup_image_ref_ ImageRef parsed = {};
        _cleanup_free_ char *canonical = NULL;
        int r;

        r = image_ref_parse(ref, &parsed, NULL);
        if (r >= 0)
                r = image_ref_default_tag(&parsed);
        if (r < 0)
                return r;
        canonical = image_ref_canonical(&parsed);
        return canonical ? ref_remove(s, canonical) : -ENOMEM;
}

static int refuse(char **ret_error, const char *text) {
        *ret_error = strdup(text);
        return *ret_error ? -EINVAL : -ENOMEM;
}

/** image_tag - see image-store.h. Return: 0, -ENOENT, -EINVAL, -errno. */
int image_tag(ImageStore *s, const char *image_id, const char *ref, char **ret_error) {
        _cleanup_image_ref_ ImageRef parsed = {};
        _cleanup_free_ char *canonical = NULL;
        _cleanup_close_ int lock = -EBADF;
        const char *hex = image_id_hex(image_id);
        int r;

        r = image_ref_parse(ref, &parsed, ret_error);
        if (r < 0)
                return r;
        if (parsed.digest)
                return refuse(ret_error, "refusing to create a tag with a digest reference");
        r = image_ref_default_tag(&parsed);
        canonical = r < 0 ? NULL : image_ref_canonical(&parsed);
        if (!canonical)
                return -ENOMEM;
        r = store_lock(s, STORE_PUBLISH, &lock);
        if (r < 0)
                return r;
        if (!hex || !image_exists(s, hex))
                return -ENOENT;
        r = ref_set(s, canonical, hex);
        return r == -ENAMETOOLONG ? refuse(ret_error, "invalid reference format: the reference is too long")
                                  : r;
}
