/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "exec-config.h"

#include "../basic/json.h"
#include "../basic/str.h"
#include "capability-set.h"
#include "env-list.h"
#include "option-table.h"

static const Option exec_options[] = {
        { "User", OPTION_STRING },
        { "Privileged", OPTION_BOOL },
        { "Tty", OPTION_BOOL },
        { "ConsoleSize", OPTION_ARRAY },
        { "AttachStdin", OPTION_BOOL },
        { "AttachStderr", OPTION_BOOL },
        { "AttachStdout", OPTION_BOOL },
        { "DetachKeys", OPTION_STRING },
        { "Env", OPTION_STRINGS },
        { "WorkingDir", OPTION_STRING },
        { "Cmd", OPTION_STRINGS },
        {},
};

static bool console_size_is_valid(json_object *size) {
        if (!size || json_object_array_length(size) == 0)
                return true;
        if (json_object_array_length(size) != 2)
                return false;
        for (size_t i = 0; i < 2; i++) {
                json_object *n = json_object_array_get_idx(size, i);

                if (!json_object_is_type(n, json_type_int) || json_object_get_int64(n) < 0 ||
                    json_object_get_int64(n) > UINT16_MAX)
                        return false;
        }
        return true;
}

/** exec_check_request - see exec-config.h. Return: 0, -EINVAL with Docker's text, -ENOMEM. */
int exec_check_request(json_object *request, EngineError *reterr) {
        _cleanup_json_ json_object *checked = NULL;
        json_object *env, *cmd;
        const char *dir;
        int r;

        if (!json_object_is_type(request, json_type_object))
                return error_set(reterr, -EINVAL, "invalid JSON: expected an object");
        r = options_merge(exec_options, "ExecConfig", request, &checked, reterr);
        if (r < 0)
                return r;
        cmd = json_get(request, "Cmd");
        if (!cmd || json_object_array_length(cmd) == 0)
                return error_set(reterr, -EINVAL, "No exec command specified");
        dir = json_string_or(request, "WorkingDir", "");
        if (!isempty(dir) && dir[0] != '/')
                return error_set(reterr, -EINVAL,
                                 "the working directory '%s' is invalid, it needs to be an absolute path",
                                 dir);
        env = json_get(request, "Env");
        for (size_t i = 0; env && i < json_object_array_length(env); i++) {
                const char *e = json_object_get_string(json_object_array_get_idx(env, i));

                if (isempty(e) || e[0] == '=')
                        return error_set(reterr, -EINVAL, "invalid environment variable: %s", e);
        }
        if (!console_size_is_valid(json_get(request, "ConsoleSize")))
                return error_set(reterr, -EINVAL, "invalid ConsoleSize");
        return 0;
}

static int put_env(json_object *out, json_object *container_process, json_object *request, bool tty,
                   const UserIdentity *identity) {
        _cleanup_strv_ char **env = NULL, **user = NULL;
        int r;

        r = json_get_strv(container_process, "env", &env);
        if (r >= 0 && tty && !env_list_find(env, "TERM"))
                r = strv_extend(&env, "TERM=xterm");
        if (r >= 0)
                r = json_get_strv(request, "Env", &user);
        if (r >= 0)
                r = env_list_apply(&env, user);
        if (r >= 0 && !env_list_find(env, "HOME"))
                r = strv_consume(&env, str_concat("HOME=", identity->home));
        return r < 0 ? r : json_set(out, "env", json_new_strv(env));
}

static int put_user(json_object *out, const UserIdentity *identity) {
        json_object *user = json_object_new_object(), *groups;
        int r = json_set(out, "user", user);

        if (r >= 0)
                r = json_set_int(user, "uid", identity->uid);
        if (r >= 0)
                r = json_set_int(user, "gid", identity->gid);
        if (r < 0 || identity->n_groups == 0)
                return r;
        groups = json_object_new_array();
        r = json_set(user, "additionalGids", groups);
        for (size_t i = 0; r >= 0 && i < identity->n_groups; i++)
                r = json_add(groups, json_object_new_int64(identity->groups[i]));
        return r;
}

/* Who is not root has nothing effective after an exec anyway; said in full it is so before, too. */
static int put_capabilities(json_object *out, json_object *container_process, bool privileged,
                            const UserIdentity *identity) {
        json_object *own = json_get(json_get(container_process, "capabilities"), "bounding"),
                    *o = json_object_new_object();
        static const char *const sets[] = { "bounding", "effective", "permitted" };
        int r = json_set(out, "capabilities", o);

        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(sets); i++) {
                if (i > 0 && identity->uid != 0)
                        r = json_set(o, sets[i], json_object_new_array());
                else if (privileged)
                        r = json_set(o, sets[i], capability_set_to_json(capability_set_all()));
                else
                        r = json_set(o, sets[i], own ? json_object_get(own) : json_object_new_array());
        }
        if (r >= 0)
                r = json_set(o, "inheritable", json_object_new_array());
        return r >= 0 ? json_set(o, "ambient", json_object_new_array()) : r;
}

static int copy(json_object *out, json_object *from, const char *key) {
        json_object *v = json_get(from, key);

        return v ? json_set(out, key, json_object_get(v)) : 0;
}

static int put_console_size(json_object *out, json_object *request) {
        json_object *size = json_get(request, "ConsoleSize"), *o;
        int r;

        if (!size || json_object_array_length(size) != 2 ||
            json_object_get_int64(json_object_array_get_idx(size, 0)) == 0)
                return 0;
        o = json_object_new_object();
        r = json_set(out, "consoleSize", o);
        if (r >= 0)
                r = json_set(o, "height", json_object_get(json_object_array_get_idx(size, 0)));
        return r >= 0 ? json_set(o, "width", json_object_get(json_object_array_get_idx(size, 1))) : r;
}

/** exec_build_process - see exec-config.h; @request has passed exec_check_request(). Return: 0, -EINVAL,
 * -ENOMEM. */
int exec_build_process(json_object *container_process, json_object *request, const UserIdentity *identity,
                       json_object **ret, EngineError *reterr) {
        _cleanup_json_ json_object *out = json_object_new_object();
        const char *dir = json_string_or(request, "WorkingDir", "");
        bool tty = false, privileged = false;
        int r;

        if (!out)
                return -ENOMEM;
        (void) json_get_bool(request, "Tty", &tty);
        (void) json_get_bool(request, "Privileged", &privileged);
        r = json_set_bool(out, "terminal", tty);
        if (r >= 0 && tty)
                r = put_console_size(out, request);
        if (r >= 0)
                r = put_user(out, identity);
        if (r >= 0)
                r = json_set(out, "args", json_object_get(json_get(request, "Cmd")));
        if (r >= 0)
                r = put_env(out, container_process, request, tty, identity);
        if (r >= 0)
                r = json_set_str(out, "cwd",
                                 isempty(dir) ? json_string_or(container_process, "cwd", "/") : dir);
        if (r >= 0)
                r = put_capabilities(out, container_process, privileged, identity);
        if (r >= 0)
                r = copy(out, container_process, "rlimits");
        if (r >= 0)
                r = copy(out, container_process, "noNewPrivileges");
        if (r >= 0)
                r = copy(out, container_process, "oomScoreAdj");
        if (r < 0)
                return error_fill(reterr, r);
        *ret = TAKE_PTR(out);
        return 0;
}
