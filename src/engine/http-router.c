/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "http-router.h"

#include "../basic/str.h"
#include "http-connection.h"

/** http_server_add_routes - add a table (copied); earlier ones win. */
int http_server_add_routes(HttpServer *s, const Route *routes, size_t n) {
        Route *p = reallocarray(s->routes, s->n_routes + n, sizeof(Route));

        if (!p)
                return -ENOMEM;
        memcpy(p + s->n_routes, routes, n * sizeof(Route));
        s->routes = p;
        s->n_routes += n;
        return 0;
}

/** http_request_free - free a request; its connection lives on. */
void http_request_free(HttpRequest *req) {
        http_head_done(&req->head);
        http_query_done(&req->query);
        for (size_t i = 0; i < req->n_args; i++)
                free(req->args[i]);
        buffer_done(&req->body);
        free(req);
}

/* "/v1.44/x" → "/x" and 44; without a version the newest. */
static int strip_version(const char *path, const char **ret_rest, unsigned *ret_minor, EngineError *reterr) {
        _cleanup_free_ char *text = NULL;
        uint64_t minor;
        const char *slash;

        *ret_rest = path;
        *ret_minor = API_MINOR_MAX;
        if (!startswith(path, "/v") || path[2] < '0' || path[2] > '9')
                return 0;
        slash = strchr(path + 1, '/');
        if (!slash)
                return 0;
        text = strndup(path + 2, (size_t) (slash - path - 2));
        if (!text)
                return -ENOMEM;
        if (!startswith(text, "1.") || parse_u64(text + 2, 1000, &minor) < 0)
                return error_set(reterr, -EINVAL, "invalid API version \"%s\": must be 1.%u to 1.%u", text,
                                 API_MINOR_MIN, API_MINOR_MAX);
        if (minor > API_MINOR_MAX)
                return error_set(reterr, -EINVAL,
                                 "client version %s is too new. Maximum supported API version is 1.%u", text,
                                 API_MINOR_MAX);
        if (minor < API_MINOR_MIN)
                return error_set(
                                reterr, -EINVAL,
                                "client version %s is too old. Minimum supported API version is 1.%u, please upgrade your "
                                "client to a newer version",
                                text, API_MINOR_MIN);
        *ret_rest = slash;
        *ret_minor = (unsigned) minor;
        return 0;
}

static size_t segment_length(const char *p) {
        return (size_t) (strchrnul(p, '/') - p);
}

static int add_arg(HttpRequest *req, const char *p, size_t n) {
        char *s;

        if (req->n_args >= ELEMENTSOF(req->args))
                return -E2BIG;
        s = strndup(p, n);
        if (!s)
                return -ENOMEM;
        req->args[req->n_args++] = s;
        return http_percent_decode(s, false);
}

static void clear_args(HttpRequest *req) {
        while (req->n_args > 0)
                free(req->args[--req->n_args]);
}

/* Return: 1 on a match (args filled), 0 on none, -errno. {*} takes as many segments as leave the rest of the
 * pattern to match. */
static int match(const char *pattern, const char *path, HttpRequest *req) {
        while (*pattern == '/' && *path == '/') {
                size_t pn, n;
                int r;

                pattern++, path++;
                pn = segment_length(pattern);
                n = segment_length(path);
                if (pn == 3 && strncmp(pattern, "{*}", 3) == 0) {
                        const char *rest = pattern + pn, *tail;

                        tail = *rest ? endswith(path, rest) : path + strlen(path);
                        if (!tail || tail == path)
                                return 0;
                        r = add_arg(req, path, (size_t) (tail - path));
                        return r < 0 ? r : 1;
                }
                if (pn == 2 && strncmp(pattern, "{}", 2) == 0) {
                        if (n == 0)
                                return 0;
                        r = add_arg(req, path, n);
                        if (r < 0)
                                return r;
                } else if (pn != n || strncmp(pattern, path, n) != 0)
                        return 0;
                pattern += pn;
                path += n;
        }
        return !*pattern && !*path;
}

/** http_route - see http-router.h. */
int http_route(HttpServer *s, HttpRequest *req, const Route **ret, EngineError *reterr) {
        const char *question = strchr(req->head.target, '?'), *path;
        _cleanup_free_ char *whole = NULL;
        int r;

        whole = question ? strndup(req->head.target, (size_t) (question - req->head.target))
                         : strdup(req->head.target);
        if (!whole)
                return -ENOMEM;
        r = strip_version(whole, &path, &req->api_minor, reterr);
        if (r < 0)
                return r;
        r = http_query_parse(question ? question + 1 : NULL, &req->query);
        if (r < 0)
                return error_set(reterr, r == -ENOMEM ? r : -EINVAL, "malformed query string");
        for (size_t i = 0; i < s->n_routes; i++) {
                if (!streq(s->routes[i].method, req->head.method))
                        continue;
                r = match(s->routes[i].pattern, path, req);
                if (r > 0) {
                        *ret = &s->routes[i];
                        return 0;
                }
                clear_args(req);
                if (r < 0)
                        return error_set(reterr, r == -ENOMEM ? r : -EINVAL, "malformed path \"%s\"", path);
        }
        return error_set(reterr, -ENOENT, "page not found");
}
