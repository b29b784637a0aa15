/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <getopt.h>

#include "../../basic/clock.h"
#include "../../basic/fd.h"
#include "../../basic/json.h"
#include "../../basic/log.h"
#include "../../basic/str.h"
#include "image-publish.h"
#include "import-changes.h"

/* POST /images/create?fromSrc=-: the body is a root file system's tar, compressed or not; it becomes an
 * image of one layer. */
typedef struct Import {
        Worker *worker;
        ImageStore *store;
        Staging staging;
        const char *ref;
        const char *message;
        const char *architecture;
        const char *variant;
        json_object *config;
        ArchivePlan plan;
        LayerJobs jobs;
        unsigned status;
        char *error;
} Import;

static int set_error(Import *m, int error, unsigned status, char *text) {
        free(m->error);
        m->status = status;
        m->error = text;
        return text ? error : -ENOMEM;
}

static int apply_change(Import *m, const char *change) {
        int r = import_change_apply(m->config, change, &m->error);

        m->status = r == -EOPNOTSUPP ? 501 : 400;
        return r;
}

/* OS[/ARCHITECTURE[/VARIANT]] */
static int set_platform(Import *m, char *platform) {
        char *slash = strchr(platform, '/');

        if (slash)
                *slash = 0;
        if (!streq(platform, "linux"))
                return set_error(m, -EOPNOTSUPP, 501,
                                 str_printf("operating system \"%.64s\" is not supported", platform));
        if (!slash)
                return 0;
        m->architecture = slash + 1;
        slash = strchr(slash + 1, '/');
        if (slash) {
                *slash = 0;
                m->variant = slash + 1;
        }
        return 0;
}

static int parse_options(Import *m, int argc, char *argv[]) {
        static const struct option options[] = {
                { "ref", required_argument, NULL, 'r' },      { "message", required_argument, NULL, 'm' },
                { "change", required_argument, NULL, 'c' },   { "changes", required_argument, NULL, 'c' },
                { "platform", required_argument, NULL, 'p' }, {},
        };
        int c, r = 0;

        while (r >= 0 && (c = getopt_long(argc, argv, "+", options, NULL)) != -1)
                switch (c) {
                case 'r': m->ref = optarg; break;
                case 'm': m->message = optarg; break;
                case 'c': r = apply_change(m, optarg); break;
                case 'p': r = *optarg ? set_platform(m, optarg) : 0; break;
                default: return -EINVAL;
                }
        return r < 0 ? r : optind < argc ? -EINVAL : 0;
}

static int add_rootfs(json_object *o, const char *hex) {
        json_object *rootfs = json_object_new_object(), *ids = json_object_new_array();
        _cleanup_free_ char *id = str_concat(DIGEST_PREFIX, hex);
        int r;

        r = json_set(o, "rootfs", rootfs);
        if (r >= 0)
                r = json_set_str(rootfs, "type", "layers");
        if (r >= 0)
                r = json_set(rootfs, "diff_ids", ids);
        else
                json_object_put(ids);
        return r < 0 ? r : id ? json_add_str(ids, id) : -ENOMEM;
}

static int add_history(Import *m, json_object *o, const char *created) {
        json_object *list = json_object_new_array(), *h = json_object_new_object();
        int r;

        r = json_set(o, "history", list);
        if (r < 0) {
                json_object_put(h);
                return r;
        }
        r = json_add(list, h);
        if (r >= 0)
                r = json_set_str(h, "created", created);
        return r < 0 ? r : json_set_str(h, "comment", isempty(m->message) ? "Imported from -" : m->message);
}

/* The image's configuration as text, which the image's id is the digest of. */
static int make_config(Import *m, const char *hex, char **ret) {
        _cleanup_json_ json_object *o = json_object_new_object();
        char created[RFC3339_MAX];
        int r;

        format_rfc3339(now_realtime(), created);
        r = json_set_str(o, "created", created);
        if (r >= 0)
                r = json_set_str(o, "architecture", m->architecture);
        if (r >= 0 && m->variant)
                r = json_set_str(o, "variant", m->variant);
        if (r >= 0)
                r = json_set_str(o, "os", "linux");
        if (r >= 0)
                r = json_set(o, "config", json_object_get(m->config));
        if (r >= 0)
                r = add_rootfs(o, hex);
        if (r >= 0)
                r = add_history(m, o, created);
        if (r < 0)
                return r;
        *ret = strdup(json_text(o));
        return *ret ? 0 : -ENOMEM;
}

static int make_plan(Import *m, const LayerJob *job) {
        PlanImage *i;
        char *text;
        int r;

        r = make_config(m, job->diff_id, &text);
        if (r < 0)
                return r;
        i = plan_add_image(&m->plan);
        if (!i) {
                free(text);
                return -ENOMEM;
        }
        r = plan_set_config(&m->plan, i, text, strlen(text), 1);
        return r < 0 || !m->ref ? r : plan_add_tag(&m->plan, i, m->ref);
}

/* Before a byte is read: a name nobody can have. */
static int check_ref(Import *m) {
        PlanImage i = { .tags = new0(char *, 1) };
        int r = i.tags ? plan_add_tag(&m->plan, &i, m->ref) : -ENOMEM;

        strv_free(i.tags);
        return r == -EBADMSG ? set_error(m, r, 400, TAKE_PTR(m->plan.error)) : r;
}

static int unpack(Import *m) {
        LayerJob job;
        int r;

        r = staging_open(m->store, &m->staging);
        if (r >= 0)
                r = layer_job_from_request(&m->staging, &m->worker->http, &job, &m->status, &m->error);
        if (r < 0)
                return r;
        m->jobs.staging = &m->staging;
        r = layer_jobs_add(&m->jobs, job.diff_id, -EBADF, 0);
        if (r < 0)
                return r;
        memcpy(m->jobs.items[0].name, job.name, sizeof(job.name));
        m->jobs.items[0].size = job.size;
        m->jobs.items[0].started = m->jobs.items[0].done = true;
        return make_plan(m, &job);
}

static int run(Import *m) {
        int r;

        if (isempty(m->ref))
                m->ref = NULL;
        r = m->ref ? check_ref(m) : 0;
        if (r >= 0)
                r = image_store_open(m->worker->root, &m->store);
        if (r >= 0)
                r = unpack(m);
        return r < 0 ? r : image_publish(m->store, &m->plan, &m->jobs, NULL, NULL);
}

static int answer(Import *m) {
        _cleanup_free_ char *id = str_concat(DIGEST_PREFIX, m->plan.images[0].hex);
        json_object *o = json_object_new_object();
        int r;

        r = id ? json_set_str(o, "status", id) : -ENOMEM;
        if (r < 0) {
                json_object_put(o);
                return r;
        }
        r = worker_http_line(&m->worker->http, o);
        return r < 0 ? r : worker_http_end(&m->worker->http);
}

static void answer_failure(Import *m, int error) {
        if (error == -EPIPE || m->worker->http.gone) {
                log_info("import: the client left, what was made is removed.");
                return;
        }
        if (!m->error)
                (void) set_error(m, error, error == -EINVAL ? 400 : 500,
                                 strdup(error == -ENOSPC ? "no space left on device" : strerror(-error)));
        log_info("import failed: %s", strempty(m->error));
        (void) worker_http_error(&m->worker->http, m->status, m->error ?: "out of memory");
}

/** worker_import - the job `import`. Return: 0, or -errno after the client was told. */
int worker_import(Worker *w, int argc, char *argv[]) {
        Import m = { .worker = w, .staging = STAGING_INIT, .architecture = host_architecture() };
        int r;

        m.config = json_object_new_object();
        r = m.config ? parse_options(&m, argc, argv) : -ENOMEM;
        if (r >= 0)
                r = run(&m);
        layer_jobs_done(&m.jobs);
        staging_done(&m.staging);
        if (r >= 0)
                r = answer(&m);
        else
                answer_failure(&m, r);
        archive_plan_done(&m.plan);
        json_object_put(m.config);
        image_store_close(m.store);
        free(m.error);
        return r;
}
