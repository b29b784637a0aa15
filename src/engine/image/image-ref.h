/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "../../basic/macro.h"

/*
 * Image references: [domain/]path[:tag][@digest], normalised as Docker's clients expect (`busybox` is
 * docker.io/library/busybox). Parsing adds no tag; image_ref_default_tag() does.
 */
typedef struct ImageRef {
        char *domain; /* docker.io */
        char *path;   /* library/busybox */
        char *tag;    /* or NULL */
        char *digest; /* sha256:<hex>, or NULL */
} ImageRef;

void image_ref_done(ImageRef *r);
#define _cleanup_image_ref_ _cleanup_(image_ref_done)

/* @ret_error (may be NULL) gets the text for the user when the answer is -EINVAL. */
int image_ref_parse(const char *text, ImageRef *ret, char **ret_error);
int image_ref_default_tag(ImageRef *r);

/* Owned strings, NULL on ENOMEM: busybox:latest · docker.io/library/busybox:latest · busybox */
char *image_ref_familiar(const ImageRef *r);
char *image_ref_canonical(const ImageRef *r);
char *image_ref_familiar_name(const ImageRef *r);
