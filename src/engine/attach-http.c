/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../basic/fd.h"
#include "../basic/json.h"
#include "../basic/str.h"
#include "container-internal.h"
#include "shim-link.h"
#include "skins.h"

#define DETACH_KEYS_MAX 16

/*
 * Streams: the engine writes the response head and gives the client's socket to the shim (parked while there
 * is none). From then on it has nothing to do with them.
 */
static int pass_client(HttpRequest *req, Container *c, const char *head, const char *verb,
                       const Buffer *text) {
        int fd, leftover, fds[2], r;

        r = http_request_take(req, head, &fd, &leftover);
        if (r < 0)
                return 0; /* the client has left; there is nobody to tell */
        fds[0] = fd;
        fds[1] = leftover;
        (void) shim_send(c, verb, text, fds, leftover >= 0 ? 2 : 1, NULL, NULL);
        return 0;
}

static int put_flag(Buffer *b, const char *key, bool value) {
        return fields_put(b, '\n', key, value ? "1" : "0");
}

static bool is_detach_key(const char *s, size_t n) {
        return n == 1 || (n == 6 && strncmp(s, "ctrl-", 5) == 0 &&
                          ((s[5] >= 'a' && s[5] <= 'z') || (s[5] >= '[' && s[5] <= '_') || s[5] == '@'));
}

/** http_check_detach_keys - what the shim would refuse when it is too late for a status. @keys may be
 * NULL. */
int http_check_detach_keys(const char *keys, EngineError *reterr) {
        const char *p = strempty(keys);
        size_t count = 0;

        while (*p) {
                size_t n = *p == ',' ? 1 : strcspn(p, ",");

                if (!is_detach_key(p, n) || ++count > DETACH_KEYS_MAX ||
                    (p[n] && (p[n] != ',' || !p[n + 1])))
                        return error_set(reterr, -EINVAL, "Invalid detach keys (%s) provided", keys);
                p += n + (p[n] == ',');
        }
        return 0;
}

static int handle_attach(Manager *m, HttpRequest *req, EngineError *reterr) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT(4096), head = BUFFER_INIT(4096);
        const char *keys = http_query(req, "detachKeys");
        bool out, err;
        Container *c;
        int r;

        r = http_find_container(m, req, &c, reterr);
        if (r < 0)
                return r;
        if (c->status == CONTAINER_PAUSED)
                return error_set(reterr, -EBUSY,
                                 "container %s is paused, unpause the container before attach", c->id);
        if (http_query_bool(req, "logs", false))
                return error_unsupported(reterr, "attach with logs=1");
        r = http_check_detach_keys(keys, reterr);
        if (r < 0)
                return r;
        out = http_query_bool(req, "stdout", false);
        err = http_query_bool(req, "stderr", false);
        r = put_flag(&text, "stdin", http_query_bool(req, "stdin", false) && c->open_stdin);
        if (r >= 0)
                r = put_flag(&text, "stdout", out);
        if (r >= 0)
                r = put_flag(&text, "stderr", err);
        if (r >= 0)
                r = put_flag(&text, "mux", !c->tty);
        if (r >= 0 && keys)
                r = fields_put(&text, '\n', "detach-keys", keys);
        if (r >= 0)
                r = http_hijack_head(req, c->tty, &head);
        if (r < 0)
                return r;
        return pass_client(req, c, head.data, "attach", &text);
}

static int reply_wait(HttpRequest *req, Container *c) {
        _cleanup_json_ json_object *o = json_object_new_object();

        if (!o || json_set_int(o, "StatusCode", container_docker_exit_code(c)) < 0)
                return -ENOMEM;
        return http_reply_json(req, 200, TAKE_PTR(o));
}

static int handle_wait(Manager *m, HttpRequest *req, EngineError *reterr) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT(4096), head = BUFFER_INIT(4096);
        const char *condition = http_query(req, "condition");
        Container *c;
        int r;

        r = http_find_container(m, req, &c, reterr);
        if (r < 0)
                return r;
        if (isempty(condition))
                condition = "not-running";
        if (!streq(condition, "not-running") && !streq(condition, "next-exit") &&
            !streq(condition, "removed"))
                return error_set(reterr, -EINVAL, "invalid condition: \"%s\"", condition);
        if (streq(condition, "not-running") && !container_is_up(c) && c->status != CONTAINER_RESTARTING)
                return reply_wait(req, c);
        r = fields_put(&text, '\n', "condition", condition);
        if (r >= 0)
                r = http_common_head(&head, 200, "application/json");
        if (r >= 0)
                r = buffer_append_str(&head, "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n");
        if (r < 0)
                return r;
        return pass_client(req, c, head.data, "wait", &text);
}

static int parse_size(HttpRequest *req, const char *name, const char *what, unsigned *ret,
                      EngineError *reterr) {
        const char *v = strempty(http_query(req, name));
        uint64_t n;

        if (parse_u64(v, 65535, &n) < 0)
                return error_set(reterr, -EINVAL, "invalid resize %s \"%s\": invalid syntax", what, v);
        *ret = (unsigned) n;
        return 0;
}

/** http_parse_resize - h and w of a resize request. */
int http_parse_resize(HttpRequest *req, unsigned *ret_height, unsigned *ret_width, EngineError *reterr) {
        int r = parse_size(req, "h", "height", ret_height, reterr);

        return r < 0 ? r : parse_size(req, "w", "width", ret_width, reterr);
}

static int handle_resize(Manager *m, HttpRequest *req, EngineError *reterr) {
        unsigned height, width;
        Container *c;
        int r;

        r = http_find_container(m, req, &c, reterr);
        if (r >= 0)
                r = http_parse_resize(req, &height, &width, reterr);
        if (r >= 0)
                r = container_resize(c, height, width, reterr);
        return r < 0 ? r : http_reply_text(req, 200, "text/plain; charset=utf-8", "");
}

static const Route routes[] = {
        { "POST", "/containers/{}/attach", ROUTE_BODY, handle_attach },
        { "POST", "/containers/{}/wait", ROUTE_BODY, handle_wait },
        { "POST", "/containers/{}/resize", ROUTE_BODY, handle_resize },
};

/** attach_http_register - add the routes of attached streams. */
int attach_http_register(Manager *m) {
        return HTTP_SERVER_ADD_ROUTES(m->http, routes);
}
