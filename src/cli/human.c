/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "human.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "../basic/macro.h"

/** human_duration - "Less than a second", "3 minutes", "About an hour", "2 weeks". */
void human_duration(int64_t seconds, char ret[HUMAN_MAX]) {
        int64_t minutes = seconds / 60, hours = (seconds + 1800) / 3600;

        if (seconds < 1)
                (void) snprintf(ret, HUMAN_MAX, "Less than a second");
        else if (seconds < 60)
                (void) snprintf(ret, HUMAN_MAX, "%" PRId64 " second%s", seconds, seconds == 1 ? "" : "s");
        else if (minutes == 1)
                (void) snprintf(ret, HUMAN_MAX, "About a minute");
        else if (minutes < 60)
                (void) snprintf(ret, HUMAN_MAX, "%" PRId64 " minutes", minutes);
        else if (hours == 1)
                (void) snprintf(ret, HUMAN_MAX, "About an hour");
        else if (hours < 48)
                (void) snprintf(ret, HUMAN_MAX, "%" PRId64 " hours", hours);
        else if (hours < 24 * 7 * 2)
                (void) snprintf(ret, HUMAN_MAX, "%" PRId64 " days", hours / 24);
        else if (hours < 24 * 30 * 2)
                (void) snprintf(ret, HUMAN_MAX, "%" PRId64 " weeks", hours / 24 / 7);
        else if (hours < 24 * 365 * 2)
                (void) snprintf(ret, HUMAN_MAX, "%" PRId64 " months", hours / 24 / 30);
        else
                (void) snprintf(ret, HUMAN_MAX, "%" PRId64 " years", hours / 24 / 365);
}

/** human_ago - "3 minutes ago"; "N/A" for a time that is not known. */
void human_ago(int64_t unix_time, int64_t now, char ret[HUMAN_MAX]) {
        char d[HUMAN_MAX];

        if (unix_time <= 0) {
                (void) snprintf(ret, HUMAN_MAX, "N/A");
                return;
        }
        human_duration(now - unix_time, d);
        (void) snprintf(ret, HUMAN_MAX, "%.58s ago", d);
}

static void scaled_size(double v, double step, int precision, const char *const *units, size_t n,
                        char ret[HUMAN_MAX]) {
        size_t i = 0;

        while (v >= step && i + 1 < n) {
                v /= step;
                i++;
        }
        (void) snprintf(ret, HUMAN_MAX, "%.*g%s", precision, v, units[i]);
}

/** human_size - "1.23MB", powers of 1000, @precision significant digits. */
void human_size(int64_t bytes, int precision, char ret[HUMAN_MAX]) {
        static const char *const units[] = { "B", "kB", "MB", "GB", "TB", "PB", "EB" };

        scaled_size((double) bytes, 1000, precision, units, ELEMENTSOF(units), ret);
}

/** human_binary_size - "1.954GiB", powers of 1024, four digits. */
void human_binary_size(int64_t bytes, char ret[HUMAN_MAX]) {
        static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };

        scaled_size((double) bytes, 1024, 4, units, ELEMENTSOF(units), ret);
}

/** human_date - "2026-11-22 02:34:34 +0000 UTC", in the local time zone. */
void human_date(int64_t unix_time, char ret[HUMAN_MAX]) {
        time_t t = (time_t) unix_time;
        struct tm tm;

        if (!localtime_r(&t, &tm) || strftime(ret, HUMAN_MAX, "%Y-%m-%d %H:%M:%S %z %Z", &tm) == 0)
                ret[0] = 0;
}
