/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

void cgroup_enable_available(int parent_fd);
int cgroup_enable_controllers(const char *path, const char *file);
int cgroup_explain_entry(int cgroup_fd, const char *path, int error);
int cgroup_explain_missing(const char *path, const char *file);
