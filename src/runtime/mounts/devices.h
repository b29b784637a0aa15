/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "../spec/spec.h"

int devices_setup(const Spec *s, int root_fd, int nodes_fd);
int null_device_open(void);
