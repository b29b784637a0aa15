/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "exec.h"
#include "state.h"

/* What an exec runs; @root owns the strings of @process. */
typedef struct ExecProcess {
        SpecProcess process;
        json_object *root;
} ExecProcess;

void exec_process_done(ExecProcess *p);
#define _cleanup_exec_process_ _cleanup_(exec_process_done)

int exec_process_load(const ExecOptions *o, const State *s, ExecProcess *ret);
