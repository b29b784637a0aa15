/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

pid_t clone_into_cgroup(uint64_t flags, int cgroup_fd, int *ret_pidfd);
pid_t clone_and_move(uint64_t flags, int cgroup_fd, int *ret_pidfd);
bool clone_died_at_birth(pid_t pid, int *pidfd);
