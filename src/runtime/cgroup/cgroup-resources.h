/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "resources.h"

int cgroup_resources_write(int cgroup_fd, const char *path, const Resources *resources);
int cgroup_resources_apply(int cgroup_fd, const char *path, json_object *resources, const char *oci_version);
