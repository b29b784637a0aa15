/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "store-internal.h"

/* blobs/sha256/<hex>: small content-addressed files (configurations, manifests). */
int sha256_hex(const void *data, size_t size, char ret[DIGEST_HEX + 1]);
int blob_write(ImageStore *s, const char *hex, const void *data, size_t size);
/* Verified and parsed. Return: 0, -ENOENT, -EUCLEAN if it is not what its name says. */
int blob_load_json(ImageStore *s, const char *hex, json_object **ret);
