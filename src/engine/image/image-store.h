/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <json-c/json.h>

#include "../../basic/macro.h"

/*
 * Images on disk (docs/contracts.md section 1). Nothing is kept in memory: each call reads what it needs, so
 * that the engine and any number of workers may use one store at a time.
 */
typedef struct ImageStore ImageStore;

typedef struct Image {
        char *id;            /* sha256:<hex>, the digest of the image's configuration */
        char **repo_tags;    /* familiar: busybox:latest; sorted, never NULL */
        char **repo_digests; /* familiar: busybox@sha256:...; sorted, never NULL */
        usec_t created;      /* 0 when the image does not say */
        char *created_text;  /* as the image says it, or NULL */
        uint64_t size;
        char *architecture;
        char *os;
        char *variant;        /* or NULL */
        char **layers;        /* diff-id hex = names below layers/, bottom first */
        json_object *config;  /* Env Cmd Entrypoint WorkingDir User Labels ExposedPorts Volumes StopSignal
                                 Healthcheck... */
        json_object *content; /* the whole image configuration (history, rootfs, author...) */
        usec_t tagged_at;     /* youngest reference, 0 if none */
} Image;

Image *image_free(Image *i);
DEFINE_CLEANUP_FUNC(Image *, image_free)
#define _cleanup_image_ _cleanup_(image_freep)

int image_store_open(const char *root, ImageStore **ret);
ImageStore *image_store_close(ImageStore *s);
DEFINE_CLEANUP_FUNC(ImageStore *, image_store_close)
#define _cleanup_image_store_ _cleanup_(image_store_closep)

/* name, name:tag, name@digest, full id or a unique prefix of it (at least two hex digits), with or without
 * sha256:. Return: 0, -ENOENT, -EINVAL (bad reference), -ENOTUNIQ (ambiguous prefix), -EUCLEAN (image
 * damaged on disk), -ENOMEM... */
int image_resolve(ImageStore *s, const char *name_or_id, Image **ret);
/* What to tell the user about an error of image_resolve(); owned, NULL on ENOMEM. */
char *image_error_text(const char *name_or_id, int error);

/* All images, youngest first; array ends with NULL. */
int image_list(ImageStore *s, Image ***ret);
Image **image_list_free(Image **l);
DEFINE_CLEANUP_FUNC(Image **, image_list_free)
#define _cleanup_image_list_ _cleanup_(image_list_freep)

/* Let @ref (tag defaults to latest) name the image. -EINVAL with a text in @ret_error for a bad reference.
 */
int image_tag(ImageStore *s, const char *image_id, const char *ref, char **ret_error);

/*
 * Is the image used by a container? With @running only running ones count. On true @ret_container_id points
 * to its id (borrowed, valid until the next call).
 */
typedef bool (*image_in_use_t)(const char *image_id, bool running, const char **ret_container_id,
                               void *userdata);

/*
 * What DELETE /images/{name} does: removes the reference, and the image with its last one. @ret_records:
 * array of
 * {"Untagged": ...} and {"Deleted": ...}. Layers are only listed; `berth-worker rmi-gc` deletes what nothing
 * uses. Return: 1 if there is work for rmi-gc, 0 if not, -ENOENT, -EINVAL, -ENOTUNIQ, -EBUSY (conflict, HTTP
 * 409);
 * @ret_error gets the text for all of them.
 */
int image_remove(ImageStore *s, const char *name_or_id, bool force, image_in_use_t in_use, void *userdata,
                 json_object **ret_records, char **ret_error);
/* Only take the name away; the image stays. */
int image_untag(ImageStore *s, const char *ref);

/* Docker API 1.50 shapes. */
int image_to_inspect_json(ImageStore *s, const Image *i, json_object **ret);
int image_to_summary_json(const Image *i, json_object **ret);
int image_to_history_json(ImageStore *s, const Image *i, json_object **ret);
