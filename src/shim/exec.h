/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "control.h"

/* One more process in the container (docs/contracts.md section 5, `exec`). */
int exec_begin(Shim *s, Message *m, const ReplyTo *to);
int exec_resize(Shim *s, const char *id, uint32_t height, uint32_t width);
bool exec_on_child(Shim *s, pid_t pid, int wait_status);
void exec_check_done(Exec *e);
bool exec_is_over(const Exec *e);
bool exec_has_process(const Exec *e);
bool exec_any(const Shim *s);
bool exec_any_running(const Shim *s);
void exec_end_all(Shim *s);
void exec_kill_runtimes(Shim *s);

Exec *exec_next(Exec *e);
StdioSet *exec_stdio(Exec *e);
int exec_slot(const Exec *e);
Exec *exec_by_slot(Shim *s, int slot);
void exec_unstore_input(Exec *e);
int exec_restore(Shim *s, unsigned slot, const int *fds, size_t n_fds);
