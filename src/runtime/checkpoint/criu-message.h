/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <sys/types.h>

#include "../../basic/buffer.h"

/* Fields of the messages around criu_opts. */
enum { REQUEST_TYPE = 1, REQUEST_OPTIONS = 2, REQUEST_NOTIFY_SUCCESS = 3 };

#define CRIU_TYPE_NOTIFY 6
#define CRIU_EVENT_MAX 64

/* What criu says to us: the end of a request, or, as CRIU_TYPE_NOTIFY, where it stands. */
typedef struct CriuResponse {
        uint64_t type;
        bool success;
        pid_t pid; /* 0 where it names none */
        char event[CRIU_EVENT_MAX];
        unsigned version; /* see CRIU_VERSION_OF; 0 unless asked for */
} CriuResponse;

#define CRIU_VERSION_OF(_major, _minor, _sub) ((_major) * 10000U + (_minor) * 100U + (_sub))

int criu_response_parse(const char *data, size_t size, CriuResponse *ret);
