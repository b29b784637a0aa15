/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "../seccomp/seccomp-filter.h"
#include "../spec/spec.h"

int exec_guard_new(pid_t **ret);
int exec_guard_birth(pid_t *born, const SpecProcess *p, const SeccompFilter *filter);
int exec_guard_await(pid_t *born, int channel, pid_t *pid, int *pidfd);
