/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "layer-writer.h"

#define OPAQUE_XATTR "trusted.overlay.opaque"

/* One member on its way in. */
typedef struct Member {
        struct archive_entry *entry;
        char *path;       /* clean, relative to the layer's root */
        const char *name; /* last component, points into path */
        int parent_fd;    /* borrowed from the writer */
} Member;

/* Sets w->error for the member and returns @error. */
int member_fail(LayerWriter *w, const Member *m, int error, const char *fmt, ...) _printf_(4, 5);

/* Opens the directory of @path below the root; makes missing ones. @ret_name: last component, points into
 * @path. */
int writer_open_parent(LayerWriter *w, const Member *m, const char *path, bool make, const char **ret_name);
/* Removes what has the member's name. With @keep_dir a directory stays. Return: 1 if a directory stayed, 2
 * if a whiteout went. */
int writer_make_room(LayerWriter *w, const Member *m, bool keep_dir);

/* .wh. names. Return: 1 if the member was one and is done, 0 if it is an ordinary member, -errno. */
int whiteout_add(LayerWriter *w, Member *m);
int whiteout_set_opaque(LayerWriter *w, const Member *m, int dir_fd);

/* Owner, mode, extended attributes, times, in the order the kernel wants. @fd: the open file or directory.
 */
int metadata_apply_fd(LayerWriter *w, const Member *m, int fd, bool times);
/* For symlinks and nodes, by name. */
int metadata_apply_at(LayerWriter *w, const Member *m, bool with_mode);
