/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "../shared/message.h"
#include "network.h"

/* What the daemon does, apart from sockets and the event loop. */
typedef struct Netd {
        int host_fd;       /* the host's network namespace */
        int containers_fd; /* /var/lib/berth/containers, or -EBADF */
        Rtnl rtnl;
        Firewall firewall;
        Network network;
        bool ready;   /* bridge, rules and forwarding are in place */
        bool leaving; /* netd_reap() should be called in a while */
} Netd;

#define NETD_INIT                         \
        ((Netd){ .host_fd = -EBADF,       \
                 .containers_fd = -EBADF, \
                 .network = { .dir_fd = -EBADF, .leases = LEASE_TABLE_INIT } })

int netd_open(Netd *d, const char *networks_dir, const char *containers_dir, const char *rules);
void netd_close(Netd *d);

bool netd_is_idle(const Netd *d);
int netd_restore(Netd *d);

void netd_link_gone(Netd *d, const char *name);
void netd_check_links(Netd *d);
void netd_reap(Netd *d);

/*
 * Answers one request: a complete reply in @reply, maybe with one descriptor for the caller to send and
 * close.
 */
int netd_handle(Netd *d, const Message *request, Buffer *reply, int *ret_fd);
