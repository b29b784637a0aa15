/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>

#include "../basic/clock.h"
#include "../basic/str.h"
#include "container.h"
#include "http-server.h"
#include "skins.h"
#include "system-http.h"
#include "worker-job.h"

/* Docker's fractional unix times; absent, empty and 0 mean "no limit". */
static int add_time(HttpRequest *req, char ***args, const char *name, EngineError *reterr) {
        const char *value = http_query(req, name);
        char *option;
        usec_t t;

        if (isempty(value) || streq(value, "0"))
                return 0;
        if (parse_unix_time(value, &t) < 0)
                return error_set(reterr, -EINVAL, "invalid value for %s: \"%s\" is not a unix time", name,
                                 value);
        option = str_printf("--%s=%" PRIu64, name, t);
        return option ? strv_consume(args, option) : -ENOMEM;
}

/* Anything but a number means all, as in dockerd. */
static int add_tail(HttpRequest *req, char ***args) {
        const char *value = http_query(req, "tail");
        char *option;
        uint64_t n;

        if (isempty(value) || parse_u64(value, UINT32_MAX, &n) < 0)
                return 0;
        option = str_printf("--tail=%" PRIu64, n);
        return option ? strv_consume(args, option) : -ENOMEM;
}

static int add_container(const Container *c, char ***args) {
        char *option;
        int r;

        option = str_concat("--id=", c->id);
        r = option ? strv_consume(args, option) : -ENOMEM;
        if (r < 0)
                return r;
        option = str_printf("--epoch=%" PRIu64, c->epoch);
        r = option ? strv_consume(args, option) : -ENOMEM;
        if (r >= 0 && c->tty)
                r = strv_extend(args, "--tty");
        return r;
}

static bool may_say_more(const Container *c) {
        return container_is_up(c) || c->status == CONTAINER_STARTING || c->status == CONTAINER_RESTARTING;
}

static int get_logs(Manager *m, HttpRequest *req, EngineError *reterr) {
        static const char *const switches[] = { "stdout", "stderr", "timestamps" };
        _cleanup_strv_ char **args = NULL;
        Container *c;
        int r;

        r = http_find_container(m, req, &c, reterr);
        if (r < 0)
                return r;
        if (!http_query_bool(req, "stdout", false) && !http_query_bool(req, "stderr", false))
                return error_set(reterr, -EINVAL, "Bad parameters: you must choose at least one stream");
        if (http_query_bool(req, "details", false))
                return error_unsupported(reterr, "details");

        r = strv_extend(&args, "logs");
        if (r >= 0)
                r = add_container(c, &args);
        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(switches); i++)
                if (http_query_bool(req, switches[i], false)) {
                        char *option = str_concat("--", switches[i]);

                        r = option ? strv_consume(&args, option) : -ENOMEM;
                }
        if (r >= 0)
                r = add_time(req, &args, "since", reterr);
        if (r >= 0)
                r = add_time(req, &args, "until", reterr);
        if (r >= 0)
                r = add_tail(req, &args);
        if (r >= 0 && http_query_bool(req, "follow", false) && may_say_more(c))
                r = strv_extend(&args, "--follow");
        return r < 0 ? r : worker_job_start(m, req, (const char *const *) args, reterr);
}

static const Route routes[] = {
        { "GET", "/containers/{}/logs", 0, get_logs },
};

/** logs_http_register - see system-http.h. */
int logs_http_register(Manager *m) {
        return HTTP_SERVER_ADD_ROUTES(m->http, routes);
}
