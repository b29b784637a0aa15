/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "../spec/spec.h"

bool network_is_apart(const Spec *s);
int network_make(int channel_fd);
int network_enter(int channel_fd);
int network_bring_up_loopback(void);
