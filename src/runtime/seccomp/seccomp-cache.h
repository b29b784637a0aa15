/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "seccomp-filter.h"

int seccomp_prepare(const char *root, int container_fd, json_object *seccomp, SeccompFilter *ret);
int seccomp_load_saved(int container_fd, SeccompFilter *ret);
