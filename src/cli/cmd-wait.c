/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <stdio.h>

#include "command.h"

static int exec_wait(Client *c, void *options, char **args) {
        int status = 0;

        for (; *args; args++) {
                _cleanup_free_ char *target = target_printf("/containers/", *args, "/wait");
                _cleanup_json_ json_object *o = NULL;
                int64_t code;

                if (!target || client_call(c, "POST", target, NULL, &o) < 0) {
                        status = command_fail(c, 1);
                        continue;
                }
                if (json_get_int(o, "StatusCode", INT64_MIN, INT64_MAX, &code) <= 0) {
                        (void) client_fail(c, -EBADMSG, "the exit code of %s is unknown", *args);
                        status = command_fail(c, 1);
                        continue;
                }
                printf("%" PRId64 "\n", code);
                (void) fflush(stdout);
        }
        return status;
}

const Command command_wait = {
        .name = "wait",
        .alias = "container wait",
        .args = "CONTAINER [CONTAINER...]",
        .usage = "Wait until containers have stopped, print their exit codes",
        .args_min = 1,
        .args_max = ARGS_ANY,
        .exec = exec_wait,
};
