/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pause and unpause. */
#include "command.h"
#include "for-each.h"

static int act(Client *c, const char *name, const void *verb) {
        return container_post(c, name, verb, NULL);
}

static int exec_pause(Client *c, void *options, char **args) {
        return for_each_name(c, args, act, "pause");
}

static int exec_unpause(Client *c, void *options, char **args) {
        return for_each_name(c, args, act, "unpause");
}

const Command command_pause = {
        .name = "pause",
        .alias = "container pause",
        .args = "CONTAINER [CONTAINER...]",
        .usage = "Freeze the processes of containers",
        .args_min = 1,
        .args_max = ARGS_ANY,
        .exec = exec_pause,
};

const Command command_unpause = {
        .name = "unpause",
        .alias = "container unpause",
        .args = "CONTAINER [CONTAINER...]",
        .usage = "Let paused containers go on",
        .args_min = 1,
        .args_max = ARGS_ANY,
        .exec = exec_unpause,
};
