/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "client.h"
#include "flags.h"

typedef enum CommandFlags {
        COMMAND_STOP_AT_ARGUMENT = 1 << 0, /* what follows the first argument belongs to the container */
        COMMAND_RUN_LIKE = 1 << 1, /* failures of ours exit 125, so that they differ from the container's */
} CommandFlags;

typedef struct Command {
        const char *name;
        const char *alias; /* "container ls", "image rm"…: the two-word form; NULL: none */
        const char *args;  /* behind the name in the usage line */
        const char *usage; /* one line */
        const Flag *flags; /* ends with an empty entry */
        size_t options_size;
        const void *options; /* defaults; NULL: all zero */
        unsigned args_min;
        unsigned args_max;
        unsigned command_flags;
        int (*exec)(Client *c, void *options, char **args); /* the exit status */
} Command;

#define ARGS_ANY 1000000u

extern const Command command_attach, command_create, command_exec, command_images, command_import,
                command_info, command_inspect, command_kill, command_load, command_logs, command_pause,
                command_ps, command_rename, command_restart, command_rm, command_rmi, command_run,
                command_start, command_stop, command_tag, command_top, command_unpause, command_version,
                command_wait;

extern const Command *const commands[];

int command_run_argv(Client *c, const Command *command, char **argv);
void command_error(Client *c);
int command_fail(Client *c, int status);
