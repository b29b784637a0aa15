/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../basic/str.h"
#include "command.h"
#include "table.h"

static int print_processes(json_object *reply) {
        _cleanup_table_ Table t = { .column_min = 20 };
        json_object *titles, *processes;
        int r = 0;

        if (json_get_array(reply, "Titles", &titles) <= 0)
                return 0;
        t.n_columns = json_object_array_length(titles);
        for (size_t i = 0; r >= 0 && i < t.n_columns; i++)
                r = table_add(&t, strempty(json_object_get_string(json_object_array_get_idx(titles, i))));
        if (r < 0 || json_get_array(reply, "Processes", &processes) <= 0)
                return r < 0 ? r : table_print(&t);
        for (size_t i = 0; r >= 0 && i < json_object_array_length(processes); i++) {
                json_object *row = json_object_array_get_idx(processes, i);

                for (size_t j = 0; r >= 0 && j < t.n_columns; j++)
                        r = table_add(&t,
                                      strempty(json_object_get_string(json_object_array_get_idx(row, j))));
        }
        return r < 0 ? r : table_print(&t);
}

static int exec_top(Client *c, void *options, char **args) {
        _cleanup_free_ char *ps_args = strv_join(args + 1, " "), *target = NULL;
        _cleanup_buffer_ Buffer query = BUFFER_INIT(HTTP_HEAD_MAX);
        _cleanup_json_ json_object *reply = NULL;
        int r = ps_args ? buffer_append_str(&query, "/top") : -ENOMEM;

        if (r >= 0 && *ps_args)
                r = query_add(&query, "ps_args", ps_args);
        target = r < 0 ? NULL : target_printf("/containers/", args[0], query.data);
        r = target ? client_call(c, "GET", target, NULL, &reply) : -ENOMEM;
        if (r >= 0)
                r = print_processes(reply);
        return r < 0 ? command_fail(c, 1) : 0;
}

const Command command_top = {
        .name = "top",
        .alias = "container top",
        .args = "CONTAINER [ps OPTIONS]",
        .usage = "List the processes of a container",
        .args_min = 1,
        .args_max = ARGS_ANY,
        .command_flags = COMMAND_STOP_AT_ARGUMENT,
        .exec = exec_top,
};
