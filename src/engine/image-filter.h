/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "error.h"
#include "image/image-store.h"

/* The `filters` of GET /images/json, both notations: {"key":["value"]} and {"key":{"value":true}}. */
typedef struct ImageFilter {
        char **references, **labels;
        int dangling; /* -1: either */
        usec_t after, before; /* strictly between these */
} ImageFilter;

void image_filter_done(ImageFilter *f);
#define _cleanup_image_filter_ _cleanup_(image_filter_done)

int image_filter_parse(ImageStore *s, const char *text, ImageFilter *ret, EngineError *reterr);
/* Drops the names of @i that no `reference` asked for. */
bool image_filter_match(const ImageFilter *f, Image *i);
