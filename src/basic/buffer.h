/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>

#include "macro.h"

/*
 * A growing byte buffer that cannot be made without a maximum. Invariants: data[size] is NUL once anything
 * was appended, size <= max. After an error the buffer holds what it held before.
 */
typedef struct Buffer {
        char *data;
        size_t size;
        size_t allocated;
        size_t max;
} Buffer;

#define BUFFER_INIT(_max) ((Buffer) { .max = (_max) })

void buffer_done(Buffer *b);
#define _cleanup_buffer_ _cleanup_(buffer_done)

int buffer_reserve(Buffer *b, size_t more);
int buffer_append(Buffer *b, const void *data, size_t size);
int buffer_append_str(Buffer *b, const char *s);
int buffer_appendf(Buffer *b, const char *fmt, ...) _printf_(2, 3);
void buffer_consume(Buffer *b, size_t size);
char *buffer_take(Buffer *b);
