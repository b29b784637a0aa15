/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "exec-process.h"

#include <fcntl.h>

#include "../basic/file.h"
#include "../basic/str.h"
#include "error.h"
#include "process/caps.h"

/** exec_process_done - release. */
void exec_process_done(ExecProcess *p) {
        spec_process_done(&p->process);
        json_object_put(p->root);
        p->root = NULL;
}

/* "uid[:gid]", numbers only: names are the caller's to resolve. */
static int set_user(json_object *user, const char *text) {
        _cleanup_strv_ char **parts = NULL;
        uint64_t uid, gid = 0;
        int r;

        r = strv_split(text, ':', &parts);
        if (r < 0)
                return r;
        if (strv_length(parts) < 1 || strv_length(parts) > 2 ||
            parse_u64(parts[0], UINT32_MAX - 1, &uid) < 0 ||
            (parts[1] && parse_u64(parts[1], UINT32_MAX - 1, &gid) < 0))
                return fail_text(EINVAL, "--user \"%s\": expected UID[:GID]", text);
        if ((r = json_set_int(user, "uid", (int64_t) uid)) < 0 ||
            (r = json_set_int(user, "gid", (int64_t) gid)) < 0)
                return r;
        json_object_object_del(user, "additionalGids");
        return 0;
}

static int append_env(json_object *process, const char *const *values) {
        json_object *a = json_get(process, "env");
        int r = 0;

        if (!values || !values[0])
                return 0;
        if (!a) {
                a = json_object_new_array();
                r = json_set(process, "env", a);
        }
        for (; r >= 0 && *values; values++) {
                if (!strchr(*values, '=') || **values == '=')
                        return fail_text(EINVAL,
                                         "--env \"%s\": invalid environment variable, expected NAME=VALUE",
                                         *values);
                r = json_add_str(a, *values);
        }
        return r;
}

static int add_groups(json_object *user, const char *const *gids) {
        json_object *a;
        int r = 0;

        if (!gids || !gids[0])
                return 0;
        a = json_object_new_array();
        r = json_set(user, "additionalGids", a);
        for (; r >= 0 && *gids; gids++) {
                uint64_t gid;

                if (parse_u64(*gids, UINT32_MAX - 1, &gid) < 0)
                        return fail_text(EINVAL, "--additional-gids \"%s\": expected a number", *gids);
                r = json_add(a, json_object_new_int64((int64_t) gid));
        }
        return r;
}

/* What is the container's own process, but not that of an exec. */
static int set_command(const ExecOptions *o, json_object *process) {
        json_object *args = json_object_new_array();
        int r;

        r = json_set(process, "args", args);
        for (const char *const *a = o->args; r >= 0 && *a; a++)
                r = json_add_str(args, *a);
        json_object_object_del(process, "consoleSize");
        return r < 0 ? r : json_set_bool(process, "terminal", false);
}

static int apply_options(const ExecOptions *o, json_object *process) {
        json_object *user;
        int r;

        r = append_env(process, o->env);
        if (r >= 0 && o->tty)
                r = json_set_bool(process, "terminal", true);
        if (r >= 0 && o->cwd)
                r = json_set_str(process, "cwd", o->cwd);
        if (r >= 0 && o->apparmor)
                r = json_set_str(process, "apparmorProfile", o->apparmor);
        if (r >= 0 && o->selinux)
                r = json_set_str(process, "selinuxLabel", o->selinux);
        if (r >= 0 && o->no_new_privs)
                r = json_set_bool(process, "noNewPrivileges", true);
        user = json_get(process, "user");
        if (r >= 0 && !user) {
                user = json_object_new_object();
                r = json_set(process, "user", user);
        }
        if (r >= 0 && o->user)
                r = set_user(user, o->user);
        return r < 0 ? r : add_groups(user, o->add_gids);
}

/* The process of the container itself, as at create. */
static int load_container_process(const State *s, json_object **ret_root, json_object **ret_process) {
        _cleanup_json_ json_object *root = NULL;
        int r;

        r = json_load_at(s->dir_fd, "config.json", SPEC_SIZE_MAX, &root);
        if (r < 0)
                return fail_errno(r, "configuration of %s", s->id);
        *ret_process = json_get(root, "process");
        if (!*ret_process)
                return fail_text(EBADMSG, "configuration of %s has no process", s->id);
        *ret_root = TAKE_PTR(root);
        return 0;
}

/* A process file that does not mention capabilities means those of the container. */
static int inherit_caps(const State *s, SpecProcess *p) {
        _cleanup_json_ json_object *root = NULL;
        SpecProcess own = {};
        json_object *process;
        int r;

        r = load_container_process(s, &root, &process);
        if (r >= 0)
                r = spec_process_parse(process, &own);
        if (r >= 0 && own.has_caps) {
                memcpy(p->caps, own.caps, sizeof(p->caps));
                p->has_caps = true;
                p->caps[CAP_SET_INHERITABLE] = p->caps[CAP_SET_AMBIENT] = 0;
        }
        spec_process_done(&own);
        return r;
}

static void add_caps(SpecProcess *p, const char *const *names) {
        uint64_t more = 0;

        for (; names && *names; names++)
                caps_add(&more, *names);
        p->caps[CAP_SET_BOUNDING] |= more;
        p->caps[CAP_SET_EFFECTIVE] |= more;
        p->caps[CAP_SET_PERMITTED] |= more;
        /* As runc does: inheritable is what a container had that wants its capabilities to stay. */
        if (p->caps[CAP_SET_INHERITABLE] != 0)
                p->caps[CAP_SET_AMBIENT] |= more;
}

/**
 * exec_process_load - what to run: the --process file, or the container's own process with another command;
 * either changed by the flags.
 * @ret: valid for exec_process_done() also on failure.
 */
int exec_process_load(const ExecOptions *o, const State *s, ExecProcess *ret) {
        json_object *process;
        int r;

        if (o->process) {
                process = ret->root = json_object_get(o->process);
                if (!json_object_is_type(process, json_type_object))
                        return fail_text(EINVAL, "process file %s: expected an object", o->process_file);
        } else {
                r = load_container_process(s, &ret->root, &process);
                if (r >= 0)
                        r = set_command(o, process);
                if (r < 0)
                        return r;
        }
        r = apply_options(o, process);
        if (r < 0)
                return r;
        r = spec_process_parse(process, &ret->process);
        if (r < 0)
                return r;
        if (!ret->process.has_caps) {
                r = inherit_caps(s, &ret->process);
                if (r < 0)
                        return r;
        }
        add_caps(&ret->process, o->add_caps);
        return 0;
}
