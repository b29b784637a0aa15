/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "seccomp-filter.h"
#include "spec.h"

/* What both create and exec do inside the container's namespaces, in this order. */
int process_prepare(const SpecProcess *p, bool make_cwd);
int process_resolve(const SpecProcess *p, char **ret_path);
void process_raise_limits(pid_t pid, const SpecProcess *p);
int process_enter_user_namespace(const SpecProcess *p);
int process_become(const SpecProcess *p, const SeccompFilter *filter);
int process_exec(const SpecProcess *p, const char *path, unsigned preserve_fds);

int process_find_home(uid_t uid, char **ret);
