/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "../../basic/hashmap.h"
#include "store-internal.h"

/*
 * A staging directory layers/.new-<hex>, private to one worker: whatever it makes lies there until a rename
 * publishes it. Its flock says that the worker lives; staging_open() removes those of dead ones.
 */
typedef struct Staging {
        int parent_fd; /* borrowed: layers/ */
        int fd;
        char name[32];
} Staging;
#define STAGING_INIT ((Staging){ -EBADF, -EBADF, "" })

int staging_open(ImageStore *s, Staging *ret);
void staging_done(Staging *g);
#define _cleanup_staging_ _cleanup_(staging_done)

bool layer_exists(ImageStore *s, const char *hex);
/* Rename the finished directory @name of @g to layers/<hex>; under STORE_PUBLISH. -EEXIST: somebody else
 * made the same. */
int layer_publish(ImageStore *s, Staging *g, const char *name, const char *hex);

/* Layers in use: a set of hex strings (owned). */
typedef struct LayerMarks {
        Hashmap *set;
        char **strings;
        size_t n;
} LayerMarks;
void layer_marks_done(LayerMarks *m);
#define _cleanup_layer_marks_ _cleanup_(layer_marks_done)
bool layer_is_marked(const LayerMarks *m, const char *hex);
/* By all images but @except (may be NULL), and by all containers. */
int layer_mark_used(ImageStore *s, const char *except, LayerMarks *m);

/* Move unused layers and configurations and dangling references out of the way (atomic), then delete them.
 */
int layer_collect(ImageStore *s);
