/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "manager.h"

/* PID 1 over sd-bus: two calls per container life at most (facts.md section 3, trap 7). */
typedef void (*UnitJobDone)(Manager *m, const char *id, int error, const char *result, void *userdata);

/* Listen for JobRemoved; once at start-up. */
int units_init(Manager *m);
void units_done(Manager *m);

/* StartUnit berth@<id>.service; @done hears how the job ended (@result is systemd's word, e.g. "failed"). */
int unit_start(Manager *m, const char *id, UnitJobDone done, void *userdata);

/* Is the shim's unit loaded and not dead (active, activating, deactivating, waiting for its restart)?
 * Return: 1, 0, -errno. */
int unit_is_alive(Manager *m, const char *id);

/* Stop a payload scope that nobody supervises any more. */
int unit_stop_scope(Manager *m, const char *id);
