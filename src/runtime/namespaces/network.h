/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "../spec/spec.h"
#include "net-devices.h"

bool network_is_apart(const Spec *s);
int network_make(const Spec *s, int channel_fd, NetDevices **ret_devices);
int network_enter(int channel_fd);
int network_bring_up_loopback(void);
bool network_may_return(void);
int network_open_own(void);
