/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "../spec/spec.h"

int oom_score_apply(const SpecProcess *p);
int oom_score_apply_outside(pid_t pid, const SpecProcess *p);
