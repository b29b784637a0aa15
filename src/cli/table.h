/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>

#include "../basic/buffer.h"

/* Left-aligned columns as docker prints them: 10 or more wide, 3 spaces between, the last one as long as it
 * is. */
typedef struct Table {
        char **cells; /* row after row, owned */
        size_t n_columns;
        size_t n_cells;
        size_t column_min; /* 0: 10 */
} Table;

void table_done(Table *t);
#define _cleanup_table_ _cleanup_(table_done)
int table_add(Table *t, const char *cell);
int table_render(const Table *t, Buffer *b);
int table_print(const Table *t);

int text_truncate(const char *s, size_t columns, char **ret);
