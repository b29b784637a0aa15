/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../error.h"
#include "../process/caps.h"
#include "spec.h"

static const struct {
        const char *name;
        int resource;
} rlimit_names[] = {
        { "RLIMIT_AS", RLIMIT_AS },           { "RLIMIT_CORE", RLIMIT_CORE },
        { "RLIMIT_CPU", RLIMIT_CPU },         { "RLIMIT_DATA", RLIMIT_DATA },
        { "RLIMIT_FSIZE", RLIMIT_FSIZE },     { "RLIMIT_LOCKS", RLIMIT_LOCKS },
        { "RLIMIT_MEMLOCK", RLIMIT_MEMLOCK }, { "RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE },
        { "RLIMIT_NICE", RLIMIT_NICE },       { "RLIMIT_NOFILE", RLIMIT_NOFILE },
        { "RLIMIT_NPROC", RLIMIT_NPROC },     { "RLIMIT_RSS", RLIMIT_RSS },
        { "RLIMIT_RTPRIO", RLIMIT_RTPRIO },   { "RLIMIT_RTTIME", RLIMIT_RTTIME },
        { "RLIMIT_SIGPENDING", RLIMIT_SIGPENDING }, { "RLIMIT_STACK", RLIMIT_STACK },
};

static int parse_user(json_object *o, SpecProcess *p) {
        json_object *user, *gids;
        int64_t uid = 0, gid = 0, mask = -1;
        size_t n;
        int r;

        r = spec_object(o, "process", "user", &user);
        if (r <= 0)
                return r;
        if ((r = spec_int(user, "process.user", "uid", 0, UINT32_MAX - 1, &uid)) < 0 ||
            (r = spec_int(user, "process.user", "gid", 0, UINT32_MAX - 1, &gid)) < 0 ||
            (r = spec_int(user, "process.user", "umask", 0, 0777, &mask)) < 0 ||
            (r = spec_array(user, "process.user", "additionalGids", &gids, &n)) < 0)
                return r;
        p->uid = (uid_t) uid;
        p->gid = (gid_t) gid;
        p->has_umask = mask >= 0;
        p->umask = mask >= 0 ? (mode_t) mask : 0;
        if (n == 0)
                return 0;
        p->gids = new0(gid_t, n);
        if (!p->gids)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                json_object *g = json_object_array_get_idx(gids, i);
                int64_t v = json_object_is_type(g, json_type_int) ? json_object_get_int64(g) : -1;

                if (v < 0 || v >= UINT32_MAX)
                        return fail_text(EINVAL, "config.json: process.user.additionalGids: bad group id");
                p->gids[p->n_gids++] = (gid_t) v;
        }
        return 0;
}

static int parse_caps(json_object *o, SpecProcess *p) {
        static const char *const keys[_CAP_SET_MAX] = {
                [CAP_SET_BOUNDING] = "bounding",       [CAP_SET_EFFECTIVE] = "effective",
                [CAP_SET_INHERITABLE] = "inheritable", [CAP_SET_PERMITTED] = "permitted",
                [CAP_SET_AMBIENT] = "ambient",
        };
        json_object *caps;
        int r;

        r = spec_object(o, "process", "capabilities", &caps);
        if (r <= 0)
                return r;
        p->has_caps = true;
        for (CapSet i = 0; i < _CAP_SET_MAX; i++) {
                _cleanup_free_ const char **names = NULL;

                r = spec_strv(caps, "process.capabilities", keys[i], &names);
                if (r < 0)
                        return r;
                for (size_t k = 0; names && names[k]; k++)
                        caps_add(&p->caps[i], names[k]);
        }
        return 0;
}

static int parse_limit(json_object *o, const char *key, uint64_t *ret) {
        json_object *v = json_get(o, key);

        if (!v || !json_object_is_type(v, json_type_int))
                return fail_text(EINVAL, "config.json: process.rlimits.%s: expected a number", key);
        /* -1 has become the customary way to write "unlimited" beside the full unsigned range. */
        *ret = json_object_get_int64(v) < 0 ? UINT64_MAX : json_object_get_uint64(v);
        return 0;
}

static int parse_rlimits(json_object *o, SpecProcess *p) {
        json_object *a;
        size_t n;
        int r;

        r = spec_array(o, "process", "rlimits", &a, &n);
        if (r <= 0 || n == 0)
                return r;
        p->rlimits = new0(SpecRlimit, n);
        if (!p->rlimits)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                json_object *l = json_object_array_get_idx(a, i);
                const char *type = json_string_or(l, "type", "");
                SpecRlimit *limit = &p->rlimits[i];

                limit->resource = -1;
                for (size_t k = 0; k < ELEMENTSOF(rlimit_names); k++)
                        if (streq(rlimit_names[k].name, type)) {
                                limit->resource = rlimit_names[k].resource;
                                limit->name = rlimit_names[k].name;
                        }
                if (limit->resource < 0)
                        return fail_text(EINVAL, "config.json: process.rlimits: unknown limit \"%s\"", type);
                if ((r = parse_limit(l, "soft", &limit->soft)) < 0 ||
                    (r = parse_limit(l, "hard", &limit->hard)) < 0)
                        return r;
                if (limit->soft > limit->hard)
                        return fail_text(EINVAL, "config.json: process.rlimits: %s: soft exceeds hard",
                                         type);
                for (size_t k = 0; k < i; k++)
                        if (p->rlimits[k].resource == limit->resource)
                                return fail_text(EINVAL, "config.json: process.rlimits: %s given twice",
                                                 type);
                p->n_rlimits = i + 1;
        }
        return 0;
}

static int parse_console(json_object *o, SpecProcess *p) {
        int64_t height = 0, width = 0, most;
        json_object *size;
        int r;

        r = spec_flag(o, "process", "terminal", &p->terminal);
        if (r < 0)
                return r;
        r = spec_object(o, "process", "consoleSize", &size);
        if (r <= 0)
                return r;
        /* What no terminal has is to be ignored, if it is a size at all. */
        most = p->terminal ? UINT16_MAX : INT64_MAX;
        if ((r = spec_int(size, "process.consoleSize", "height", 0, most, &height)) < 0 ||
            (r = spec_int(size, "process.consoleSize", "width", 0, most, &width)) < 0 || !p->terminal)
                return r;
        p->console_height = (uint16_t) height;
        p->console_width = (uint16_t) width;
        return 0;
}

/* A program sees text in any case, and crun takes numbers here. */
static int numbers_to_text(json_object *args) {
        size_t n = json_object_is_type(args, json_type_array) ? json_object_array_length(args) : 0;

        for (size_t i = 0; i < n; i++) {
                json_object *a = json_object_array_get_idx(args, i), *text;

                if (!json_object_is_type(a, json_type_int))
                        continue;
                text = json_object_new_string(json_object_get_string(a));
                if (!text || json_object_array_put_idx(args, i, text) < 0)
                        return -ENOMEM;
        }
        return 0;
}

static int parse_environment(json_object *o, SpecProcess *p) {
        int r;

        if ((r = numbers_to_text(json_get(o, "args"))) < 0 ||
            (r = spec_strv(o, "process", "args", &p->args)) < 0 ||
            (r = spec_strv(o, "process", "env", &p->env)) < 0 ||
            (r = spec_string(o, "process", "cwd", &p->cwd)) < 0)
                return r;
        if (!p->args || !p->args[0])
                return fail_text(EINVAL, "config.json: process.args: expected at least one argument");
        if (!p->env) {
                p->env = new0(const char *, 1);
                if (!p->env)
                        return -ENOMEM;
        }
        if (!p->cwd || p->cwd[0] != '/')
                return fail_text(EINVAL, "config.json: process.cwd: expected an absolute path");
        return 0;
}

/**
 * spec_process_parse - the process object of config.json, or a file given to exec --process.
 * @ret: filled also on failure, release with spec_process_done() in both cases.
 *
 * Return: 0, -EINVAL or -EOPNOTSUPP with the field in fail_message(), -ENOMEM.
 */
int spec_process_parse(json_object *o, SpecProcess *ret) {
        int64_t oom = INT64_MIN;
        int r;

        if (!json_object_is_type(o, json_type_object))
                return fail_text(EINVAL, "process: expected an object");
        if (json_get(o, "commandLine"))
                return fail_text(EOPNOTSUPP, "config.json: process.commandLine: not supported on linux");
        if ((r = parse_console(o, ret)) < 0 || (r = parse_user(o, ret)) < 0 ||
            (r = parse_environment(o, ret)) < 0 || (r = parse_caps(o, ret)) < 0 ||
            (r = parse_rlimits(o, ret)) < 0)
                return r;
        if ((r = spec_flag(o, "process", "noNewPrivileges", &ret->no_new_privs)) < 0 ||
            (r = spec_string(o, "process", "apparmorProfile", &ret->apparmor)) < 0 ||
            (r = spec_string(o, "process", "selinuxLabel", &ret->selinux)) < 0 ||
            (r = spec_int(o, "process", "oomScoreAdj", -1000, 1000, &oom)) < 0 ||
            (r = spec_object(o, "process", "scheduler", &ret->scheduler)) < 0 ||
            (r = spec_object(o, "process", "ioPriority", &ret->io_priority)) < 0 ||
            (r = spec_object(o, "process", "execCPUAffinity", &ret->cpu_affinity)) < 0)
                return r;
        ret->has_oom = oom != INT64_MIN;
        ret->oom_score_adj = ret->has_oom ? (int) oom : 0;
        return 0;
}

/** spec_process_done - release the arrays. */
void spec_process_done(SpecProcess *p) {
        free(p->gids);
        free(p->args);
        free(p->env);
        free(p->rlimits);
        *p = (SpecProcess) {};
}
