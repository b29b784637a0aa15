/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../basic/json.h"
#include "../basic/log.h"
#include "../basic/str.h"
#include "container.h"
#include "http-server.h"
#include "image-filter.h"
#include "image/image-ref.h"
#include "image/image-store.h"
#include "system-http.h"
#include "worker-job.h"

static int resolve(Manager *m, const char *name, Image **ret, EngineError *reterr) {
        int r;

        r = image_resolve(m->images, name, ret);
        if (r < 0) {
                _cleanup_free_ char *text = image_error_text(name, r);

                return text ? error_set(reterr, r == -ENOTUNIQ ? -EINVAL : r, "%s", text) : -ENOMEM;
        }
        return 0;
}

/* Only one platform of an image is kept: asking for a certain one must not be answered with another. */
static int refuse_platform(HttpRequest *req, EngineError *reterr) {
        static const char *const names[] = { "platform", "platforms" };

        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                if (!isempty(http_query(req, names[i])))
                        return error_unsupported(reterr, names[i]);
        return 0;
}

static int list_images(Manager *m, HttpRequest *req, EngineError *reterr) {
        _cleanup_image_filter_ ImageFilter filter = {};
        _cleanup_image_list_ Image **images = NULL;
        _cleanup_json_ json_object *list = json_object_new_array();
        int r;

        if (!list)
                return -ENOMEM;
        r = image_filter_parse(m->images, http_query(req, "filters"), &filter, reterr);
        if (r < 0)
                return r;
        r = image_list(m->images, &images);
        for (size_t i = 0; r >= 0 && images[i]; i++) {
                json_object *o;

                if (!image_filter_match(&filter, images[i]))
                        continue;
                r = image_to_summary_json(images[i], &o);
                if (r >= 0)
                        r = json_add(list, o);
        }
        return r < 0 ? r : http_reply_json(req, 200, TAKE_PTR(list));
}

static int inspect_image(Manager *m, HttpRequest *req, EngineError *reterr) {
        _cleanup_image_ Image *i = NULL;
        json_object *o;
        int r;

        r = refuse_platform(req, reterr);
        if (r >= 0)
                r = resolve(m, req->args[0], &i, reterr);
        if (r >= 0)
                r = image_to_inspect_json(m->images, i, &o);
        return r < 0 ? r : http_reply_json(req, 200, o);
}

static int image_history(Manager *m, HttpRequest *req, EngineError *reterr) {
        _cleanup_image_ Image *i = NULL;
        json_object *o;
        int r;

        r = refuse_platform(req, reterr);
        if (r >= 0)
                r = resolve(m, req->args[0], &i, reterr);
        if (r >= 0)
                r = image_to_history_json(m->images, i, &o);
        return r < 0 ? r : http_reply_json(req, 200, o);
}

/* `repo` and `tag` of the query as one reference; "" when there is no repo. */
static char *query_reference(HttpRequest *req) {
        const char *repo = strempty(http_query(req, "repo")), *tag = http_query(req, "tag");

        return isempty(repo) || isempty(tag) ? strdup(repo) : str_concat(repo, ":", tag);
}

static int tag_image(Manager *m, HttpRequest *req, EngineError *reterr) {
        _cleanup_free_ char *reference = query_reference(req), *text = NULL;
        _cleanup_image_ Image *i = NULL;
        int r;

        if (!reference)
                return -ENOMEM;
        r = resolve(m, req->args[0], &i, reterr);
        if (r < 0)
                return r;
        r = image_tag(m->images, i->id, reference, &text);
        if (r < 0)
                return text ? error_set(reterr, r, "%s", text) : r;
        return http_reply_empty(req, 201);
}

static bool in_use(const char *image_id, bool running, const char **ret_container_id, void *userdata) {
        const Manager *m = userdata;
        size_t position = 0;
        void *value;

        while (hashmap_next(m->containers, &position, NULL, &value)) {
                const Container *c = value;

                if (!streq_ptr(c->image_id, image_id) || (running && !container_is_up(c)))
                        continue;
                *ret_container_id = c->id;
                return true;
        }
        return false;
}

static int remove_image(Manager *m, HttpRequest *req, EngineError *reterr) {
        static const char *const gc[] = { "rmi-gc", NULL };
        _cleanup_free_ char *text = NULL;
        json_object *records;
        int r;

        r = refuse_platform(req, reterr);
        if (r < 0)
                return r;
        r = image_remove(m->images, req->args[0], http_query_bool(req, "force", false), in_use, m, &records,
                         &text);
        if (r < 0)
                return text ? error_set(reterr, r == -ENOTUNIQ ? -EINVAL : r, "%s", text) : r;
        if (r > 0) {
                /* A later removal or load cleans up what this one could not. */
                r = worker_job_spawn(m, gc);
                if (r < 0)
                        (void) log_warning_errno(r, "Cannot start the removal of unused layers: %m");
        }
        return http_reply_json(req, 200, records);
}

static int load_image(Manager *m, HttpRequest *req, EngineError *reterr) {
        const char *args[] = { "load", http_query_bool(req, "quiet", false) ? "--quiet" : NULL, NULL };
        int r;

        r = refuse_platform(req, reterr);
        return r < 0 ? r : worker_job_start(m, req, args, reterr);
}

static int add_option(char ***args, const char *option, const char *value) {
        int r;

        if (isempty(value))
                return 0;
        r = strv_extend(args, option);
        return r < 0 ? r : strv_extend(args, value);
}

static int import_image(Manager *m, HttpRequest *req, EngineError *reterr) {
        _cleanup_free_ char *reference = query_reference(req), *text = NULL;
        _cleanup_strv_ char **args = NULL;
        int r;

        if (!reference)
                return -ENOMEM;
        if (!streq(http_query(req, "fromSrc"), "-"))
                return error_unsupported(reterr, "importing from a URL");
        if (!isempty(reference)) {
                _cleanup_image_ref_ ImageRef ref = {};

                /* Before the client sends gigabytes. */
                r = image_ref_parse(reference, &ref, &text);
                if (r < 0)
                        return text ? error_set(reterr, r, "%s", text) : r;
        }
        r = strv_extend(&args, "import");
        if (r >= 0)
                r = add_option(&args, "--ref", reference);
        if (r >= 0)
                r = add_option(&args, "--message", http_query(req, "message"));
        for (size_t i = 0; r >= 0 && i < req->query.n; i++)
                if (streq(req->query.items[i].name, "changes"))
                        r = add_option(&args, "--change", req->query.items[i].value);
        return r < 0 ? r : worker_job_start(m, req, (const char *const *) args, reterr);
}

static int refuse_pull(HttpRequest *req, EngineError *reterr) {
        const char *name = http_query(req, "fromImage"), *tag = http_query(req, "tag");
        _cleanup_free_ char *whole = NULL, *text = NULL, *canonical = NULL;
        _cleanup_image_ref_ ImageRef ref = {};
        int r;

        whole = isempty(tag) ? strdup(name) : str_concat(name, startswith(tag, "sha256:") ? "@" : ":", tag);
        if (!whole)
                return -ENOMEM;
        r = image_ref_parse(whole, &ref, &text);
        if (r < 0)
                return text ? error_set(reterr, r, "%s", text) : r;
        canonical = image_ref_canonical(&ref);
        if (!canonical)
                return -ENOMEM;
        return error_set(
                        reterr, -EOPNOTSUPP,
                        "pulling %s: pulling from a registry is not supported by this version of berth "
                         "(load or import the image)",
                        canonical);
}

static int create_image(Manager *m, HttpRequest *req, EngineError *reterr) {
        int r;

        if (!isempty(http_query(req, "fromImage")))
                return refuse_pull(req, reterr);
        if (isempty(http_query(req, "fromSrc")))
                return error_set(reterr, -EINVAL, "either fromImage or fromSrc is needed");
        r = refuse_platform(req, reterr);
        return r < 0 ? r : import_image(m, req, reterr);
}

static const Route routes[] = {
        { "GET", "/images/json", 0, list_images },
        { "POST", "/images/load", ROUTE_TAKE, load_image },
        { "POST", "/images/create", ROUTE_TAKE, create_image },
        { "GET", "/images/{*}/json", 0, inspect_image },
        { "GET", "/images/{*}/history", 0, image_history },
        { "POST", "/images/{*}/tag", 0, tag_image },
        { "DELETE", "/images/{*}", 0, remove_image },
};

/** image_http_register - see system-http.h. */
int image_http_register(Manager *m) {
        return HTTP_SERVER_ADD_ROUTES(m->http, routes);
}
