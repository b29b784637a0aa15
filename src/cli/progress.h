/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "client.h"

typedef enum ProgressMode {
        PROGRESS_SILENT, /* errors only */
        PROGRESS_STDOUT, /* what the engine says, on stdout */
        PROGRESS_STDERR,
} ProgressMode;

int progress_receive(Client *c, Connection *conn, ProgressMode mode, const bool *sending);
