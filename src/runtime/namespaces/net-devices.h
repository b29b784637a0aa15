/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "../spec/spec.h"

/* Devices that were moved into a container's network namespace, and the way back. */
typedef struct NetDevices NetDevices;

int net_devices_check(const Spec *s);
int net_devices_move(const Spec *s, int ns_fd, NetDevices **ret);
int net_devices_move_to(const Spec *s, pid_t pid, NetDevices **ret);
void net_devices_return(NetDevices *d);
NetDevices *net_devices_free(NetDevices *d);
DEFINE_CLEANUP_FUNC(NetDevices *, net_devices_free)
#define _cleanup_net_devices_ _cleanup_(net_devices_freep)
