/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "../../basic/json.h"

int cgroup_stats(int cgroup_fd, json_object **ret);
int cgroup_oom_kills(int cgroup_fd, uint64_t *ret);
