/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <limits.h>
#include <time.h>

#include "member-name.h"
#include "tar-stream.h"

/*
 * Writes the members of one layer into one directory, as overlayfs wants a lower layer: whiteouts become 0:0
 * character devices, opaque directories get trusted.overlay.opaque. Never leaves the directory, whatever the
 * names and links say.
 */
typedef struct DirTime {
        char *path;
        struct timespec mtime;
} DirTime;

typedef struct LayerWriter {
        int root_fd;
        char *parent; /* the directory that is open, "" for the root */
        int parent_fd;
        DirTime *dirs; /* their times are set last, since every member made in them changes them */
        size_t n_dirs, allocated_dirs;
        uint64_t size;        /* bytes of regular files */
        uint64_t until_check; /* bytes until free space is looked at again */
        char error[8 * 1024];
} LayerWriter;

/* @root_fd is borrowed. */
int layer_writer_init(LayerWriter *w, int root_fd);
void layer_writer_done(LayerWriter *w);
#define _cleanup_layer_writer_ _cleanup_(layer_writer_done)

/* Return: 0, -EBADMSG (bad archive) or another -errno; w->error says what and where. */
int layer_writer_add(LayerWriter *w, TarStream *t, struct archive_entry *e);
int layer_writer_finish(LayerWriter *w);
