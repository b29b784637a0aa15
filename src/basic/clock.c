/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "clock.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "str.h"

static usec_t now(clockid_t clock) {
        struct timespec ts;

        (void) clock_gettime(clock, &ts);
        return (usec_t) ts.tv_sec * USEC_PER_SEC + (usec_t) ts.tv_nsec / 1000;
}

/** now_realtime - wall clock, µs since 1970. */
usec_t now_realtime(void) {
        return now(CLOCK_REALTIME);
}

/** now_monotonic - µs since boot, not counting suspend. */
usec_t now_monotonic(void) {
        return now(CLOCK_MONOTONIC);
}

/** format_rfc3339 - UTC with nine digits of fraction, as Docker pads it. 0 gives Go's zero time. */
void format_rfc3339(usec_t realtime, char ret[RFC3339_MAX]) {
        time_t sec = (time_t) (realtime / USEC_PER_SEC);
        struct tm tm;

        if (realtime == 0 || !gmtime_r(&sec, &tm)) {
                (void) snprintf(ret, RFC3339_MAX, "0001-01-01T00:00:00Z");
                return;
        }
        (void) snprintf(ret, RFC3339_MAX, "%04d-%02d-%02dT%02d:%02d:%02d.%06" PRIu64 "000Z",
                        (tm.tm_year + 1900) % 10000, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
                        tm.tm_sec, realtime % USEC_PER_SEC);
}

static int parse_fraction(const char **s, usec_t *ret) {
        usec_t v = 0, scale = USEC_PER_SEC / 10;

        if (!isdigit((unsigned char) **s))
                return -EINVAL;
        for (; isdigit((unsigned char) **s); (*s)++) {
                v += (usec_t) (**s - '0') * scale;
                scale /= 10;
        }
        *ret = v;
        return 0;
}

/** parse_rfc3339 - with Z or a numeric offset, optional fraction. Return: 0 or -EINVAL. */
int parse_rfc3339(const char *s, usec_t *ret) {
        struct tm tm = {};
        usec_t fraction = 0;
        const char *p;
        int64_t offset = 0;
        time_t t;

        p = strptime(s, "%Y-%m-%dT%H:%M:%S", &tm);
        if (!p)
                return -EINVAL;
        if (*p == '.') {
                p++;
                if (parse_fraction(&p, &fraction) < 0)
                        return -EINVAL;
        }
        if (*p == 'Z' && !p[1])
                offset = 0;
        else if ((*p == '+' || *p == '-') && strlen(p) == 6 && isdigit((unsigned char) p[1]) &&
                 isdigit((unsigned char) p[2]) && p[3] == ':' && isdigit((unsigned char) p[4]) &&
                 isdigit((unsigned char) p[5])) {
                unsigned h = (unsigned) ((p[1] - '0') * 10 + (p[2] - '0')),
                         m = (unsigned) ((p[4] - '0') * 10 + (p[5] - '0'));

                if (h > 23 || m > 59)
                        return -EINVAL;
                offset = (int64_t) (h * 3600 + m * 60) * (*p == '-' ? -1 : 1);
        } else
                return -EINVAL;
        t = timegm(&tm);
        if ((int64_t) t - offset < 0)
                return -EINVAL;
        *ret = (usec_t) ((int64_t) t - offset) * USEC_PER_SEC + fraction;
        return 0;
}

/** parse_unix_time - "1795313912" or "1795313912.123456789", as the Docker CLI sends times. Return: 0 or
 * -EINVAL. */
int parse_unix_time(const char *s, usec_t *ret) {
        const char *dot = strchr(s, '.');
        _cleanup_free_ char *seconds = NULL;
        usec_t fraction = 0;
        uint64_t sec;

        seconds = dot ? strndup(s, (size_t) (dot - s)) : strdup(s);
        if (!seconds)
                return -ENOMEM;
        if (parse_u64(seconds, UINT64_MAX / USEC_PER_SEC - 1, &sec) < 0)
                return -EINVAL;
        if (dot) {
                dot++;
                if (parse_fraction(&dot, &fraction) < 0 || *dot)
                        return -EINVAL;
        }
        *ret = sec * USEC_PER_SEC + fraction;
        return 0;
}
