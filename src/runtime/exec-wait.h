/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "../basic/macro.h"

/* exec --exec-wait-fifo: the pipe that holds the new process back, and the watch that sees its reader. */
typedef struct ExecWait {
        int fifo, watch;
} ExecWait;

#define EXEC_WAIT_NONE { .fifo = -EBADF, .watch = -EBADF }

int exec_wait_open(const char *path, ExecWait *ret);
int exec_wait_reader(const ExecWait *w, int channel_fd);
void exec_wait_done(ExecWait *w);
#define _cleanup_exec_wait_ _cleanup_(exec_wait_done)
