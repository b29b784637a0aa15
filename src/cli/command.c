/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "command.h"

#include <stdio.h>

#include "../basic/str.h"

#define EXIT_OURS 125

const Command *const commands[] = {
        &command_attach, &command_create,  &command_exec,    &command_images,  &command_import,
        &command_info,   &command_inspect, &command_kill,    &command_load,    &command_logs,
        &command_pause,  &command_ps,      &command_rename,  &command_restart, &command_rm,
        &command_rmi,    &command_run,     &command_start,   &command_stop,    &command_tag,
        &command_top,    &command_unpause, &command_version, &command_wait,    NULL,
};

/** command_error - tell the user what went wrong last, once. */
void command_error(Client *c) {
        (void) fflush(stdout);
        fprintf(stderr, "berth: %s\n", c->error ? c->error : "out of memory");
        c->error = mfree(c->error);
}

/** command_fail - tell, and give @status as the exit status. */
int command_fail(Client *c, int status) {
        command_error(c);
        return status;
}

static void print_help(const Command *cmd) {
        bool has_flags = cmd->flags && cmd->flags->name;

        printf("Usage:  berth %s%s%s%s\n\n%s\n", cmd->name, has_flags ? " [OPTIONS]" : "",
               *cmd->args ? " " : "", cmd->args, cmd->usage);
        if (cmd->alias)
                printf("\nAliases:\n  berth %s, berth %s\n", cmd->alias, cmd->name);
        if (has_flags) {
                printf("\nOptions:\n");
                flags_print(cmd->flags, stdout);
        }
}

static int usage_error(const Command *cmd, const char *text) {
        bool has_flags = cmd->flags && cmd->flags->name;

        fprintf(stderr,
                "berth: %s\n\nUsage:  berth %s%s%s%s\n\nRun 'berth %s --help' for more information\n", text,
                cmd->name, has_flags ? " [OPTIONS]" : "", *cmd->args ? " " : "", cmd->args, cmd->name);
        return EXIT_OURS;
}

static int check_args(const Command *cmd, char **args) {
        size_t n = strv_length(args);
        char text[160];

        if (n >= cmd->args_min && n <= cmd->args_max)
                return 0;
        if (cmd->args_max == 0)
                (void) snprintf(text, sizeof(text), "'berth %s' accepts no arguments", cmd->name);
        else
                (void) snprintf(text, sizeof(text), "'berth %s' requires %s%u argument%s", cmd->name,
                                cmd->args_min == cmd->args_max ? ""
                                : n < cmd->args_min            ? "at least "
                                                               : "at most ",
                                n < cmd->args_min ? cmd->args_min : cmd->args_max,
                                (n < cmd->args_min ? cmd->args_min : cmd->args_max) == 1 ? "" : "s");
        (void) usage_error(cmd, text);
        return -EINVAL;
}

/**
 * command_run_argv - parse flags and run a command.
 * @argv: behind the command's name.
 *
 * Return: the exit status.
 */
int command_run_argv(Client *c, const Command *cmd, char **argv) {
        static const Flag no_flags[] = { {} };
        const Flag *flags = cmd->flags ? cmd->flags : no_flags;
        _cleanup_free_ char **args = NULL;
        _cleanup_free_ char *error = NULL;
        _cleanup_free_ void *options = calloc(1, MAX(cmd->options_size, (size_t) 1));
        int r;

        if (!options)
                return command_fail(c, EXIT_OURS);
        if (cmd->options)
                memcpy(options, cmd->options, cmd->options_size);
        r = flags_parse(flags, !(cmd->command_flags & COMMAND_STOP_AT_ARGUMENT), argv, options, &args,
                        &error);
        if (r > 0) {
                print_help(cmd);
                r = 0;
        } else if (r < 0)
                r = usage_error(cmd, error ? error : "out of memory");
        else if (check_args(cmd, args) < 0)
                r = 1;
        else
                r = cmd->exec(c, options, args);
        flags_done(flags, options);
        return r;
}
