/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <sys/types.h>

int pid_namespace_pids(pid_t init, pid_t **ret, size_t *ret_n);
int pid_namespace_signal(pid_t init, int sig);
