/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "../../basic/buffer.h"

/*
 * As much of the protocol buffers' wire format as talking to criu takes: numbers, and bytes with a length
 * (text, or a message within a message).
 */
int pb_add_number(Buffer *b, unsigned field, uint64_t value);
int pb_add_bytes(Buffer *b, unsigned field, const void *data, size_t size);
int pb_add_text(Buffer *b, unsigned field, const char *text);

typedef struct PbField {
        unsigned number;
        uint64_t value;   /* of a number */
        const char *data; /* of bytes: borrowed from the message; NULL for a number */
        size_t size;
} PbField;

typedef struct PbReader {
        const char *p, *end;
} PbReader;

int pb_next(PbReader *r, PbField *ret);
