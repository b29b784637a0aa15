/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <stdio.h>

#include "../basic/fd.h"
#include "../basic/json.h"
#include "../basic/log.h"
#include "../basic/str.h"
#include "container-internal.h"
#include "exec.h"
#include "shim-link.h"
#include "skins.h"

static int find_exec(Manager *m, HttpRequest *req, Exec **ret, EngineError *reterr) {
        int r = exec_load(m, req->args[0], ret);

        return r < 0 ? error_set(reterr, r == -ENOENT || r == -EINVAL ? -ENOENT : r,
                                 "No such exec instance: %s", req->args[0])
                     : 0;
}

static int handle_exec_create(Manager *m, HttpRequest *req, EngineError *reterr) {
        _cleanup_json_ json_object *body = NULL, *reply = NULL;
        _cleanup_(exec_freep) Exec *e = NULL;
        Container *c;
        int r;

        r = http_find_container(m, req, &c, reterr);
        if (r >= 0)
                r = http_request_json(req, true, &body, reterr);
        if (r >= 0)
                r = http_check_detach_keys(json_string_or(body, "DetachKeys", ""), reterr);
        if (r < 0)
                return r;
        if (!container_is_up(c))
                return error_set(reterr, -ESRCH, "container %s is not running", c->id);
        if (c->status == CONTAINER_PAUSED)
                return error_set(reterr, -EBUSY, "container %s is paused, unpause the container before exec",
                                 c->name);
        r = exec_create(c, body, &e, reterr);
        if (r < 0)
                return r;
        reply = json_object_new_object();
        if (!reply || json_set_str(reply, "Id", e->id) < 0)
                return -ENOMEM;
        return http_reply_json(req, 201, TAKE_PTR(reply));
}

static int put_flag(Buffer *b, const char *key, bool value) {
        return fields_put(b, '\n', key, value ? "1" : "0");
}

static int put_console_size(Buffer *b, json_object *body) {
        json_object *size;
        int r;

        if (json_get_array(body, "ConsoleSize", &size) <= 0 || json_object_array_length(size) != 2)
                return 0;
        r = fields_putf(b, '\n', "height", "%d", json_object_get_int(json_object_array_get_idx(size, 0)));
        return r < 0 ? r
                     : fields_putf(b, '\n', "width", "%d",
                                   json_object_get_int(json_object_array_get_idx(size, 1)));
}

static int build_exec_message(const Exec *e, json_object *body, bool detach, Buffer *b) {
        const struct {
                const char *key;
                bool value;
        } flags[] = {
                { "tty", e->tty },
                { "stdin", e->attach_stdin && !detach },
                { "stdout", e->attach_stdout && !detach },
                { "stderr", e->attach_stderr && !detach },
                { "detach", detach },
                { "mux", !e->tty },
        };
        int r = fields_put(b, '\n', "exec-id", e->id);

        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(flags); i++)
                r = put_flag(b, flags[i].key, flags[i].value);
        if (r >= 0 && !isempty(e->detach_keys))
                r = fields_put(b, '\n', "detach-keys", e->detach_keys);
        return r < 0 ? r : put_console_size(b, body);
}

typedef struct PendingExec {
        HttpRequest *req;
        int client_fd; /* attached: a second descriptor of the connection that the shim has now */
        char id[CONTAINER_ID_LENGTH + 1];
} PendingExec;

/*
 * What the shim answers when the runtime has failed is on disk, or will be, in its own words; a lost
 * connection says nothing. Everything else means that there never was a process.
 */
static void note_refusal(Container *c, int error, const PendingExec *p) {
        int r;

        if (error == 0 || error == -ENOENT || error == -EACCES || error == -EIO || error == -ECONNRESET)
                return;
        r = exec_mark_refused(c->id, p->id);
        if (r < 0 && r != -EEXIST)
                (void) log_warning_errno(r, "Cannot note that exec %s was refused: %m", p->id);
}

static void on_client_gone(HttpRequest *req, void *userdata) {
        ((PendingExec *) userdata)->req = NULL;
}

static void on_detached(Container *c, int error, const Fields *reply, void *userdata) {
        _cleanup_free_ PendingExec *p = userdata;
        _cleanup_error_ EngineError e = {};

        note_refusal(c, error, p);
        if (!p->req)
                return;
        p->req->cancel = NULL;
        if (error == 0) {
                (void) http_reply_text(p->req, 200, "application/vnd.docker.raw-stream", "");
                return;
        }
        (void) error_set(&e, error, "%s",
                         reply ? strempty(fields_get(reply, "message")) : strerrordesc_np(-error));
        (void) http_reply_error(p->req, error, &e);
}

static PendingExec *pending_new(const Exec *e) {
        PendingExec *p = new0(PendingExec, 1);

        if (p) {
                memcpy(p->id, e->id, sizeof(p->id));
                p->client_fd = -EBADF;
        }
        return p;
}

static int start_detached(Container *c, HttpRequest *req, const Exec *e, const Buffer *text) {
        PendingExec *p = pending_new(e);
        int r;

        if (!p)
                return -ENOMEM;
        p->req = req;
        req->cancel = on_client_gone;
        req->userdata = p;
        r = shim_send(c, "exec", text, NULL, 0, on_detached, p);
        if (r < 0) {
                req->cancel = NULL;
                free(p);
        }
        return r;
}

static void on_attached(Container *c, int error, const Fields *reply, void *userdata) {
        _cleanup_free_ PendingExec *p = userdata;

        note_refusal(c, error, p);
        /* Not before: at the end of the stream clients ask how it ended. */
        (void) safe_close(p->client_fd);
}

static int start_attached(Container *c, HttpRequest *req, const Exec *e, const Buffer *text) {
        _cleanup_buffer_ Buffer head = BUFFER_INIT(4096);
        _cleanup_free_ PendingExec *p = pending_new(e);
        int fds[2], r;

        if (!p)
                return -ENOMEM;
        r = http_hijack_head(req, e->tty, &head);
        if (r < 0)
                return r;
        r = http_request_take(req, head.data, &fds[0], &fds[1]);
        if (r >= 0) {
                p->client_fd = fcntl(fds[0], F_DUPFD_CLOEXEC, 3);
                r = shim_send(c, "exec", text, fds, fds[1] >= 0 ? 2 : 1, on_attached, p);
        }
        if (r < 0) {
                note_refusal(c, -ECANCELED, p); /* the client has left, or the queue is full */
                (void) safe_close(p->client_fd);
        } else
                TAKE_PTR(p);
        return 0;
}

static int handle_exec_start(Manager *m, HttpRequest *req, EngineError *reterr) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT(4096);
        _cleanup_json_ json_object *body = NULL;
        _cleanup_(exec_freep) Exec *e = NULL;
        bool detach = false, started, running;
        Container *c;
        int code, r;
        uint64_t pid;

        r = find_exec(m, req, &e, reterr);
        if (r >= 0)
                r = http_request_json(req, false, &body, reterr);
        if (r >= 0)
                r = manager_find_container(m, e->container_id, &c);
        if (r >= 0)
                r = exec_get_state(e, &started, &running, &code, &pid);
        if (r < 0)
                return r;
        if (started)
                return error_set(reterr, -EEXIST, "exec command %s has already run", e->id);
        if (!container_is_up(c))
                return error_set(reterr, -ESRCH, "container %s is not running", c->id);
        (void) json_get_bool(body, "Detach", &detach);
        r = build_exec_message(e, body, detach, &text);
        if (r >= 0)
                r = exec_mark_started(e, c);
        if (r < 0)
                return r;
        return detach ? start_detached(c, req, e, &text) : start_attached(c, req, e, &text);
}

static int handle_exec_inspect(Manager *m, HttpRequest *req, EngineError *reterr) {
        _cleanup_(exec_freep) Exec *e = NULL;
        json_object *o;
        int r;

        r = find_exec(m, req, &e, reterr);
        if (r >= 0)
                r = exec_to_inspect(m, e, &o, reterr);
        return r < 0 ? r : http_reply_json(req, 200, o);
}

static int handle_exec_resize(Manager *m, HttpRequest *req, EngineError *reterr) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT(4096);
        _cleanup_(exec_freep) Exec *e = NULL;
        unsigned height, width;
        bool started, running;
        Container *c;
        uint64_t pid;
        int code, r;

        r = find_exec(m, req, &e, reterr);
        if (r >= 0)
                r = http_parse_resize(req, &height, &width, reterr);
        if (r >= 0)
                r = manager_find_container(m, e->container_id, &c);
        if (r >= 0)
                r = exec_get_state(e, &started, &running, &code, &pid);
        if (r < 0)
                return r;
        if (!started || !running)
                return error_set(reterr, -ENOENT, "process does not exist %s: not found", e->id);
        r = fields_put(&text, '\n', "exec-id", e->id);
        if (r >= 0)
                r = fields_putf(&text, '\n', "height", "%u", height);
        if (r >= 0)
                r = fields_putf(&text, '\n', "width", "%u", width);
        if (r >= 0)
                r = shim_send(c, "exec-resize", &text, NULL, 0, NULL, NULL);
        return r < 0 ? r : http_reply_text(req, 200, "text/plain; charset=utf-8", "");
}

static const Route routes[] = {
        { "POST", "/containers/{}/exec", ROUTE_BODY, handle_exec_create },
        { "POST", "/exec/{}/start", ROUTE_BODY, handle_exec_start },
        { "POST", "/exec/{}/resize", ROUTE_BODY, handle_exec_resize },
        { "GET", "/exec/{}/json", 0, handle_exec_inspect },
};

/** exec_http_register - add the routes of exec. */
int exec_http_register(Manager *m) {
        return HTTP_SERVER_ADD_ROUTES(m->http, routes);
}
