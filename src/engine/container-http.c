/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../basic/json.h"
#include "../basic/str.h"
#include "container-config.h"
#include "container-internal.h"
#include "kick.h"
#include "shim-link.h"
#include "skins.h"
#include "worker-job.h"

/* A reply that waits for an operation. When the client leaves first, only the request pointer is dropped. */
typedef struct PendingReply {
        HttpRequest *req;
} PendingReply;

static void on_client_gone(HttpRequest *req, void *userdata) {
        PendingReply *p = userdata;

        p->req = NULL;
}

static PendingReply *pending_new(HttpRequest *req) {
        PendingReply *p = new0(PendingReply, 1);

        if (p) {
                p->req = req;
                req->cancel = on_client_gone;
                req->userdata = p;
        }
        return p;
}

static void pending_abandon(PendingReply *p) {
        if (p->req)
                p->req->cancel = NULL;
        free(p);
}

static void on_done(Container *c, int error, EngineError *details, void *userdata) {
        _cleanup_free_ PendingReply *p = userdata;
        _cleanup_error_ EngineError e = {};

        if (!p->req)
                return;
        p->req->cancel = NULL;
        if (error == 0)
                (void) http_reply_empty(p->req, 204);
        else {
                if (details)
                        (void) error_set_status(&e, error, details->status, "%s",
                                                strempty(details->message));
                (void) http_reply_error(p->req, error, &e);
        }
}

/** http_find_container - see skins.h. */
int http_find_container(Manager *m, HttpRequest *req, Container **ret, EngineError *reterr) {
        int r = manager_find_container(m, req->args[0], ret);

        if (r == -EEXIST)
                return error_set(reterr, -EINVAL, "multiple IDs found with provided prefix: %s",
                                 req->args[0]);
        if (r < 0)
                return error_set(reterr, r, "No such container: %s", req->args[0]);
        return 0;
}

static int handle_create(Manager *m, HttpRequest *req, EngineError *reterr) {
        _cleanup_json_ json_object *body = NULL, *warnings = NULL, *reply = NULL;
        Container *c;
        int r;

        kick_now(m->kick);
        r = http_request_json(req, true, &body, reterr);
        if (r >= 0)
                r = container_create(m, http_query(req, "name"), http_query(req, "platform"), body, &c,
                                     &warnings, reterr);
        if (r < 0)
                return r;
        reply = json_object_new_object();
        if (!reply || json_set_str(reply, "Id", c->id) < 0 ||
            json_set(reply, "Warnings", warnings ? json_object_get(warnings) : json_object_new_array()) < 0)
                return -ENOMEM;
        return http_reply_json(req, 201, TAKE_PTR(reply));
}

static int handle_list(Manager *m, HttpRequest *req, EngineError *reterr) {
        const char *limit_text = http_query(req, "limit");
        json_object *list;
        int64_t limit = 0;
        int r;

        if (!isempty(limit_text) && parse_i64(limit_text, INT32_MIN, INT32_MAX, &limit) < 0)
                return error_set(reterr, -EINVAL, "invalid limit \"%s\": must be a number", limit_text);
        r = container_list_json(m, http_query_bool(req, "all", false), limit,
                                http_query_bool(req, "size", false), http_query(req, "filters"), &list,
                                reterr);
        return r < 0 ? r : http_reply_json(req, 200, list);
}

static int handle_inspect(Manager *m, HttpRequest *req, EngineError *reterr) {
        json_object *o;
        Container *c;
        int r;

        r = http_find_container(m, req, &c, reterr);
        if (r >= 0)
                r = container_to_inspect(c, http_query_bool(req, "size", false), &o, reterr);
        return r < 0 ? r : http_reply_json(req, 200, o);
}

static int handle_start(Manager *m, HttpRequest *req, EngineError *reterr) {
        PendingReply *p;
        Container *c;
        int r;

        kick_now(m->kick);
        r = http_find_container(m, req, &c, reterr);
        if (r < 0)
                return r;
        if (!isempty(http_query(req, "checkpoint")))
                return error_unsupported(reterr, "checkpoint");
        p = pending_new(req);
        if (!p)
                return -ENOMEM;
        r = container_start(c, on_done, p, reterr);
        if (r < 0)
                pending_abandon(p);
        return r;
}

static int parse_timeout(HttpRequest *req, int64_t *ret, EngineError *reterr) {
        const char *t = http_query(req, "t");

        *ret = INT64_MIN;
        if (!isempty(t) && parse_i64(t, -1, INT32_MAX, ret) < 0)
                return error_set(reterr, -EINVAL,
                                 "invalid stop timeout \"%s\": must be seconds, -1 to wait for ever", t);
        return 0;
}

typedef int (*StopLike)(Container *c, const char *signal, int64_t timeout, ContainerDone done,
                        void *userdata, EngineError *reterr);

static int stop_like(Manager *m, HttpRequest *req, StopLike verb, EngineError *reterr) {
        int64_t timeout;
        PendingReply *p;
        Container *c;
        int r;

        r = http_find_container(m, req, &c, reterr);
        if (r >= 0)
                r = parse_timeout(req, &timeout, reterr);
        if (r < 0)
                return r;
        p = pending_new(req);
        if (!p)
                return -ENOMEM;
        r = verb(c, http_query(req, "signal"), timeout, on_done, p, reterr);
        if (r < 0)
                pending_abandon(p);
        return r;
}

static int handle_stop(Manager *m, HttpRequest *req, EngineError *reterr) {
        return stop_like(m, req, container_stop, reterr);
}

static int handle_restart(Manager *m, HttpRequest *req, EngineError *reterr) {
        kick_now(m->kick);
        return stop_like(m, req, container_restart, reterr);
}

static int handle_kill(Manager *m, HttpRequest *req, EngineError *reterr) {
        Container *c;
        int r;

        r = http_find_container(m, req, &c, reterr);
        if (r >= 0)
                r = container_kill(c, http_query(req, "signal"), reterr);
        return r < 0 ? r : http_reply_empty(req, 204);
}

static int handle_remove(Manager *m, HttpRequest *req, EngineError *reterr) {
        PendingReply *p;
        Container *c;
        int r;

        r = http_find_container(m, req, &c, reterr);
        if (r < 0)
                return r;
        if (http_query_bool(req, "link", false))
                return error_unsupported(reterr, "link");
        p = pending_new(req);
        if (!p)
                return -ENOMEM;
        r = container_remove(c, http_query_bool(req, "force", false), http_query_bool(req, "v", false),
                             on_done, p, reterr);
        if (r < 0)
                pending_abandon(p);
        return r;
}

static int pause_like(Manager *m, HttpRequest *req, bool pause, EngineError *reterr) {
        PendingReply *p;
        Container *c;
        int r;

        r = http_find_container(m, req, &c, reterr);
        if (r < 0)
                return r;
        p = pending_new(req);
        if (!p)
                return -ENOMEM;
        r = container_pause(c, pause, on_done, p, reterr);
        if (r < 0)
                pending_abandon(p);
        return r;
}

static int handle_pause(Manager *m, HttpRequest *req, EngineError *reterr) {
        return pause_like(m, req, true, reterr);
}

static int handle_unpause(Manager *m, HttpRequest *req, EngineError *reterr) {
        return pause_like(m, req, false, reterr);
}

static int handle_rename(Manager *m, HttpRequest *req, EngineError *reterr) {
        _cleanup_error_ EngineError inner = {};
        Container *c;
        int r;

        r = http_find_container(m, req, &c, reterr);
        if (r < 0)
                return r;
        r = container_rename(c, http_query(req, "name"), &inner);
        if (r == -EEXIST)
                return error_set(reterr, r, "Error when allocating new name: %s", strempty(inner.message));
        if (r < 0) {
                error_move(reterr, &inner);
                return r;
        }
        return http_reply_empty(req, 204);
}

static const Route routes[] = {
        { "GET", "/containers/json", 0, handle_list },
        { "POST", "/containers/create", ROUTE_BODY, handle_create },
        { "GET", "/containers/{}/json", 0, handle_inspect },
        { "POST", "/containers/{}/start", ROUTE_BODY, handle_start },
        { "POST", "/containers/{}/stop", ROUTE_BODY, handle_stop },
        { "POST", "/containers/{}/restart", ROUTE_BODY, handle_restart },
        { "POST", "/containers/{}/kill", ROUTE_BODY, handle_kill },
        { "POST", "/containers/{}/pause", ROUTE_BODY, handle_pause },
        { "POST", "/containers/{}/unpause", ROUTE_BODY, handle_unpause },
        { "POST", "/containers/{}/rename", ROUTE_BODY, handle_rename },
        { "DELETE", "/containers/{}", ROUTE_BODY, handle_remove },
};

/** container_http_register - add the routes of the container life cycle. */
int container_http_register(Manager *m) {
        return HTTP_SERVER_ADD_ROUTES(m->http, routes);
}
