/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "spec/spec.h"

int foreground_block_signals(void);
void foreground_adapt_terminal(SpecProcess *p);
int foreground_receive_master(int socket_fd);
int foreground_wait(pid_t pid, int master_fd, int notify_fd);
