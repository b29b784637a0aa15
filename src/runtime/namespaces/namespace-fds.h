/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "../spec/spec.h"

/* The namespaces of a process, for somebody who may not look into it. */
typedef struct NamespaceFds {
        int fds[_NS_MAX];
        bool there;
} NamespaceFds;

#define NAMESPACE_FDS_NONE { .fds = { [0 ... _NS_MAX - 1] = -EBADF } }

int namespace_fds_open(NamespaceFds *f);
int namespace_fds_send(int sock, const NamespaceFds *f);
int namespace_fds_ask(int sock, NamespaceFds *f);
int namespace_fds_enter(const NamespaceFds *f, uint64_t kinds);
void namespace_fds_done(NamespaceFds *f);
#define _cleanup_namespace_fds_ _cleanup_(namespace_fds_done)
