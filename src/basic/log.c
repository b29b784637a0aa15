/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "log.h"

#include <stdio.h>
#include <unistd.h>

static int max_level = LOG_INFO;
static const char *identifier;

/** log_set_max_level - drop what is less important than @level (LOG_DEBUG shows all). */
void log_set_max_level(int level) {
        max_level = level;
}

/** log_set_identifier - prefix for lines on a terminal; the string is borrowed for ever. */
void log_set_identifier(const char *name) {
        identifier = name;
}

/**
 * log_full_errno - write one line, whole, in one write(). %m in @fmt is the text of @error (sign does not
 * matter).
 *
 * Return: -|@error|, so 0 for none.
 */
int log_full_errno(int level, int error, const char *fmt, ...) {
        int positive = error < 0 ? -error : error, saved = errno, n = 0, m;
        char line[2048];
        va_list ap;

        if (level > max_level)
                return -positive;
        if (getenv("JOURNAL_STREAM"))
                n = snprintf(line, sizeof(line), "<%d>", level);
        else if (identifier)
                n = snprintf(line, sizeof(line), "%s: ", identifier);
        errno = positive;
        va_start(ap, fmt);
        m = vsnprintf(line + n, sizeof(line) - (size_t) n - 1, fmt, ap);
        va_end(ap);
        if (m >= 0) {
                n = MIN(n + m, (int) sizeof(line) - 2);
                line[n++] = '\n';
                (void) !write(STDERR_FILENO, line, (size_t) n);
        }
        errno = saved;
        return -positive;
}
