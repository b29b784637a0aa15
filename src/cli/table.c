/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "table.h"

#include <stdio.h>

#define COLUMN_MIN 10
#define COLUMN_GAP 3

/** table_done - free the cells; safe on a zeroed table. */
void table_done(Table *t) {
        for (size_t i = 0; i < t->n_cells; i++)
                free(t->cells[i]);
        t->cells = mfree(t->cells);
        t->n_cells = 0;
}

/** table_add - the next cell, row by row; control characters become spaces. Return: 0 or -ENOMEM. */
int table_add(Table *t, const char *cell) {
        char **p = reallocarray(t->cells, t->n_cells + 1, sizeof(char *));

        if (!p)
                return -ENOMEM;
        t->cells = p;
        p[t->n_cells] = strdup(cell);
        if (!p[t->n_cells])
                return -ENOMEM;
        for (char *c = p[t->n_cells]; *c; c++)
                if ((unsigned char) *c < 0x20 || *c == 0x7f)
                        *c = ' ';
        t->n_cells++;
        return 0;
}

/* Characters, not bytes: continuation bytes of UTF-8 take no column. */
static size_t columns_of(const char *s) {
        size_t n = 0;

        for (; *s; s++)
                n += ((unsigned char) *s & 0xc0) != 0x80;
        return n;
}

static size_t column_width(const Table *t, size_t column) {
        size_t w = t->column_min > 0 ? t->column_min : COLUMN_MIN;

        for (size_t i = column; i < t->n_cells; i += t->n_columns) {
                size_t n = columns_of(t->cells[i]) + COLUMN_GAP;

                w = MAX(w, n);
        }
        return w;
}

/** table_render - the whole table as text. Return: 0, -ENOMEM, -E2BIG. */
int table_render(const Table *t, Buffer *b) {
        for (size_t i = 0; i < t->n_cells; i++) {
                bool last = i % t->n_columns == t->n_columns - 1;
                size_t pad = last ? 0 : column_width(t, i % t->n_columns) - columns_of(t->cells[i]);
                int r = buffer_appendf(b, "%s%*s%s", t->cells[i], (int) pad, "", last ? "\n" : "");

                if (r < 0)
                        return r;
        }
        return 0;
}

/** table_print - on stdout. */
int table_print(const Table *t) {
        _cleanup_buffer_ Buffer b = BUFFER_INIT(256 * 1024 * 1024);
        int r = table_render(t, &b);

        if (r >= 0 && b.size > 0)
                fwrite(b.data, 1, b.size, stdout);
        return r;
}

/** text_truncate - at most @columns characters, the last of them "…" if something was cut. Return: 0 or
 * -ENOMEM. */
int text_truncate(const char *s, size_t columns, char **ret) {
        const char *p = s;
        size_t n = 0;

        if (columns_of(s) <= columns) {
                *ret = strdup(s);
                return *ret ? 0 : -ENOMEM;
        }
        for (; *p; p++)
                if (((unsigned char) *p & 0xc0) != 0x80 && n++ == columns - 1)
                        break;
        return asprintf(ret, "%.*s…", (int) (p - s), s) < 0 ? -ENOMEM : 0;
}
