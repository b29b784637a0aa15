/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "config.h"

/* What is decided on. */
typedef struct RestartFacts {
        RestartPolicy policy;
        uint64_t max;      /* of on-failure, 0: no limit */
        uint64_t restarts; /* so far */
        uint64_t delay;    /* of the last restart, us */
        uint64_t ran;      /* us */
        bool failure;
} RestartFacts;

bool restart_is_due(const RestartFacts *f, uint64_t *ret_delay);
