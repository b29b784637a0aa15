/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "../spec/spec.h"

pid_t clone_in_joined_user(const Spec *s, uint64_t flags, int cgroup_fd, int *ret_pidfd);
int joined_maps_check(const Spec *s, pid_t pid);
