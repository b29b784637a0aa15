/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../basic/str.h"
#include "http-server.h"
#include "system-http.h"

/*
 * What the Docker Engine API has and this version has not. A client is told by name, with 501, instead of
 * "page not found": it can tell a gap from a typing error.
 */
static int not_supported(Manager *m, HttpRequest *req, EngineError *reterr) {
        _cleanup_free_ char *path = NULL, *name = NULL;
        const char *p = req->head.target;

        path = strndup(p, strcspn(p, "?"));
        if (!path)
                return -ENOMEM;
        p = path;
        if (startswith(p, "/v1.") && strchr(p + 1, '/'))
                p = strchr(p + 1, '/');
        name = str_printf("%s %s", req->head.method, p);
        return name ? error_unsupported(reterr, name) : -ENOMEM;
}

static int no_swarm(Manager *m, HttpRequest *req, EngineError *reterr) {
        return error_set_status(
                        reterr, -EOPNOTSUPP, 503,
                        "This node is not a swarm manager. "
                                "Use \"docker swarm init\" or \"docker swarm join\" "
                        "to connect "
                        "this node to swarm and try again.");
}

static int swarm_init(Manager *m, HttpRequest *req, EngineError *reterr) {
        return error_set(
                        reterr, -EOPNOTSUPP,
                        "swarm mode is not supported by berth: "
                         "make this machine a node of an existing cluster instead");
}

static const Route routes[] = {
        { "GET", "/containers/{}/top", 0, not_supported },
        { "GET", "/containers/{}/changes", 0, not_supported },
        { "GET", "/containers/{}/export", 0, not_supported },
        { "GET", "/containers/{}/stats", 0, not_supported },
        { "POST", "/containers/{}/update", 0, not_supported },
        { "GET", "/containers/{}/attach/ws", 0, not_supported },
        { "HEAD", "/containers/{}/archive", 0, not_supported },
        { "GET", "/containers/{}/archive", 0, not_supported },
        { "PUT", "/containers/{}/archive", 0, not_supported },
        { "POST", "/containers/prune", 0, not_supported },
        { "GET", "/containers/{}/checkpoints", 0, not_supported },
        { "POST", "/containers/{}/checkpoints", 0, not_supported },
        { "DELETE", "/containers/{}/checkpoints/{}", 0, not_supported },
        { "POST", "/build", 0, not_supported },
        { "POST", "/build/prune", 0, not_supported },
        { "POST", "/build/cancel", 0, not_supported },
        { "GET", "/images/search", 0, not_supported },
        { "GET", "/images/get", 0, not_supported },
        { "POST", "/images/prune", 0, not_supported },
        { "GET", "/images/{*}/get", 0, not_supported },
        { "GET", "/images/{*}/attestations", 0, not_supported },
        { "POST", "/images/{*}/push", 0, not_supported },
        { "POST", "/commit", 0, not_supported },
        { "POST", "/auth", 0, not_supported },
        { "GET", "/events", 0, not_supported },
        { "GET", "/system/df", 0, not_supported },
        { "GET", "/volumes", 0, not_supported },
        { "POST", "/volumes/create", 0, not_supported },
        { "POST", "/volumes/prune", 0, not_supported },
        { "GET", "/volumes/{}", 0, not_supported },
        { "PUT", "/volumes/{}", 0, not_supported },
        { "DELETE", "/volumes/{}", 0, not_supported },
        { "GET", "/networks", 0, not_supported },
        { "POST", "/networks/create", 0, not_supported },
        { "POST", "/networks/prune", 0, not_supported },
        { "GET", "/networks/{}", 0, not_supported },
        { "DELETE", "/networks/{}", 0, not_supported },
        { "POST", "/networks/{}/connect", 0, not_supported },
        { "POST", "/networks/{}/disconnect", 0, not_supported },
        { "GET", "/plugins/privileges", 0, not_supported },
        { "POST", "/plugins/pull", 0, not_supported },
        { "POST", "/plugins/create", 0, not_supported },
        { "GET", "/plugins/{*}/json", 0, not_supported },
        { "POST", "/plugins/{*}/enable", 0, not_supported },
        { "POST", "/plugins/{*}/disable", 0, not_supported },
        { "POST", "/plugins/{*}/upgrade", 0, not_supported },
        { "POST", "/plugins/{*}/push", 0, not_supported },
        { "POST", "/plugins/{*}/set", 0, not_supported },
        { "DELETE", "/plugins/{*}", 0, not_supported },
        { "GET", "/distribution/{*}/json", 0, not_supported },
        { "POST", "/session", 0, not_supported },
        { "POST", "/grpc", 0, not_supported },
        { "GET", "/debug/vars", 0, not_supported },
        { "GET", "/debug/pprof/{*}", 0, not_supported },
        { "POST", "/swarm/init", 0, swarm_init },
        { "POST", "/swarm/join", 0, swarm_init },
        { "GET", "/swarm", 0, no_swarm },
        { "POST", "/swarm/leave", 0, no_swarm },
        { "POST", "/swarm/update", 0, no_swarm },
        { "GET", "/swarm/unlockkey", 0, no_swarm },
        { "POST", "/swarm/unlock", 0, no_swarm },
        { "GET", "/nodes", 0, no_swarm },
        { "GET", "/nodes/{}", 0, no_swarm },
        { "DELETE", "/nodes/{}", 0, no_swarm },
        { "POST", "/nodes/{}/update", 0, no_swarm },
        { "GET", "/services", 0, no_swarm },
        { "POST", "/services/create", 0, no_swarm },
        { "GET", "/services/{}", 0, no_swarm },
        { "DELETE", "/services/{}", 0, no_swarm },
        { "POST", "/services/{}/update", 0, no_swarm },
        { "GET", "/services/{}/logs", 0, no_swarm },
        { "GET", "/tasks", 0, no_swarm },
        { "GET", "/tasks/{}", 0, no_swarm },
        { "GET", "/tasks/{}/logs", 0, no_swarm },
        { "GET", "/secrets", 0, no_swarm },
        { "POST", "/secrets/create", 0, no_swarm },
        { "GET", "/secrets/{}", 0, no_swarm },
        { "DELETE", "/secrets/{}", 0, no_swarm },
        { "POST", "/secrets/{}/update", 0, no_swarm },
        { "GET", "/configs", 0, no_swarm },
        { "POST", "/configs/create", 0, no_swarm },
        { "GET", "/configs/{}", 0, no_swarm },
        { "DELETE", "/configs/{}", 0, no_swarm },
        { "POST", "/configs/{}/update", 0, no_swarm },
};

/** unsupported_http_register - see system-http.h. */
int unsupported_http_register(Manager *m) {
        return HTTP_SERVER_ADD_ROUTES(m->http, routes);
}
