/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <sys/types.h>

#include "../../basic/macro.h"
#include "../spec/spec.h"

int cgroup_find_mount(const char **ret);
int cgroup_create(const char *path, unsigned *ret_made);
int cgroup_check_unused(int cgroup_fd, const char *path);
void cgroup_remove_made(const char *path, unsigned made);
int cgroup_open(const char *path);
int cgroup_of_pid(pid_t pid, char **ret);
int cgroup_open_mount(void);

int cgroup_kill(int cgroup_fd);
int cgroup_remove(const char *path);
int cgroup_freeze(int cgroup_fd, bool freeze);
int cgroup_is_frozen(int cgroup_fd);
int cgroup_is_populated(int cgroup_fd);
int cgroup_pids(int cgroup_fd, pid_t **ret, size_t *ret_n);
int cgroup_signal(int cgroup_fd, int sig);
