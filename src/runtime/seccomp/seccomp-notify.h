/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "../state.h"
#include "seccomp-filter.h"

/* The agent that answers the notifications of a filter, and what it is told. */
struct SeccompAgent {
        int fd;                    /* connected to linux.seccomp.listenerPath, or -EBADF */
        const char *metadata;      /* borrowed */
        char *text;                /* containerProcessState, ready to be sent; owned */
};

#define SECCOMP_AGENT_INIT ((SeccompAgent) { .fd = -EBADF })

void seccomp_agent_done(SeccompAgent *a);
#define _cleanup_agent_ _cleanup_(seccomp_agent_done)

int seccomp_agent_connect(json_object *seccomp, json_object *annotations, const SeccompFilter *f,
                          SeccompAgent *ret);
int seccomp_agent_describe(SeccompAgent *a, const State *s, ContainerStatus status, pid_t pid);
int seccomp_agent_send(const SeccompAgent *a, const SeccompFilter *f, int listener_fd);
