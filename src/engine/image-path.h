/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "image/image-store.h"

/* What an image holds at an absolute path, without mounting it. */
typedef enum ImagePathKind {
        IMAGE_PATH_ABSENT,
        IMAGE_PATH_EMPTY_DIR,
        IMAGE_PATH_DIR, /* with something in it */
        IMAGE_PATH_OTHER,
} ImagePathKind;

int image_path_kind(const Image *image, const char *path, ImagePathKind *ret);
