/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* stop, restart and kill: one signal, one optional time. */
#include <inttypes.h>
#include <stdio.h>

#include "command.h"
#include "for-each.h"

typedef struct StopOptions {
        const char *signal;
        int64_t timeout;
} StopOptions;

typedef struct StopCall {
        const char *verb;
        Buffer query;
} StopCall;

static const StopOptions defaults = { .timeout = INT64_MIN };

static const Flag stop_flags[] = {
        { "signal", 's', FLAG_STRING, offsetof(StopOptions, signal), NULL,
          "Signal to send" },
        { "timeout", 't', FLAG_INT, offsetof(StopOptions, timeout), NULL,
          "Seconds to wait before the kill; -1: for ever" },
        { "time", 0, FLAG_INT, offsetof(StopOptions, timeout), NULL, "The same as --timeout" },
        {},
};

static const Flag kill_flags[] = {
        { "signal", 's', FLAG_STRING, offsetof(StopOptions, signal), NULL,
          "Signal to send" },
        {},
};

static int act(Client *c, const char *name, const void *userdata) {
        const StopCall *call = userdata;

        return container_post(c, name, call->verb, &call->query);
}

static int stop(Client *c, const StopOptions *o, char **args, const char *verb) {
        StopCall call = { .verb = verb, .query = BUFFER_INIT(HTTP_HEAD_MAX) };
        char seconds[32];
        int r = 0;

        if (o->signal)
                r = query_add(&call.query, "signal", o->signal);
        if (r >= 0 && o->timeout != INT64_MIN) {
                (void) snprintf(seconds, sizeof(seconds), "%" PRId64, o->timeout);
                r = query_add(&call.query, "t", seconds);
        }
        r = r < 0 ? command_fail(c, 1) : for_each_name(c, args, act, &call);
        buffer_done(&call.query);
        return r;
}

static int exec_stop(Client *c, void *options, char **args) {
        return stop(c, options, args, "stop");
}

static int exec_restart(Client *c, void *options, char **args) {
        return stop(c, options, args, "restart");
}

static int exec_kill(Client *c, void *options, char **args) {
        return stop(c, options, args, "kill");
}

const Command command_stop = {
        .name = "stop",
        .alias = "container stop",
        .args = "CONTAINER [CONTAINER...]",
        .usage = "Stop containers",
        .flags = stop_flags,
        .options_size = sizeof(StopOptions),
        .options = &defaults,
        .args_min = 1,
        .args_max = ARGS_ANY,
        .exec = exec_stop,
};

const Command command_restart = {
        .name = "restart",
        .alias = "container restart",
        .args = "CONTAINER [CONTAINER...]",
        .usage = "Stop containers and start them again",
        .flags = stop_flags,
        .options_size = sizeof(StopOptions),
        .options = &defaults,
        .args_min = 1,
        .args_max = ARGS_ANY,
        .exec = exec_restart,
};

const Command command_kill = {
        .name = "kill",
        .alias = "container kill",
        .args = "CONTAINER [CONTAINER...]",
        .usage = "Send a signal to containers",
        .flags = kill_flags,
        .options_size = sizeof(StopOptions),
        .options = &defaults,
        .args_min = 1,
        .args_max = ARGS_ANY,
        .exec = exec_kill,
};
