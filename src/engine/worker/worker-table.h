/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "worker.h"

typedef struct WorkerJobEntry {
        const char *name;
        worker_job_t run;
} WorkerJobEntry;

/* NULL for an unknown job. */
const WorkerJobEntry *worker_job_find(const char *name);
