/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

#include "../../basic/json.h"

/* Names in an image directory. */
#define CRIU_STDIO_FILE "descriptors.json"
#define CRIU_INVENTORY "inventory.img"

/* Where a checkpoint is, and where criu works and logs, which may be the same. Paths are borrowed. */
typedef struct ImageDir {
        const char *path, *work_path;
        int fd, work_fd;
        bool made;    /* by us */
        bool touched; /* there may be images of ours in it */
} ImageDir;

#define IMAGE_DIR_INIT ((ImageDir) { .fd = -EBADF, .work_fd = -EBADF })

void image_dir_done(ImageDir *d);
#define _cleanup_image_dir_ _cleanup_(image_dir_done)

int image_dir_make(const char *path, const char *work_path, const char *log, ImageDir *ret);
int image_dir_open(const char *path, const char *work_path, const char *log, ImageDir *ret);
int image_dir_check_parent(const ImageDir *d, const char *parent);
void image_dir_discard(ImageDir *d);
int image_dir_await_pages(const ImageDir *d);

#define STDIO_NAMES 3
#define STDIO_NAME_MAX 4096

/* What the first process had as stdin, stdout and stderr; "" for what needs nobody's help. */
typedef struct StdioNames {
        char *names[STDIO_NAMES];
} StdioNames;

void stdio_names_done(StdioNames *n);
#define _cleanup_stdio_names_ _cleanup_(stdio_names_done)

int stdio_names_parse(const char *text, size_t size, StdioNames *ret);
int stdio_names_load(const ImageDir *d, StdioNames *ret);
