/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* An image name as the user writes it, in the parts that the API wants. */
typedef struct Reference {
        char *name; /* with registry: docker.io/library/busybox */
        char *tag;  /* "latest", or a digest "sha256:..."; NULL: none given */
} Reference;

int reference_parse(const char *s, Reference *ret);
void reference_done(Reference *r);
#define _cleanup_reference_ _cleanup_(reference_done)
