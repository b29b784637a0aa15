/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <sys/types.h>

#include "scope-request.h"

/* The other program that talks to systemd for us. */
typedef struct ScopeHelper {
        int fd, pidfd;
        pid_t pid; /* 0: not running, no descriptors */
        bool user, reused;
} ScopeHelper;

int scope_helper_start(bool user, ScopeHelper *ret);
int scope_helper_send(ScopeHelper *h, const Buffer *request);
int scope_helper_wait(ScopeHelper *h, const char *unit);
int scope_helper_call(ScopeHelper *h, const Buffer *request, const char *unit);
void scope_helper_kill(ScopeHelper *h);
void scope_helper_end(ScopeHelper *h);
#define _cleanup_scope_helper_ _cleanup_(scope_helper_end)

/* At most one waits for its next use in this process. */
void scope_helper_park(ScopeHelper *h);
void scope_helper_forget(void);
