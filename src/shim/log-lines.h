/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "../basic/macro.h"

/* One journal entry's worth of output: a whole line, or a piece of a long or unterminated one. */
typedef struct LogLine {
        const char *data; /* into the caller's bytes, without the newline */
        size_t size;
        size_t consumed; /* bytes of input it stands for: size, plus one for a newline */
        unsigned partial; /* 0: a whole line; else number of the piece, from 1 */
        bool last; /* the last piece */
        bool open; /* no newline came before the end of the stream */
} LogLine;

bool log_line_next(const char *data, size_t size, bool end_of_stream, unsigned partial_before, LogLine *ret);
unsigned log_line_partial_after(const LogLine *line);
