/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <sys/types.h>

#include "scope-request.h"

/* The other program that talks to systemd for us. */
typedef struct ScopeHelper {
        int fd;
        pid_t pid; /* 0: not running, no fd */
} ScopeHelper;

int scope_helper_start(bool user, ScopeHelper *ret);
int scope_helper_send(ScopeHelper *h, const Buffer *request);
int scope_helper_wait(ScopeHelper *h, const char *unit);
void scope_helper_end(ScopeHelper *h);
#define _cleanup_scope_helper_ _cleanup_(scope_helper_end)
