/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "image-store.h"

/* The parts of the store among themselves, and for berth-worker, which fills it. Hex digests are 64 digits
 * without sha256:. */
#define DIGEST_HEX       64
#define DIGEST_PREFIX    "sha256:"
#define IMAGE_LAYERS_MAX 125
#define IMAGE_JSON_MAX   (8 * 1024 * 1024)

struct ImageStore {
        int root_fd;
        int images_fd;
        int refs_fd;
        int layers_fd;
        int blobs_fd;
};

typedef enum StoreLock {
        STORE_PUBLISH, /* shared: adding layers, images, references */
        STORE_COLLECT, /* exclusive: removing any */
} StoreLock;
/* Held until the fd is closed. Hold it briefly: the engine takes it in its event loop. */
int store_lock(ImageStore *s, StoreLock how, int *ret_fd);

int store_sync_dir(int dir_fd);

/* @id: sha256:<hex>. Return: the digits, NULL if it is no such id. */
const char *image_id_hex(const char *id);

typedef struct ImageLayer {
        char hex[DIGEST_HEX + 1];
        uint64_t size; /* bytes of the regular files */
} ImageLayer;

/* images/<hex>: what the configuration does not say. Written last, with the image's layers and configuration
 * in place. */
int image_record_write(ImageStore *s, const char *hex, const ImageLayer *layers, size_t n_layers);
int image_record_layers(ImageStore *s, const char *hex, ImageLayer **ret, size_t *ret_n);
/* The size of a layer that some image already has. Return: 0, -ENOENT. */
int image_known_layer_size(ImageStore *s, const char *layer_hex, uint64_t *ret);
/* Calls @f for each image's hex; a negative answer ends it. */
int image_foreach(ImageStore *s, int (*f)(ImageStore *s, const char *hex, void *userdata), void *userdata);
bool image_exists(ImageStore *s, const char *hex);
int image_load(ImageStore *s, const char *hex, Image **ret);

/* References: refs/<escaped> -> hex. */
typedef struct RefEntry {
        char *canonical;
        char hex[DIGEST_HEX + 1];
        usec_t mtime;
} RefEntry;
typedef struct RefList {
        RefEntry *items;
        size_t n;
} RefList;
void ref_list_done(RefList *l);
#define _cleanup_ref_list_ _cleanup_(ref_list_done)
int ref_set(ImageStore *s, const char *canonical, const char *hex);
int ref_get(ImageStore *s, const char *canonical, char ret_hex[DIGEST_HEX + 1]);
int ref_remove(ImageStore *s, const char *canonical);
/* @hex NULL: all of them. Sorted by name. */
int ref_list(ImageStore *s, const char *hex, RefList *ret);
