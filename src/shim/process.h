/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <sys/types.h>

#include "../basic/macro.h"

/* How a process ended; `unknown` is a value and never reads as success. */
typedef struct ExitStatus {
        bool known;
        int code; /* 0-255 as a shell gives it: 128+N for signal N; 255 when unknown */
        int signal;
} ExitStatus;

ExitStatus exit_status_from_wait(int wait_status);
#define EXIT_STATUS_UNKNOWN ((ExitStatus){ .code = 255 })

#define SPAWN_FDS_MAX 5
int process_spawn(char *const *argv, const int *fds, size_t n_fds, pid_t *ret);
int process_pidfd_open(pid_t pid);
int process_pidfd_signal(int pidfd, int sig);
int process_pidfd_exit_status(int pidfd, ExitStatus *ret);
bool process_ignores_signal(pid_t pid, int sig);

/* Statuses of children nobody asked for yet. */
void process_reap(void (*handler)(pid_t pid, int wait_status, void *userdata), void *userdata);
void process_remember(pid_t pid, int wait_status);
bool process_recall(pid_t pid, int *ret_wait_status);
