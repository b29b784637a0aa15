/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "../basic/macro.h"

/* The payload's cgroup, by its path below the cgroup2 mount ("/berth.slice/berth-ID.scope/payload"). */
int cgroup_open(const char *cgroup);
int cgroup_kill(int cgroup_fd);
int cgroup_freeze(int cgroup_fd, bool on);
int cgroup_populated(int cgroup_fd);
int cgroup_open_events(int cgroup_fd);
int cgroup_open_memory_events(int cgroup_fd);
int cgroup_oom_killed(int events_fd);
