/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "log-lines.h"

#include "../shared/journal-fields.h"

/**
 * log_line_next - cut the next entry off the front of @data.
 * @end_of_stream: nothing will follow, so what is there goes out even without a newline.
 * @partial_before: number of the piece before this one if the line has begun already, else 0.
 *
 * A carriage return before the newline stays: a terminal wrote it and `logs` gives the same bytes back.
 *
 * Return: true and @ret, or false when more input is needed first.
 */
bool log_line_next(const char *data, size_t size, bool end_of_stream, unsigned partial_before,
                   LogLine *ret) {
        const char *newline;

        if (size == 0)
                return false;
        newline = memchr(data, '\n', MIN(size, (size_t) LOG_LINE_MAX + 1));
        if (newline) {
                size_t n = (size_t) (newline - data);

                *ret = (LogLine){ .data = data, .size = n, .consumed = n + 1, .last = true,
                                  .partial = partial_before > 0 ? partial_before + 1 : 0 };
                return true;
        }
        if (size > LOG_LINE_MAX) {
                *ret = (LogLine){ .data = data, .size = LOG_LINE_MAX, .consumed = LOG_LINE_MAX,
                                  .partial = partial_before + 1 };
                return true;
        }
        if (!end_of_stream)
                return false;
        *ret = (LogLine){ .data = data,
                          .size = size,
                          .consumed = size,
                          .partial = partial_before + 1,
                          .last = true,
                          .open = true };
        return true;
}

/** log_line_partial_after - what to pass as partial_before for the entry that follows @line. */
unsigned log_line_partial_after(const LogLine *line) {
        return line->partial > 0 && !line->last ? line->partial : 0;
}
