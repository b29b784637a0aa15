/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "error.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>

static char message[1024];

/**
 * errno_words - what the kernel's @error means, as it reads in the middle of a message: "no such file or
 * directory". Programs of other runtimes' callers look for these words. Valid until the next call.
 */
const char *errno_words(int error) {
        static char words[128];

        (void) snprintf(words, sizeof(words), "%s", strerror(error < 0 ? -error : error));
        /* "RPC ..." and the like stay. */
        if (words[0] && islower((unsigned char) words[1]))
                words[0] = (char) tolower((unsigned char) words[0]);
        return words;
}

static int store(int error, bool with_errno, const char *fmt, va_list ap) {
        int positive = error < 0 ? -error : error, n;

        n = vsnprintf(message, sizeof(message), fmt, ap);
        if (with_errno && n >= 0 && (size_t) n < sizeof(message))
                (void) snprintf(message + n, sizeof(message) - (size_t) n, ": %s", errno_words(positive));
        return positive > 0 ? -positive : -EINVAL;
}

/** fail_errno - remember @fmt followed by the text of @error. Return: -|@error|. */
int fail_errno(int error, const char *fmt, ...) {
        va_list ap;
        int r;

        va_start(ap, fmt);
        r = store(error, true, fmt, ap);
        va_end(ap);
        return r;
}

/** fail_text - remember @fmt as it is, for causes that errno does not name. Return: -|@error|. */
int fail_text(int error, const char *fmt, ...) {
        va_list ap;
        int r;

        va_start(ap, fmt);
        r = store(error, false, fmt, ap);
        va_end(ap);
        return r;
}

/** fail_message - what the last fail_ call remembered, "" if none. */
const char *fail_message(void) {
        return message;
}
