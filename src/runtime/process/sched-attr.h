/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "../spec/spec.h"

int sched_check(const SpecProcess *p);
void sched_reset_affinity(void);
int sched_apply_initial_affinity(const SpecProcess *p);
int sched_apply_final_affinity(const SpecProcess *p);
int sched_apply(const SpecProcess *p);
