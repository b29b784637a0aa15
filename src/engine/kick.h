/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Moving a process between cgroups waits for a whole RCU grace period (8 to 15 ms) unless another migration
 * happened just before (design facts, section 2). When a start is coming, a thread does one migration that
 * changes nothing, so that the wait passes while the request is still being worked on and PID 1's own
 * migrations are fast.
 */
typedef struct Kick Kick;

int kick_new(Kick **ret);
Kick *kick_free(Kick *k);
/* Returns at once; NULL is allowed. */
void kick_now(Kick *k);
