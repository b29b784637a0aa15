/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "buffer.h"

#include <stdarg.h>
#include <stdio.h>

/** buffer_done - free the bytes; the buffer may be used again. */
void buffer_done(Buffer *b) {
        b->data = mfree(b->data);
        b->size = b->allocated = 0;
}

/** buffer_reserve - room for @more bytes and a NUL. Return: 0, -E2BIG over the maximum, -ENOMEM. */
int buffer_reserve(Buffer *b, size_t more) {
        size_t need, want;
        char *p;

        if (more > b->max || b->size > b->max - more)
                return -E2BIG;
        need = b->size + more + 1;
        if (need <= b->allocated)
                return 0;
        want = MAX(need, MIN(b->allocated * 2, b->max + 1));
        p = realloc(b->data, want);
        if (!p)
                return -ENOMEM;
        b->data = p;
        b->allocated = want;
        return 0;
}

/** buffer_append - copy @size bytes to the end. Return: 0, -E2BIG, -ENOMEM. */
int buffer_append(Buffer *b, const void *data, size_t size) {
        int r = buffer_reserve(b, size);

        if (r < 0)
                return r;
        if (size > 0)
                memcpy(b->data + b->size, data, size);
        b->size += size;
        b->data[b->size] = 0;
        return 0;
}

/** buffer_append_str - append the characters of @s. */
int buffer_append_str(Buffer *b, const char *s) {
        return buffer_append(b, s, strlen(s));
}

/** buffer_appendf - append printf style. Return: 0, -E2BIG, -ENOMEM. */
int buffer_appendf(Buffer *b, const char *fmt, ...) {
        _cleanup_free_ char *s = NULL;
        va_list ap;
        int n;

        va_start(ap, fmt);
        n = vasprintf(&s, fmt, ap);
        va_end(ap);
        if (n < 0) {
                s = NULL;
                return -ENOMEM;
        }
        return buffer_append(b, s, (size_t) n);
}

/** buffer_consume - drop @size bytes from the front. */
void buffer_consume(Buffer *b, size_t size) {
        assert(size <= b->size);
        if (size == 0)
                return;
        memmove(b->data, b->data + size, b->size - size);
        b->size -= size;
        b->data[b->size] = 0;
}

/** buffer_take - give the NUL-terminated bytes to the caller, NULL if nothing was ever appended. */
char *buffer_take(Buffer *b) {
        char *p = TAKE_PTR(b->data);

        b->size = b->allocated = 0;
        return p;
}
