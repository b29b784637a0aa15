/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <termios.h>

typedef struct Terminal {
        struct termios saved;
        bool raw;
} Terminal;

int terminal_set_raw(Terminal *t);
void terminal_restore(Terminal *t);
int terminal_size(unsigned *ret_rows, unsigned *ret_columns);

/* Watches typed bytes for the keys that detach; bytes that may begin the sequence are held back. */
#define DETACH_KEYS_MAX 16
typedef struct DetachKeys {
        char keys[DETACH_KEYS_MAX];
        size_t n;
        size_t matched;
} DetachKeys;

int detach_keys_parse(const char *s, DetachKeys *ret);
bool detach_keys_filter(DetachKeys *d, const char *in, size_t size, char *out, size_t *ret_size);
