/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "runtime-error.h"

#include <fcntl.h>
#include <strings.h>

#include "../basic/file.h"
#include "../basic/str.h"

/*
 * The log is one JSON object a line; only the string after the last "msg" is wanted. The resident shim needs
 * no JSON parser for that: a string literal is found and unescaped.
 */
#define LOG_MAX (256 * 1024)

static unsigned hex4(const char *p) {
        unsigned v = 0;

        for (unsigned i = 0; i < 4; i++) {
                char c = p[i];

                v = v << 4 | (unsigned) (c >= '0' && c <= '9'                 ? c - '0'
                                         : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10
                                                                              : 0);
                if (!c)
                        return '?';
        }
        return v;
}

/* In place: the text cannot grow. */
static char *unescape_string(char *p) {
        char *out = p, *start = p;

        for (; *p && *p != '"' && *p != '\n'; p++) {
                if (*p != '\\') {
                        *out++ = *p;
                        continue;
                }
                p++;
                if (!*p)
                        break;
                if (*p == 'n' || *p == 't' || *p == 'r')
                        *out++ = ' ';
                else if (*p == 'u' && strnlen(p + 1, 4) == 4) {
                        unsigned v = hex4(p + 1);

                        *out++ = v < 0x80 && v >= 0x20 ? (char) v : '?';
                        p += 4;
                } else
                        *out++ = *p;
        }
        *out = 0;
        return start;
}

/** runtime_error_read - the last message of the log, a new string; NULL if there is none. */
char *runtime_error_read(const char *log_path) {
        _cleanup_free_ char *text = NULL;
        char *last = NULL;
        size_t size;

        if (read_file_at(AT_FDCWD, log_path, LOG_MAX, &text, &size) < 0)
                return NULL;
        for (char *p = text; (p = strstr(p, "\"msg\"")); ) {
                p += 5;
                p += strspn(p, " \t:");
                if (*p == '"')
                        last = p + 1;
        }
        return last ? strdup(unescape_string(last)) : NULL;
}

/** runtime_error_code - Docker's status for a failed start: 127 no such program, 126 it cannot be run, 128
 * anything else. */
int runtime_error_code(const char *m) {
        if (strcasestr(m, "executable file not found") || strcasestr(m, "no such file or directory") ||
            (strcasestr(m, "executable file") && strcasestr(m, "not found")))
                return 127;
        if (strcasestr(m, "permission denied") || strcasestr(m, "executable: operation not permitted") ||
            strcasestr(m, "is a directory") || strcasestr(m, "exec format error"))
                return 126;
        return 128;
}
