/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <inttypes.h>

#include "../basic/buffer.h"
#include "../basic/macro.h"

/*
 * An ordered list of key=value: the one text form of shim.conf, of messages and of state.log
 * (docs/contracts.md section 2). Parsed fields point into one owned copy of the text.
 */
#define FIELDS_MAX 512
#define FIELDS_TEXT_MAX (64 * 1024)

typedef struct Field {
        const char *key;
        const char *value;
} Field;

typedef struct Fields {
        Field *items;
        size_t n;
        char *text;
} Fields;

void fields_done(Fields *f);
#define _cleanup_fields_ _cleanup_(fields_done)

int fields_parse(const char *text, size_t size, char separator, Fields *ret);
int fields_load_at(int dir_fd, const char *path, Fields *ret);

const char *fields_get(const Fields *f, const char *key);
const char *fields_get_nth(const Fields *f, const char *key, size_t nth);
int fields_get_u64(const Fields *f, const char *key, uint64_t max, uint64_t *ret);
bool fields_get_bool(const Fields *f, const char *key);
int64_t fields_get_i64_or(const Fields *f, const char *key, int64_t fallback);

/* Writing goes straight into a Buffer (its max bounds the text). */
int fields_put(Buffer *b, char separator, const char *key, const char *value);
int fields_putf(Buffer *b, char separator, const char *key, const char *fmt, ...) _printf_(4, 5);
