/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "restart.h"

#define DELAY_MIN (100 * USEC_PER_MSEC)
#define DELAY_MAX (60 * USEC_PER_SEC)
#define RAN_WELL (10 * USEC_PER_SEC)

/**
 * restart_is_due - Docker's rules: the delay starts at 100 ms, doubles up to a minute, and begins anew after
 * a run of 10 s.
 *
 * Return: whether to restart, and after which delay (us).
 */
bool restart_is_due(const RestartFacts *f, uint64_t *ret_delay) {
        if (f->policy == RESTART_NO)
                return false;
        if (f->policy == RESTART_ON_FAILURE && (!f->failure || (f->max > 0 && f->restarts >= f->max)))
                return false;
        *ret_delay = f->delay == 0 || f->ran >= RAN_WELL ? DELAY_MIN : MIN(f->delay * 2, DELAY_MAX);
        return true;
}
