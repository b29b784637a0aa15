/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "command.h"
#include "for-each.h"

static int exec_rename(Client *c, void *options, char **args) {
        _cleanup_buffer_ Buffer query = BUFFER_INIT(HTTP_HEAD_MAX);

        if (query_add(&query, "name", args[1]) < 0 || container_post(c, args[0], "rename", &query) < 0)
                return command_fail(c, 1);
        return 0;
}

const Command command_rename = {
        .name = "rename",
        .alias = "container rename",
        .args = "CONTAINER NEW_NAME",
        .usage = "Give a container another name",
        .args_min = 2,
        .args_max = 2,
        .exec = exec_rename,
};
