/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "spec/spec.h"

typedef struct ExecOptions {
        const char *root, *id, *pid_file, *console_socket, *pidfd_socket, *process_file, *cgroup,
                        *wait_fifo;
        json_object *process; /* what process_file has, which may be a pipe; borrowed */
        int console_fd; /* a connected socket that stands for console_socket, or -EBADF */
        bool ignore_paused;
        unsigned preserve_fds, listen_fds; /* the latter are among the former */

        /* Without process_file: what to change in the container's own process. */
        const char *const *args;
        const char *const *env;
        const char *cwd, *user, *apparmor, *selinux;
        bool tty, no_new_privs;
        const char *const *add_caps;
        const char *const *add_gids;
} ExecOptions;

int container_exec(const ExecOptions *o, pid_t *ret_pid);
