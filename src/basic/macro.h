/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define _cleanup_(x) __attribute__((__cleanup__(x)))
#define _printf_(a, b) __attribute__((__format__(printf, a, b)))
#define _unused_ __attribute__((__unused__))
#define _warn_unused_ __attribute__((__warn_unused_result__))

#define ELEMENTSOF(x) (sizeof(x) / sizeof((x)[0]))

/* The counter keeps nested uses apart. */
#define MIN(a, b) MIN_AS(a, b, __COUNTER__)
#define MIN_AS(a, b, n) MIN_WITH(a, b, n)
#define MIN_WITH(a, b, n)                          \
        ({                                         \
                __typeof__(a) _a##n = (a);         \
                __typeof__(b) _b##n = (b);         \
                _a##n < _b##n ? _a##n : _b##n;     \
        })
#define MAX(a, b) MAX_AS(a, b, __COUNTER__)
#define MAX_AS(a, b, n) MAX_WITH(a, b, n)
#define MAX_WITH(a, b, n)                          \
        ({                                         \
                __typeof__(a) _a##n = (a);         \
                __typeof__(b) _b##n = (b);         \
                _a##n > _b##n ? _a##n : _b##n;     \
        })

#define CONTAINER_OF(ptr, type, member) ((type *) ((char *) (ptr) -offsetof(type, member)))

/* Ownership moves only through these two, so that a _cleanup_ variable is visibly given away. */
#define TAKE_PTR(p)                         \
        ({                                  \
                __typeof__(p) *_pp = &(p);  \
                __typeof__(p) _v = *_pp;    \
                *_pp = NULL;                \
                _v;                         \
        })
#define TAKE_FD(fd)                 \
        ({                          \
                int *_fdp = &(fd);  \
                int _fd = *_fdp;    \
                *_fdp = -EBADF;     \
                _fd;                \
        })

/* Defines FUNCp() for use with _cleanup_(). */
#define DEFINE_CLEANUP_FUNC(type, func)          \
        static inline void func##p(type *p) {    \
                if (*p)                          \
                        func(*p);                \
        }

static inline void freep(void *p) {
        free(*(void **) p);
}
#define _cleanup_free_ _cleanup_(freep)

#define new(t, n) ((t *) reallocarray(NULL, (n), sizeof(t)))
#define new0(t, n) ((t *) calloc((n), sizeof(t)))

static inline void *mfree(void *p) {
        free(p);
        return NULL;
}

static inline bool streq(const char *a, const char *b) {
        return strcmp(a, b) == 0;
}

/* NULL equals NULL only. */
static inline bool streq_ptr(const char *a, const char *b) {
        return a == b || (a && b && strcmp(a, b) == 0);
}

static inline bool isempty(const char *s) {
        return !s || !s[0];
}

static inline const char *strempty(const char *s) {
        return s ? s : "";
}

/* Restores errno-style results of libc calls: -errno, never 0 for a failure. */
static inline int negative_errno(void) {
        int e = errno;

        return e > 0 ? -e : -EINVAL;
}

typedef uint64_t usec_t;
#define USEC_PER_SEC ((usec_t) 1000000)
#define USEC_PER_MSEC ((usec_t) 1000)
#define USEC_INFINITY ((usec_t) UINT64_MAX)
