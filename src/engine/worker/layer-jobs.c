/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "layer-jobs.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/stat.h>

#include "../../basic/fd.h"
#include "../../basic/str.h"
#include "report.h"

#define PARALLEL_MAX 4

/** layer_jobs_done - kill what runs; safe on a zeroed list. */
void layer_jobs_done(LayerJobs *j) {
        for (size_t i = 0; i < j->n; i++) {
                (void) sandbox_end(&j->items[i].child, true);
                (void) safe_close(j->items[i].input_fd);
        }
        free(j->items);
        free(j->error);
        *j = (LayerJobs){};
}

/** layer_jobs_find - the job of a layer, or NULL. */
LayerJob *layer_jobs_find(LayerJobs *j, const char *diff_id) {
        for (size_t i = 0; i < j->n; i++)
                if (streq(j->items[i].diff_id, diff_id))
                        return &j->items[i];
        return NULL;
}

/** layer_jobs_add - see layer-jobs.h. */
int layer_jobs_add(LayerJobs *j, const char *diff_id, int input_fd, uint64_t input_size) {
        LayerJob *p;

        if (layer_jobs_find(j, diff_id)) {
                (void) safe_close(input_fd);
                return 0;
        }
        p = reallocarray(j->items, j->n + 1, sizeof(*p));
        if (!p) {
                (void) safe_close(input_fd);
                return -ENOMEM;
        }
        j->items = p;
        p += j->n;
        *p = (LayerJob){ .input_fd = input_fd, .input_size = input_size, .child = SANDBOX_CHILD_INIT };
        memcpy(p->diff_id, diff_id, sizeof(p->diff_id));
        (void) snprintf(p->name, sizeof(p->name), "l%zu", j->n);
        j->n++;
        return 0;
}

static int start(Staging *g, LayerJob *job, LayerInput *in) {
        _cleanup_close_ int dir = -EBADF;

        if (mkdirat(g->fd, job->name, 0755) < 0)
                return negative_errno();
        dir = openat(g->fd, job->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (dir < 0 || fchmod(dir, 0755) < 0)
                return negative_errno();
        job->started = true;
        return sandbox_spawn(dir, job->input_fd, layer_extract_main, in, &job->child);
}

static int set_failure(unsigned *ret_status, char **ret_error, unsigned status, char *text, int error) {
        *ret_status = status;
        *ret_error = text;
        return text ? error : -ENOMEM;
}

static int take_done(LayerJob *job, const Fields *f, unsigned *ret_status, char **ret_error) {
        const char *hex = strempty(fields_get(f, "diff-id"));

        if (!hex_is_valid(hex, DIGEST_HEX) || fields_get_u64(f, "size", INT64_MAX, &job->size) < 0)
                return -EBADMSG;
        if (job->diff_id[0] && !streq(job->diff_id, hex))
                return set_failure(ret_status, ret_error, 400,
                                   str_printf("digest mismatch: layer " DIGEST_PREFIX "%s has " DIGEST_PREFIX
                                              "%s",
                                              job->diff_id, hex),
                                   -EBADMSG);
        memcpy(job->diff_id, hex, DIGEST_HEX + 1);
        job->done = true;
        (void) sandbox_end(&job->child, false);
        return 1;
}

/* Return: 1 when the layer is done, 0 to go on, -errno with status and text. */
static int take_report(LayerJob *job, unsigned *ret_status, char **ret_error) {
        _cleanup_fields_ Fields f = {};
        uint64_t status = 500;
        const char *verb;
        int r;

        r = report_receive(job->child.report_fd, &f);
        if (r < 0)
                return r;
        if (r == 0)
                return set_failure(ret_status, ret_error, 500,
                                   strdup("the process that unpacks the layer died"), -EIO);
        verb = strempty(fields_get(&f, "verb"));
        if (streq(verb, "progress"))
                return fields_get_u64(&f, "bytes", INT64_MAX, &job->progress) < 0 ? -EBADMSG : 0;
        if (streq(verb, "done"))
                return take_done(job, &f, ret_status, ret_error);
        (void) fields_get_u64(&f, "status", 599, &status);
        return set_failure(ret_status, ret_error, (unsigned) status,
                           job->diff_id[0] ? str_printf("layer " DIGEST_PREFIX "%s: %s", job->diff_id,
                                                        strempty(fields_get(&f, "message")))
                                           : str_printf("layer: %s", strempty(fields_get(&f, "message"))),
                           status == 400 ? -EBADMSG : -EIO);
}

static size_t parallel(void) {
        cpu_set_t set;
        int n = sched_getaffinity(0, sizeof(set), &set) < 0 ? 1 : CPU_COUNT(&set);

        return (size_t) MIN(MAX(n, 1), PARALLEL_MAX);
}

static int start_some(LayerJobs *j, size_t *running, LayerInput *in) {
        for (size_t i = 0; i < j->n && *running < parallel(); i++) {
                int r;

                if (j->items[i].started)
                        continue;
                r = start(j->staging, &j->items[i], in);
                if (r < 0)
                        return r;
                (*running)++;
        }
        return 0;
}

/* Waits for a report or for the client to leave. */
static int step(LayerJobs *j, WorkerHttp *http, size_t *running,
                void (*tell)(WorkerHttp *http, const LayerJob *job)) {
        struct pollfd p[PARALLEL_MAX + 1] = { { .fd = http->fd } };
        LayerJob *jobs[PARALLEL_MAX + 1] = {};
        nfds_t n = 1;
        int r;

        for (size_t i = 0; i < j->n && n < ELEMENTSOF(p); i++)
                if (j->items[i].child.report_fd >= 0) {
                        jobs[n] = &j->items[i];
                        p[n++] = (struct pollfd){ j->items[i].child.report_fd, POLLIN, 0 };
                }
        if (poll(p, n, -1) < 0)
                return errno == EINTR ? 0 : negative_errno();
        if (p[0].revents & (POLLHUP | POLLERR)) {
                http->gone = true;
                return -EPIPE;
        }
        for (nfds_t i = 1; i < n; i++) {
                if (!p[i].revents)
                        continue;
                r = take_report(jobs[i], &j->status, &j->error);
                if (r < 0)
                        return r;
                if (r > 0)
                        (*running)--;
                if (tell)
                        tell(http, jobs[i]);
        }
        return http->gone ? -EPIPE : 0;
}

/** layer_jobs_run - see layer-jobs.h. */
int layer_jobs_run(LayerJobs *j, WorkerHttp *http, void (*tell)(WorkerHttp *http, const LayerJob *job)) {
        LayerInput in = { .progress = tell != NULL };
        size_t running = 0;
        int r;

        /* All that run may end in one step, so only a start that starts nothing is the end. */
        for (;;) {
                r = start_some(j, &running, &in);
                if (r < 0 || running == 0)
                        return r;
                r = step(j, http, &running, tell);
                if (r < 0)
                        return r;
        }
}

static ssize_t read_request(void *userdata, void *data, size_t size) {
        return worker_http_read(userdata, data, size);
}

/** layer_job_from_request - unpack the body. Return: 0, -EPIPE (client left), -errno with status and text.
 */
int layer_job_from_request(Staging *g, WorkerHttp *http, LayerJob *ret, unsigned *ret_status,
                           char **ret_error) {
        LayerJob job = { .input_fd = http->fd, .child = SANDBOX_CHILD_INIT, .name = "l0" };
        LayerInput in = { .source = read_request, .userdata = http };
        int r;

        in.fd_slot = &http->fd;
        r = start(g, &job, &in);
        while (r == 0)
                r = take_report(&job, ret_status, ret_error);
        (void) sandbox_end(&job.child, true);
        worker_http_body_taken(http, r > 0);
        if (r < 0)
                return worker_http_client_gone(http) ? -EPIPE : r;
        *ret = job;
        ret->input_fd = -EBADF;
        return 0;
}
