/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "http-server.h"

/*
 * Give a request to a berth-worker process: it gets the client's socket as fd 3, bytes already read as fd 4,
 * writes the whole response itself. @args: worker's argv behind the framing options, NULL-terminated (job
 * name first). The request is gone afterwards in any case but a negative return.
 */
int worker_job_start(Manager *m, HttpRequest *req, const char *const *args, EngineError *reterr);
/* A worker without a client: tree removal, garbage collection. */
int worker_job_spawn(Manager *m, const char *const *args);
