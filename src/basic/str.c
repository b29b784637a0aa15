/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "str.h"

#include <ctype.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <strings.h>
#include <sys/random.h>

/** strv_free - free an array and its strings. Return: NULL. */
char **strv_free(char **l) {
        if (l)
                for (char **i = l; *i; i++)
                        free(*i);
        free(l);
        return NULL;
}

/** strv_length - how many strings; NULL counts as empty. */
size_t strv_length(char *const *l) {
        size_t n = 0;

        while (l && l[n])
                n++;
        return n;
}

/** strv_consume - append @s and own it, also on failure. Return: 0 or -ENOMEM. */
int strv_consume(char ***l, char *s) {
        size_t n = strv_length(*l);
        char **p;

        if (!s)
                return -ENOMEM;
        p = reallocarray(*l, n + 2, sizeof(char *));
        if (!p) {
                free(s);
                return -ENOMEM;
        }
        p[n] = s;
        p[n + 1] = NULL;
        *l = p;
        return 0;
}

/** strv_extend - append a copy of @s. Return: 0 or -ENOMEM. */
int strv_extend(char ***l, const char *s) {
        return strv_consume(l, strdup(s));
}

/** strv_split - split at each @separator; empty parts are left out. An empty input gives an empty array. */
int strv_split(const char *s, char separator, char ***ret) {
        _cleanup_strv_ char **l = NULL;
        int r;

        l = new0(char *, 1);
        if (!l)
                return -ENOMEM;
        while (*s) {
                const char *e = strchrnul(s, separator);

                if (e > s) {
                        r = strv_consume(&l, strndup(s, (size_t) (e - s)));
                        if (r < 0)
                                return r;
                }
                s = *e ? e + 1 : e;
        }
        *ret = TAKE_PTR(l);
        return 0;
}

/** strv_join - a new string of all parts with @separator between, NULL on ENOMEM. */
char *strv_join(char *const *l, const char *separator) {
        size_t size = 1, sep = strlen(separator);
        char *s, *p;

        for (size_t i = 0; l && l[i]; i++)
                size += strlen(l[i]) + (i > 0 ? sep : 0);
        s = p = malloc(size);
        if (!s)
                return NULL;
        for (size_t i = 0; l && l[i]; i++) {
                if (i > 0)
                        p = stpcpy(p, separator);
                p = stpcpy(p, l[i]);
        }
        *p = 0;
        return s;
}

/** startswith - the rest of @s behind @prefix, or NULL. */
const char *startswith(const char *s, const char *prefix) {
        size_t n = strlen(prefix);

        return strncmp(s, prefix, n) == 0 ? s + n : NULL;
}

/** endswith - where @suffix begins in @s, or NULL. */
const char *endswith(const char *s, const char *suffix) {
        size_t n = strlen(s), m = strlen(suffix);

        return n >= m && memcmp(s + n - m, suffix, m) == 0 ? s + n - m : NULL;
}

/** str_printf - a new formatted string, NULL on ENOMEM. */
char *str_printf(const char *fmt, ...) {
        char *s = NULL;
        va_list ap;
        int n;

        va_start(ap, fmt);
        n = vasprintf(&s, fmt, ap);
        va_end(ap);
        return n < 0 ? NULL : s;
}

/** str_concat_sentinel - see str_concat(). */
char *str_concat_sentinel(const char *first, ...) {
        size_t size = 1;
        va_list ap;
        char *s, *p;

        va_start(ap, first);
        for (const char *i = first; i; i = va_arg(ap, const char *))
                size += strlen(i);
        va_end(ap);
        s = p = malloc(size);
        if (!s)
                return NULL;
        va_start(ap, first);
        for (const char *i = first; i; i = va_arg(ap, const char *))
                p = stpcpy(p, i);
        va_end(ap);
        *p = 0;
        return s;
}

/** parse_u64 - strict decimal: digits only, no sign, no space. Return: 0, -EINVAL, -ERANGE above @max. */
int parse_u64(const char *s, uint64_t max, uint64_t *ret) {
        uint64_t v = 0;

        if (isempty(s))
                return -EINVAL;
        for (; *s; s++) {
                unsigned d;

                if (*s < '0' || *s > '9')
                        return -EINVAL;
                d = (unsigned) (*s - '0');
                if (v > (UINT64_MAX - d) / 10)
                        return -ERANGE;
                v = v * 10 + d;
        }
        if (v > max)
                return -ERANGE;
        *ret = v;
        return 0;
}

/** parse_i64 - strict decimal with an optional minus. Return: 0, -EINVAL, -ERANGE outside @min to @max. */
int parse_i64(const char *s, int64_t min, int64_t max, int64_t *ret) {
        bool negative = s && s[0] == '-';
        uint64_t u;
        int64_t v;
        int r;

        if (!s)
                return -EINVAL;
        r = parse_u64(s + negative, INT64_MAX, &u);
        if (r < 0)
                return r;
        v = negative ? -(int64_t) u : (int64_t) u;
        if (v < min || v > max)
                return -ERANGE;
        *ret = v;
        return 0;
}

/** parse_bool - what Docker's query parameters take. Return: 0, 1 or -EINVAL. An empty string is false. */
int parse_bool(const char *s) {
        if (isempty(s) || streq(s, "0") || strcasecmp(s, "false") == 0 || strcasecmp(s, "no") == 0 ||
            strcasecmp(s, "f") == 0 || strcasecmp(s, "none") == 0)
                return 0;
        if (streq(s, "1") || strcasecmp(s, "true") == 0 || strcasecmp(s, "yes") == 0 ||
            strcasecmp(s, "t") == 0)
                return 1;
        return -EINVAL;
}

/** hex_is_valid - exactly @length lower-case hex digits. */
bool hex_is_valid(const char *s, size_t length) {
        for (size_t i = 0; i < length; i++)
                if (!((s[i] >= '0' && s[i] <= '9') || (s[i] >= 'a' && s[i] <= 'f')))
                        return false;
        return s[length] == 0;
}

/** hex_encode - lower-case hex of @size bytes plus NUL into @ret (2 * size + 1 bytes). */
void hex_encode(const void *data, size_t size, char *ret) {
        static const char digits[] = "0123456789abcdef";
        const uint8_t *p = data;

        for (size_t i = 0; i < size; i++) {
                ret[2 * i] = digits[p[i] >> 4];
                ret[2 * i + 1] = digits[p[i] & 15];
        }
        ret[2 * size] = 0;
}

/** random_hex - @bytes (at most 64) random bytes as hex into @ret (2 * bytes + 1). Return: 0 or -errno. */
int random_hex(size_t bytes, char *ret) {
        uint8_t raw[64];

        assert(bytes <= sizeof(raw));
        if (getrandom(raw, bytes, 0) != (ssize_t) bytes)
                return negative_errno();
        hex_encode(raw, bytes, ret);
        return 0;
}

/**
 * signal_from_string - "9", "KILL", "SIGKILL", "sigkill", "RTMIN+3", "SIGRTMAX-1".
 *
 * Return: the number, or -EINVAL.
 */
int signal_from_string(const char *s) {
        uint64_t n;
        const char *rest;

        if (isempty(s))
                return -EINVAL;
        if (parse_u64(s, (uint64_t) SIGRTMAX, &n) >= 0)
                return n > 0 ? (int) n : -EINVAL;
        if (strncasecmp(s, "SIG", 3) == 0)
                s += 3;
        for (int i = 1; i < SIGRTMIN; i++) {
                const char *name = sigabbrev_np(i);

                if (name && strcasecmp(name, s) == 0)
                        return i;
        }
        if (strcasecmp(s, "IOT") == 0)
                return SIGABRT;
        if (strcasecmp(s, "CLD") == 0)
                return SIGCHLD;
        if (strncasecmp(s, "RTMIN", 5) == 0) {
                rest = s + 5;
                if (!*rest)
                        return SIGRTMIN;
                if (*rest == '+' && parse_u64(rest + 1, (uint64_t) (SIGRTMAX - SIGRTMIN), &n) >= 0)
                        return SIGRTMIN + (int) n;
        }
        if (strncasecmp(s, "RTMAX", 5) == 0) {
                rest = s + 5;
                if (!*rest)
                        return SIGRTMAX;
                if (*rest == '-' && parse_u64(rest + 1, (uint64_t) (SIGRTMAX - SIGRTMIN), &n) >= 0)
                        return SIGRTMAX - (int) n;
        }
        return -EINVAL;
}

/** signal_to_name - "TERM" for 15; NULL for real-time and unknown signals. */
const char *signal_to_name(int sig) {
        return sigabbrev_np(sig);
}
