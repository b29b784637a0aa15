/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>

#include "../basic/str.h"
#include "command.h"
#include "for-each.h"
#include "run-session.h"

typedef struct StartOptions {
        bool attach;
        bool interactive;
        bool sig_proxy;
        const char *detach_keys;
} StartOptions;

static const StartOptions defaults = { .sig_proxy = true };

static const Flag start_flags[] = {
        { "attach", 'a', FLAG_BOOL, offsetof(StartOptions, attach), NULL,
          "Stay attached to stdout and stderr, and pass signals on" },
        { "detach-keys", 0, FLAG_STRING, offsetof(StartOptions, detach_keys), NULL,
          "Keys that detach from the terminal (default ctrl-p,ctrl-q)" },
        { "interactive", 'i', FLAG_BOOL, offsetof(StartOptions, interactive), NULL,
          "Pass our stdin on" },
        { "sig-proxy", 0, FLAG_BOOL, offsetof(StartOptions, sig_proxy), NULL,
          "Pass signals on to the container (default true)" },
        {},
};

static int start_one(Client *c, const char *name, const void *userdata) {
        return container_post(c, name, "start", NULL);
}

static int start_attached(Client *c, const StartOptions *o, const char *name) {
        AttachSettings a = { .with_stdout = true,
                             .with_stderr = true,
                             .start = true,
                             .sig_proxy = o->sig_proxy,
                             .detach_keys = o->detach_keys };
        _cleanup_container_session_ ContainerSession s;
        _cleanup_json_ json_object *container = NULL;
        _cleanup_free_ char *target = target_printf("/containers/", name, "/json");
        bool open_stdin = false, auto_remove = false;
        json_object *config;

        container_session_init(&s, c);
        if (!target || client_call(c, "GET", target, NULL, &container) < 0)
                return command_fail(c, 1);
        config = json_get(container, "Config");
        (void) json_get_bool(config, "Tty", &a.tty);
        (void) json_get_bool(config, "OpenStdin", &open_stdin);
        (void) json_get_bool(json_get(container, "HostConfig"), "AutoRemove", &auto_remove);
        a.with_stdin = o->interactive && open_stdin;
        a.wait_condition = auto_remove ? "removed" : "next-exit";
        if (a.tty && a.with_stdin && !isatty(STDIN_FILENO)) {
                (void) client_fail(c, -ENOTTY, "the input device is not a TTY");
                return command_fail(c, 1);
        }
        if (container_session_run(&s, json_string_or(container, "Id", name), &a) < 0)
                return command_fail(c, 1);
        return session_exit_status(&s.session);
}

static int exec_start(Client *c, void *options, char **args) {
        const StartOptions *o = options;

        if (!o->attach && !o->interactive)
                return for_each_name(c, args, start_one, NULL);
        if (args[1]) {
                (void) client_fail(c, -EINVAL, "you cannot start and attach multiple containers at once");
                return command_fail(c, 1);
        }
        return start_attached(c, o, args[0]);
}

const Command command_start = {
        .name = "start",
        .alias = "container start",
        .args = "CONTAINER [CONTAINER...]",
        .usage = "Start containers that exist",
        .flags = start_flags,
        .options_size = sizeof(StartOptions),
        .options = &defaults,
        .args_min = 1,
        .args_max = ARGS_ANY,
        .exec = exec_start,
};
