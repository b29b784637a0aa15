/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "../spec/spec.h"
#include "../state.h"

int activation_take_fds(unsigned *preserve_fds, unsigned *ret_listen_fds);
int activation_env_add(SpecProcess *p, unsigned listen_fds);

bool notify_wanted(void);
int notify_prepare(Spec *s, const State *st, const char *root);
int notify_listen(const State *st);
bool notify_receive(int fd, pid_t main_pid);
int notify_await_ready(const State *st, int fd);
