/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>

#include "../basic/str.h"
#include "command.h"
#include "run-session.h"

typedef struct AttachOptions {
        bool no_stdin;
        bool sig_proxy;
        const char *detach_keys;
} AttachOptions;

static const AttachOptions defaults = { .sig_proxy = true };

static const Flag attach_flags[] = {
        { "detach-keys", 0, FLAG_STRING, offsetof(AttachOptions, detach_keys), NULL,
          "Keys that detach from the terminal (default ctrl-p,ctrl-q)" },
        { "no-stdin", 0, FLAG_BOOL, offsetof(AttachOptions, no_stdin), NULL, "Leave stdin alone" },
        { "sig-proxy", 0, FLAG_BOOL, offsetof(AttachOptions, sig_proxy), NULL,
          "Pass signals on to the container (default true)" },
        {},
};

static int check_state(Client *c, json_object *container) {
        json_object *state = json_get(container, "State");
        bool yes = false;

        (void) json_get_bool(state, "Running", &yes);
        if (!yes)
                return client_fail(c, -EBUSY, "cannot attach to a stopped container, start it first");
        yes = false;
        (void) json_get_bool(state, "Paused", &yes);
        if (yes)
                return client_fail(c, -EBUSY, "cannot attach to a paused container, unpause it first");
        yes = false;
        (void) json_get_bool(state, "Restarting", &yes);
        return yes ? client_fail(c, -EBUSY,
                                 "cannot attach to a restarting container, wait until it is running")
                   : 0;
}

static int exec_attach(Client *c, void *options, char **args) {
        const AttachOptions *o = options;
        AttachSettings a = { .with_stdout = true, .with_stderr = true, .sig_proxy = o->sig_proxy,
                             .detach_keys = o->detach_keys, .wait_condition = "not-running" };
        _cleanup_container_session_ ContainerSession s;
        _cleanup_json_ json_object *container = NULL;
        _cleanup_free_ char *target = target_printf("/containers/", args[0], "/json");
        bool open_stdin = false;

        container_session_init(&s, c);
        if (!target || client_call(c, "GET", target, NULL, &container) < 0 || check_state(c, container) < 0)
                return command_fail(c, 1);
        (void) json_get_bool(json_get(container, "Config"), "Tty", &a.tty);
        (void) json_get_bool(json_get(container, "Config"), "OpenStdin", &open_stdin);
        a.with_stdin = !o->no_stdin && open_stdin;
        if (a.tty && a.with_stdin && !isatty(STDIN_FILENO)) {
                (void) client_fail(c, -ENOTTY, "the input device is not a TTY");
                return command_fail(c, 1);
        }
        if (container_session_run(&s, json_string_or(container, "Id", args[0]), &a) < 0)
                return command_fail(c, 1);
        return session_exit_status(&s.session);
}

const Command command_attach = {
        .name = "attach",
        .alias = "container attach",
        .args = "CONTAINER",
        .usage = "Connect to the streams of a running container",
        .flags = attach_flags,
        .options_size = sizeof(AttachOptions),
        .options = &defaults,
        .args_min = 1,
        .args_max = 1,
        .exec = exec_attach,
};
