/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "macro.h"

/* All take a directory fd (AT_FDCWD allowed) and never follow a symlink in the last component unless said.
 */
int read_file_at(int dir_fd, const char *path, size_t max, char **ret, size_t *ret_size);
int read_fd(int fd, size_t max, char **ret, size_t *ret_size);

typedef enum WriteFlags {
        WRITE_SYNC = 1 << 0,      /* fdatasync the file (and the directory after a rename) */
        WRITE_EXCLUSIVE = 1 << 1, /* -EEXIST if the path exists */
        WRITE_REPLACE = 1 << 2,   /* through a temporary name and rename: readers see old or new */
} WriteFlags;
int write_file_at(int dir_fd, const char *path, const void *data, size_t size, mode_t mode,
                  WriteFlags flags);

int mkdir_parents(const char *path, mode_t mode);
int remove_tree_at(int dir_fd, const char *path);
int write_string_at(int dir_fd, const char *path, const char *value);
