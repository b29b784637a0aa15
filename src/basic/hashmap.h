/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>

#include "macro.h"

/* String-keyed map; keys are borrowed and must live as long as their entry (usually inside the value).
 * Values are borrowed. */
typedef struct Hashmap Hashmap;

Hashmap *hashmap_new(void);
Hashmap *hashmap_free(Hashmap *h);
DEFINE_CLEANUP_FUNC(Hashmap *, hashmap_free)
#define _cleanup_hashmap_ _cleanup_(hashmap_freep)

int hashmap_put(Hashmap *h, const char *key, void *value);
void *hashmap_get(const Hashmap *h, const char *key);
void *hashmap_remove(Hashmap *h, const char *key);
size_t hashmap_size(const Hashmap *h);

/* Iteration: start with 0; do not change the map meanwhile. Return: false at the end. */
bool hashmap_next(const Hashmap *h, size_t *position, const char **ret_key, void **ret_value);
