/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "worker-table.h"

#include "worker-logs.h"

static const WorkerJobEntry jobs[] = {
        { "import", worker_import },           { "load", worker_load },     { "logs", worker_logs },
        { "remove-tree", worker_remove_tree }, { "rmi-gc", worker_rmi_gc },
};

/** worker_job_find - the job called @name, NULL if there is none. */
const WorkerJobEntry *worker_job_find(const char *name) {
        for (size_t i = 0; i < ELEMENTSOF(jobs); i++)
                if (streq(jobs[i].name, name))
                        return &jobs[i];
        return NULL;
}
