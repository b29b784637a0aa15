/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "worker-http.h"

/* What every job of berth-worker gets. argv[0] is the job's name, options follow (getopt_long). Return: 0 or
 * -errno = exit 1. */
typedef struct Worker {
        WorkerHttp http;
        const char *root; /* state directory */
} Worker;

typedef int (*worker_job_t)(Worker *w, int argc, char *argv[]);

int worker_load(Worker *w, int argc, char *argv[]);
int worker_import(Worker *w, int argc, char *argv[]);
int worker_remove_tree(Worker *w, int argc, char *argv[]);
int worker_rmi_gc(Worker *w, int argc, char *argv[]);
