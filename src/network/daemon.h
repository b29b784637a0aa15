/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "../basic/macro.h"

typedef struct DaemonOptions {
        const char *networks, *containers; /* directories */
        const char *rules;                 /* file for nft */
        usec_t idle_timeout;
} DaemonOptions;

int daemon_run(int listen_fd, const DaemonOptions *o);
