/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "duration.h"

#include <stdio.h>

/** duration_to_human - see duration.h. */
void duration_to_human(usec_t d, char ret[DURATION_MAX]) {
        uint64_t seconds = d / USEC_PER_SEC, minutes = seconds / 60;
        /* Hours are rounded, everything else is cut. */
        uint64_t hours = (seconds + 1800) / 3600;

        if (seconds < 1)
                (void) snprintf(ret, DURATION_MAX, "Less than a second");
        else if (seconds == 1)
                (void) snprintf(ret, DURATION_MAX, "1 second");
        else if (seconds < 60)
                (void) snprintf(ret, DURATION_MAX, "%u seconds", (unsigned) seconds);
        else if (minutes == 1)
                (void) snprintf(ret, DURATION_MAX, "About a minute");
        else if (minutes < 60)
                (void) snprintf(ret, DURATION_MAX, "%u minutes", (unsigned) minutes);
        else if (hours == 1)
                (void) snprintf(ret, DURATION_MAX, "About an hour");
        else if (hours < 48)
                (void) snprintf(ret, DURATION_MAX, "%u hours", (unsigned) hours);
        else if (hours < 24 * 7 * 2)
                (void) snprintf(ret, DURATION_MAX, "%u days", (unsigned) (hours / 24));
        else if (hours < 24 * 30 * 2)
                (void) snprintf(ret, DURATION_MAX, "%u weeks", (unsigned) (hours / 24 / 7));
        else if (hours < 24 * 365 * 2)
                (void) snprintf(ret, DURATION_MAX, "%u months", (unsigned) (hours / 24 / 30));
        else
                (void) snprintf(ret, DURATION_MAX, "%llu years", (unsigned long long) (hours / 24 / 365));
}
