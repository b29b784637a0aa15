/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <sys/types.h>

#include "../../basic/macro.h"

/*
 * Foreign bytes are taken apart in children that can do nothing but fill one directory: own mount namespace,
 * chroot, few capabilities, no new privileges, a system call allow-list, no fds but the ones given.
 */
/* Runs in the child, chrooted. Its return value goes nowhere: it reports (report.h). */
typedef void (*sandbox_main_t)(int report_fd, int input_fd, void *userdata);

typedef struct SandboxChild {
        pid_t pid;
        int report_fd; /* SEQPACKET, parent's end */
} SandboxChild;
#define SANDBOX_CHILD_INIT ((SandboxChild){ 0, -EBADF })

/* @root_fd: the directory the child is locked into. @input_fd: given to the child as it is, or -EBADF. */
int sandbox_spawn(int root_fd, int input_fd, sandbox_main_t main, void *userdata, SandboxChild *ret);
/* Kill it if it runs, reap it. Return: exit status 0-255, 128 + signal, -ESRCH if there is none. */
int sandbox_end(SandboxChild *c, bool do_kill);
