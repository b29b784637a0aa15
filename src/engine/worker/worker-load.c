/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <getopt.h>
#include <sys/stat.h>

#include "../../basic/clock.h"
#include "../../basic/fd.h"
#include "../../basic/json.h"
#include "../../basic/log.h"
#include "../../basic/str.h"
#include "../image/image-ref.h"
#include "image-publish.h"

/*
 * POST /images/load: spool the archive's members, read the manifest, unpack the layers that are not there,
 * publish. Nothing appears in the store before all of it is checked, and what was made so far lies in one
 * staging directory until then.
 */
#define PROGRESS_AFTER (1 * USEC_PER_SEC)
#define PUBLISH_TRIES  3

typedef struct Load {
        Worker *worker;
        ImageStore *store;
        bool quiet;
        usec_t started;
        Staging staging;
        MemberSpool spool;
        ArchivePlan plan;
        LayerJobs jobs;
        unsigned status; /* of the failure, with its text */
        char *error;
} Load;

static usec_t progress_from;

static int stream_line(WorkerHttp *h, const char *key, char *text) {
        json_object *o = json_object_new_object();
        int r;

        r = text && o ? json_set_str(o, key, text) : -ENOMEM;
        free(text);
        if (r < 0) {
                json_object_put(o);
                return r;
        }
        return worker_http_line(h, o);
}

/* As much of Docker's progress line as its client needs: it draws the bar itself. */
static void tell_progress(WorkerHttp *h, const LayerJob *job) {
        json_object *o, *detail;

        if (now_monotonic() < progress_from)
                return;
        o = json_object_new_object();
        detail = json_object_new_object();
        if (!o || json_set(o, "progressDetail", detail) < 0 ||
            json_set_str(o, "status", "Loading layer") < 0 ||
            json_set_int(detail, "current", (int64_t) (job->done ? job->input_size : job->progress)) < 0 ||
            json_set_int(detail, "total", (int64_t) job->input_size) < 0) {
                json_object_put(o);
                return;
        }
        if (json_object_object_add(o, "id", json_object_new_string_len(job->diff_id, 12)) < 0) {
                json_object_put(o);
                return;
        }
        /* Whether the client is still there shows in http->gone. */
        (void) worker_http_line(h, o);
}

static int open_members_dir(Staging *g) {
        int fd;

        if (mkdirat(g->fd, "members", 0700) < 0)
                return negative_errno();
        fd = openat(g->fd, "members", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        return fd < 0 ? negative_errno() : fd;
}

static int spool(Load *l) {
        int fd = open_members_dir(&l->staging);

        return fd < 0 ? fd : member_spool_fill(&l->spool, &l->worker->http, fd, &l->status, &l->error);
}

static int plan(Load *l) {
        int r;

        r = archive_plan_make(&l->plan, &l->spool, host_architecture());
        if (r == -EBADMSG) {
                l->status = 400;
                l->error = TAKE_PTR(l->plan.error);
        }
        return r;
}

static int queue_layers(Load *l) {
        for (size_t k = 0; k < l->plan.n; k++) {
                const PlanImage *i = &l->plan.images[k];

                for (size_t n = 0; n < i->n_layers; n++) {
                        const PlanLayer *layer = &i->layers[n];
                        uint64_t size;
                        int fd, r;

                        /* A layer nobody knows the size of is unpacked once more just to learn it. */
                        if (layer_exists(l->store, layer->diff_id) &&
                            image_known_layer_size(l->store, layer->diff_id, &size) >= 0)
                                continue;
                        if (layer_jobs_find(&l->jobs, layer->diff_id))
                                continue;
                        fd = member_spool_open(&l->spool, layer->member);
                        if (fd < 0)
                                return fd;
                        r = layer_jobs_add(&l->jobs, layer->diff_id, fd, layer->member->size);
                        if (r < 0)
                                return r;
                }
        }
        return 0;
}

static int unpack(Load *l) {
        int r;

        l->jobs.staging = &l->staging;
        r = queue_layers(l);
        if (r >= 0)
                r = layer_jobs_run(&l->jobs, &l->worker->http, l->quiet ? NULL : tell_progress);
        if (r < 0 && l->jobs.error) {
                l->status = l->jobs.status;
                l->error = TAKE_PTR(l->jobs.error);
        }
        return r;
}

static char *familiar(const char *canonical) {
        _cleanup_image_ref_ ImageRef ref = {};

        return image_ref_parse(canonical, &ref, NULL) < 0 ? NULL : image_ref_familiar(&ref);
}

static void tell_replaced(void *userdata, const char *canonical, const char *old_hex) {
        _cleanup_free_ char *name = familiar(canonical);
        Load *l = userdata;

        (void) stream_line(
                        &l->worker->http, "stream",
                        str_printf("The image %s already exists, renaming the old one with ID " DIGEST_PREFIX
                                   "%s to empty string\n",
                                   strempty(name), old_hex));
}

static int unpack_and_publish(Load *l) {
        int r;

        for (unsigned i = 0; i < PUBLISH_TRIES; i++) {
                r = unpack(l);
                if (r >= 0)
                        r = image_publish(l->store, &l->plan, &l->jobs, tell_replaced, l);
                if (r != -EAGAIN)
                        break;
        }
        return r;
}

static int tell_loaded(Load *l) {
        WorkerHttp *h = &l->worker->http;
        int r = 0;

        for (size_t k = 0; r >= 0 && k < l->plan.n; k++) {
                const PlanImage *i = &l->plan.images[k];

                for (char **t = i->tags; r >= 0 && *t; t++) {
                        _cleanup_free_ char *name = familiar(*t);

                        r = stream_line(h, "stream", str_printf("Loaded image: %s\n", strempty(name)));
                }
                if (!*i->tags)
                        r = stream_line(h, "stream",
                                        str_printf("Loaded image ID: " DIGEST_PREFIX "%s\n", i->hex));
        }
        return r < 0 ? r : worker_http_end(h);
}

static void answer_failure(Load *l, int error) {
        _cleanup_free_ char *text = NULL;

        if (error == -EPIPE || l->worker->http.gone) {
                log_info("load: the client left, what was made is removed.");
                return;
        }
        if (!l->error) {
                l->status = 500;
                l->error = strdup(error == -ENOSPC ? "no space left on device" : strerror(-error));
        }
        log_info("load failed: %s", strempty(l->error));
        text = str_concat("load failed: ", strempty(l->error));
        (void) worker_http_error(&l->worker->http, l->status, text ?: "out of memory");
}

static int parse_options(Load *l, int argc, char *argv[]) {
        static const struct option options[] = { { "quiet", no_argument, NULL, 'q' }, {} };
        int c;

        while ((c = getopt_long(argc, argv, "+", options, NULL)) != -1)
                if (c == 'q')
                        l->quiet = true;
                else
                        return -EINVAL;
        return optind < argc ? -EINVAL : 0;
}

/** worker_load - the job `load`. Return: 0, or -errno after the client was told. */
int worker_load(Worker *w, int argc, char *argv[]) {
        Load l = { .worker = w, .staging = STAGING_INIT, .spool = MEMBER_SPOOL_INIT };
        int r;

        r = parse_options(&l, argc, argv);
        if (r < 0)
                return r;
        progress_from = now_monotonic() + PROGRESS_AFTER;
        r = image_store_open(w->root, &l.store);
        if (r >= 0)
                r = staging_open(l.store, &l.staging);
        if (r >= 0)
                r = spool(&l);
        if (r >= 0)
                r = plan(&l);
        if (r >= 0)
                r = unpack_and_publish(&l);
        /* The leftovers are gone before the client is told, so that it finds nothing of them. */
        layer_jobs_done(&l.jobs);
        staging_done(&l.staging);
        if (r >= 0)
                r = tell_loaded(&l);
        else
                answer_failure(&l, r);
        archive_plan_done(&l.plan);
        member_spool_done(&l.spool);
        image_store_close(l.store);
        free(l.error);
        return r;
}
