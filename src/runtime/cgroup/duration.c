/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "duration.h"

#include "../../basic/clock.h"
#include "../../basic/str.h"

#define DURATION_MAX (UINT64_C(7) * 24 * 3600 * USEC_PER_SEC)

/* Longer names first: "ms" is no "m". */
static const struct {
        const char *name;
        uint64_t nanoseconds;
} units[] = { { "ns", 1 },
              { "us", 1000 },
              { "ms", 1000000 },
              { "s", UINT64_C(1000000000) },
              { "m", UINT64_C(60000000000) },
              { "h", UINT64_C(3600000000000) } };

/* One number with its unit at *@p. Return: 0 with nanoseconds, or -EINVAL. */
static int parse_part(const char **p, double *ret) {
        size_t whole = strspn(*p, "0123456789"), fraction = 0;
        double value = 0, part = 0;

        for (size_t i = 0; i < whole; i++)
                value = value * 10 + ((*p)[i] - '0');
        if ((*p)[whole] == '.') {
                fraction = strspn(*p + whole + 1, "0123456789");
                for (size_t i = fraction; i > 0; i--)
                        part = (part + ((*p)[whole + i] - '0')) / 10;
        }
        if (whole + fraction == 0)
                return -EINVAL;
        *p += whole + ((*p)[whole] == '.' ? fraction + 1 : 0);
        for (size_t i = 0; i < ELEMENTSOF(units); i++) {
                const char *rest = startswith(*p, units[i].name);

                if (rest) {
                        *p = rest;
                        *ret = (value + part) * (double) units[i].nanoseconds;
                        return 0;
                }
        }
        return -EINVAL;
}

/**
 * duration_parse - "5s", "100ms", "1m30s", "1.5h": what runc takes, up to a week.
 *
 * Return: 0, -EINVAL, -ERANGE.
 */
int duration_parse(const char *text, usec_t *ret) {
        double sum = 0, part;

        if (!*text)
                return -EINVAL;
        while (*text) {
                int r = parse_part(&text, &part);

                if (r < 0)
                        return r;
                sum += part;
        }
        if (sum > (double) DURATION_MAX * 1000)
                return -ERANGE;
        *ret = (usec_t) (sum / 1000);
        return 0;
}
