/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Tars made in memory, honest or not: names and links are written exactly as given. */
typedef struct TarBuilder {
        struct archive *archive;
        char *data;
        size_t used;
} TarBuilder;

void tar_begin(TarBuilder *b, const char *filter);
void tar_file(TarBuilder *b, const char *name, const char *content);
void tar_blob(TarBuilder *b, const char *name, const void *content, size_t size);
void tar_special(TarBuilder *b, const char *name, mode_t type_and_mode, const char *symlink, unsigned major,
                 unsigned minor);
void tar_hardlink(TarBuilder *b, const char *name, const char *target);
void tar_owned(TarBuilder *b, const char *name, mode_t mode, uid_t uid, gid_t gid, time_t mtime,
               const char *content);
void tar_xattr(TarBuilder *b, const char *name, const char *key, const void *value, size_t size);
/* Ends it: @b->data, @b->used; free() the data. */
void tar_end(TarBuilder *b);
