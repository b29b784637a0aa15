/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "../basic/buffer.h"
#include "../basic/macro.h"

#define DETACH_KEYS_MAX 16
#define DETACH_KEYS_DEFAULT "ctrl-p,ctrl-q"

typedef struct DetachKeys {
        uint8_t keys[DETACH_KEYS_MAX];
        uint8_t n;
        uint8_t matched; /* so many bytes of the sequence are held back */
} DetachKeys;

int detach_keys_parse(const char *text, DetachKeys *ret);
int detach_keys_filter(DetachKeys *d, const char *data, size_t size, Buffer *out);
