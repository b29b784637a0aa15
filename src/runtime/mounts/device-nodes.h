/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "../spec/spec.h"

int device_nodes_make(const Spec *s);
int device_nodes_clone(int nodes_fd, int root_fd, size_t n, int *trees);
