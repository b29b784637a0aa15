/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>

#include "command.h"
#include "create-container.h"

static int exec_create(Client *c, void *options, char **args) {
        _cleanup_free_ char *id = NULL;

        if (container_create(c, options, args, &id) < 0)
                return command_fail(c, 1);
        printf("%s\n", id);
        return 0;
}

const Command command_create = {
        .name = "create",
        .alias = "container create",
        .args = "IMAGE [COMMAND] [ARG...]",
        .usage = "Make a container without starting it",
        .flags = run_flags + RUN_ONLY_FLAGS,
        .options_size = sizeof(ContainerOptions),
        .options = &container_options_default,
        .args_min = 1,
        .args_max = ARGS_ANY,
        .command_flags = COMMAND_STOP_AT_ARGUMENT,
        .exec = exec_create,
};
