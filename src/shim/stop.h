/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "shim.h"

void stop_wanted(Shim *s);
void stop_begin(Shim *s, int sig, int64_t timeout);
void stop_go_on(Shim *s);
int stop_kill(Shim *s, int sig);
void stop_on_sigterm(Shim *s);
bool stop_on_child(Shim *s, pid_t pid, int wait_status);
