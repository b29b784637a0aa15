/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <strings.h>

#include "../basic/str.h"
#include "command.h"
#include "create-container.h"
#include "run-session.h"

static int help_hint(Client *c, int status) {
        command_error(c);
        fprintf(stderr, "\nRun 'berth run --help' for more information\n");
        return status;
}

static int start_detached(Client *c, const char *id) {
        _cleanup_free_ char *target = target_printf("/containers/", id, "/start");

        int status = 0;

        if (!target || client_call(c, "POST", target, NULL, NULL) < 0)
                status = help_hint(c, exit_status_of_start_error(c->error));
        /* Also of a container that could not be started: it exists. */
        printf("%s\n", id);
        return status;
}

static bool attaches(const ContainerOptions *o, const char *stream) {
        for (size_t i = 0; i < o->attach.n; i++)
                if (strcasecmp(o->attach.items[i], stream) == 0)
                        return true;
        return o->attach.n == 0;
}

static int check(Client *c, const ContainerOptions *o) {
        DetachKeys keys;

        if (o->detach && o->attach.n > 0)
                return client_fail(c, -EINVAL,
                                   "conflicting options: cannot specify both --attach and --detach");
        if (!o->detach && o->tty && o->interactive && !isatty(STDIN_FILENO))
                return client_fail(c, -ENOTTY, "the input device is not a TTY");
        if (!isempty(o->detach_keys) && detach_keys_parse(o->detach_keys, &keys) < 0)
                return client_fail(c, -EINVAL, "invalid detach keys (%s)", o->detach_keys);
        return 0;
}

static int exec_run(Client *c, void *options, char **args) {
        const ContainerOptions *o = options;
        AttachSettings a = { .with_stdin = o->interactive && attaches(o, "stdin"),
                             .with_stdout = attaches(o, "stdout"),
                             .with_stderr = attaches(o, "stderr"),
                             .tty = o->tty,
                             .sig_proxy = o->sig_proxy,
                             .start = true,
                             .detach_keys = o->detach_keys,
                             .wait_condition = o->rm ? "removed" : "next-exit" };
        _cleanup_container_session_ ContainerSession s;
        _cleanup_free_ char *id = NULL;
        int r;

        container_session_init(&s, c);
        r = check(c, o);
        if (r == -ENOTTY)
                return command_fail(c, 1);
        if (r >= 0 && !o->detach)
                r = container_session_connect(&s);
        if (r >= 0)
                r = container_create(c, o, args, &id);
        if (r < 0)
                return help_hint(c, 125);
        if (o->detach)
                return start_detached(c, id);
        r = container_session_run(&s, id, &a);
        if (r < 0)
                return s.session.start_failed ? help_hint(c, exit_status_of_start_error(c->error))
                                              : command_fail(c, 125);
        return session_exit_status(&s.session);
}

const Command command_run = {
        .name = "run",
        .alias = "container run",
        .args = "IMAGE [COMMAND] [ARG...]",
        .usage = "Make a container and run it",
        .flags = run_flags,
        .options_size = sizeof(ContainerOptions),
        .options = &container_options_default,
        .args_min = 1,
        .args_max = ARGS_ANY,
        .command_flags = COMMAND_STOP_AT_ARGUMENT | COMMAND_RUN_LIKE,
        .exec = exec_run,
};
