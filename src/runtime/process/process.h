/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "../seccomp/seccomp-notify.h"
#include "../spec/spec.h"

/* What both create and exec do inside the container's namespaces, in this order. */
int process_prepare(const SpecProcess *p, bool make_cwd);
int process_resolve(const SpecProcess *p, char **ret_path);
void process_raise_limits(pid_t pid, const SpecProcess *p);
int process_enter_user_namespace(const SpecProcess *p);
int process_keep_fds(unsigned preserve_fds);
int process_become(const SpecProcess *p, const SeccompFilter *filter, const SeccompAgent *agent);
int process_exec(const SpecProcess *p, const char *path);

pid_t process_host_pid(void);
int process_find_home(uid_t uid, char **ret);
