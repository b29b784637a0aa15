/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "../basic/json.h"

int cgroup_resources_apply(int cgroup_fd, const char *path, json_object *resources);
