/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>

#include "../basic/str.h"
#include "command.h"
#include "container-options.h"
#include "run-session.h"

typedef struct ExecOptions {
        bool detach;
        bool interactive;
        bool privileged;
        bool tty;
        const char *detach_keys;
        const char *user;
        const char *workdir;
        StringList env;
        StringList env_file;
} ExecOptions;

#define OFFSET(field) offsetof(ExecOptions, field)
static const Flag exec_flags[] = {
        { "detach", 'd', FLAG_BOOL, OFFSET(detach), NULL, "Do not wait for the command" },
        { "detach-keys", 0, FLAG_STRING, OFFSET(detach_keys), NULL,
          "Keys that detach from the terminal (default ctrl-p,ctrl-q)" },
        { "env", 'e', FLAG_LIST, OFFSET(env), NULL,
          "Environment variable (NAME=VALUE, or NAME to pass our own)" },
        { "env-file", 0, FLAG_LIST, OFFSET(env_file), NULL, "File with one environment variable per line" },
        { "interactive", 'i', FLAG_BOOL, OFFSET(interactive), NULL, "Pass our stdin on" },
        { "privileged", 0, FLAG_BOOL, OFFSET(privileged), NULL, "Run with all capabilities" },
        { "tty", 't', FLAG_BOOL, OFFSET(tty), NULL, "Give the process a terminal" },
        { "user", 'u', FLAG_STRING, OFFSET(user), NULL,
          "User, and group, to run as (name or number[:group])" },
        { "workdir", 'w', FLAG_STRING, OFFSET(workdir), NULL, "Directory to run in" },
        {},
};

static int add_console_size(const ExecOptions *o, json_object *body) {
        unsigned rows, columns;
        json_object *size;
        int r;

        if (!o->tty || o->detach || terminal_size(&rows, &columns) < 0)
                return 0;
        size = json_object_new_array();
        r = json_set(body, "ConsoleSize", size);
        if (r >= 0)
                r = json_add(size, json_object_new_int64(rows));
        return r < 0 ? r : json_add(size, json_object_new_int64(columns));
}

static int set_flags(const ExecOptions *o, json_object *body) {
        const struct {
                const char *key;
                bool value;
        } flags[] = {
                { "Tty", o->tty },
                { "Privileged", o->privileged },
                { "Detach", o->detach },
                { "AttachStdin", o->interactive && !o->detach },
                { "AttachStdout", !o->detach },
                { "AttachStderr", !o->detach },
        };
        int r = 0;

        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(flags); i++)
                if (flags[i].value)
                        r = json_set_bool(body, flags[i].key, true);
        return r;
}

static int exec_config_new(Client *c, const ExecOptions *o, char **command, json_object **ret) {
        _cleanup_json_ json_object *body = json_object_new_object(), *env = json_object_new_array();
        int r = body && env ? set_flags(o, body) : -ENOMEM;

        if (r >= 0)
                r = json_set(body, "Cmd", json_new_strv(command));
        if (r >= 0 && o->user)
                r = json_set_str(body, "User", o->user);
        if (r >= 0 && o->workdir)
                r = json_set_str(body, "WorkingDir", o->workdir);
        if (r >= 0 && o->detach_keys)
                r = json_set_str(body, "DetachKeys", o->detach_keys);
        if (r >= 0)
                r = env_add_files(c, env, &o->env_file);
        for (size_t i = 0; r >= 0 && i < o->env.n; i++)
                r = env_add(c, env, o->env.items[i], true);
        if (r >= 0 && json_object_array_length(env) > 0)
                r = json_set(body, "Env", TAKE_PTR(env));
        if (r >= 0)
                r = add_console_size(o, body);
        if (r >= 0)
                *ret = TAKE_PTR(body);
        return r;
}

static int start_body(const ExecOptions *o, json_object **ret) {
        _cleanup_json_ json_object *body = json_object_new_object();
        int r = body ? json_set_bool(body, "Detach", o->detach) : -ENOMEM;

        if (r >= 0)
                r = json_set_bool(body, "Tty", o->tty);
        if (r >= 0)
                r = add_console_size(o, body);
        if (r >= 0)
                *ret = TAKE_PTR(body);
        return r;
}

static int exit_code(Client *c, const char *id) {
        _cleanup_free_ char *target = target_printf("/exec/", id, "/json");
        _cleanup_json_ json_object *o = NULL;
        bool running = false;
        int64_t code;

        if (!target || client_call(c, "GET", target, NULL, &o) < 0)
                return command_fail(c, 1);
        if (json_get_bool(o, "Running", &running) > 0 && running)
                return 0;
        if (json_get_int(o, "ExitCode", INT32_MIN, INT32_MAX, &code) <= 0) {
                (void) client_fail(c, -EBADMSG, "the exit code of the command is unknown");
                return command_fail(c, 1);
        }
        return (int) (code & 255);
}

static int run_attached(Client *c, const ExecOptions *o, const char *id, json_object *body) {
        _cleanup_free_ char *target = target_printf("/exec/", id, "/start"),
                            *resize = target_printf("/exec/", id, "/resize");
        const char *text = json_text(body);
        Request rq = {
                .method = "POST", .target = target, .body = text, .body_size = strlen(text), .upgrade = true
        };
        _cleanup_session_ Session s;
        int r = target && resize ? 0 : -ENOMEM;

        session_init(&s, c);
        s.tty = o->tty;
        s.with_stdin = o->interactive;
        s.detach_keys = o->detach_keys;
        s.resize_target = o->tty ? resize : NULL;
        if (r >= 0)
                r = connection_open(c, &s.stream);
        if (r >= 0)
                r = request_send(c, &s.stream, &rq);
        if (r >= 0)
                r = session_stream_head(&s);
        if (r < 0)
                return command_fail(c, exit_status_of_start_error(c->error) == 125
                                                       ? 1
                                                       : exit_status_of_start_error(c->error));
        r = session_run(&s);
        if (r < 0)
                return command_fail(c, 1);
        if (s.detached || s.died_of || s.stdout_error)
                return session_exit_status(&s);
        return exit_code(c, id);
}

static int exec_exec(Client *c, void *options, char **args) {
        const ExecOptions *o = options;
        _cleanup_json_ json_object *config = NULL, *reply = NULL, *start = NULL;
        _cleanup_free_ char *target = target_printf("/containers/", args[0], "/exec"), *start_target = NULL;
        const char *id;
        DetachKeys keys;
        int r = target ? 0 : -ENOMEM;

        if (!o->detach && o->tty && o->interactive && !isatty(STDIN_FILENO))
                r = client_fail(c, -ENOTTY, "the input device is not a TTY");
        else if (!isempty(o->detach_keys) && detach_keys_parse(o->detach_keys, &keys) < 0)
                r = client_fail(c, -EINVAL, "invalid detach keys (%s)", o->detach_keys);
        if (r >= 0)
                r = exec_config_new(c, o, args + 1, &config);
        if (r >= 0)
                r = client_call(c, "POST", target, config, &reply);
        id = json_string_or(reply, "Id", NULL);
        if (r >= 0 && !id)
                r = client_fail(c, -EBADMSG, "exec ID empty");
        if (r >= 0)
                r = start_body(o, &start);
        if (r < 0)
                return command_fail(c, 1);
        if (!o->detach)
                return run_attached(c, o, id, start);
        start_target = target_printf("/exec/", id, "/start");
        if (!start_target || client_call(c, "POST", start_target, start, NULL) < 0)
                return command_fail(c, exit_status_of_start_error(c->error) == 125
                                                       ? 1
                                                       : exit_status_of_start_error(c->error));
        return 0;
}

const Command command_exec = {
        .name = "exec",
        .alias = "container exec",
        .args = "CONTAINER COMMAND [ARG...]",
        .usage = "Run a command in a running container",
        .flags = exec_flags,
        .options_size = sizeof(ExecOptions),
        .args_min = 2,
        .args_max = ARGS_ANY,
        .command_flags = COMMAND_STOP_AT_ARGUMENT,
        .exec = exec_exec,
};
