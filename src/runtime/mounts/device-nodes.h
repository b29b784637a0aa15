/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "../spec/spec.h"

int device_nodes_make(const Spec *s);
int device_nodes_show(int nodes_fd, int root_fd);
int device_nodes_open(int nodes_fd, size_t index);
void device_nodes_hide(int nodes_fd);
