/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "../image/layer.h"
#include "layer-extract.h"
#include "sandbox.h"
#include "worker.h"

/* Layers being unpacked into a staging directory, several at once, each in a sandboxed child. */
typedef struct LayerJob {
        char diff_id[DIGEST_HEX + 1]; /* expected; "" takes what comes */
        char name[16];                /* directory below the staging directory */
        int input_fd;
        uint64_t input_size;
        uint64_t progress;
        uint64_t size; /* result */
        bool started, done;
        SandboxChild child;
} LayerJob;

typedef struct LayerJobs {
        Staging *staging; /* borrowed */
        LayerJob *items;
        size_t n;
        unsigned status; /* after a failure: HTTP status and text */
        char *error;
} LayerJobs;

void layer_jobs_done(LayerJobs *j);
#define _cleanup_layer_jobs_ _cleanup_(layer_jobs_done)

/* @input_fd is consumed. Return: 0 (also if the same layer is queued already), -ENOMEM. */
int layer_jobs_add(LayerJobs *j, const char *diff_id, int input_fd, uint64_t input_size);
LayerJob *layer_jobs_find(LayerJobs *j, const char *diff_id);
/* @tell (may be NULL) is called about five times a second and job. Return: 0, -EPIPE (client left), -errno
 * with status and text. */
int layer_jobs_run(LayerJobs *j, WorkerHttp *http, void (*tell)(WorkerHttp *http, const LayerJob *job));
/* One layer from the request's body. */
int layer_job_from_request(Staging *g, WorkerHttp *http, LayerJob *ret, unsigned *ret_status,
                           char **ret_error);
