/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "../../basic/macro.h"
#include "../namespaces/rootless.h"

typedef struct Globals {
        const char *root;
        bool debug;
        RootlessMode rootless;
        bool systemd_cgroup, no_cgroup;
} Globals;

/* Commands return 0, an exit status above 0, or -errno with fail_message(). argv[0] is the command's name.
 */
typedef int (*CommandFunction)(const Globals *g, int argc, char **argv);

typedef struct Command {
        const char *name, *arguments, *summary;
        CommandFunction run;
        int failure;         /* exit status of a failed run */
        const char *options; /* lines for --help; NULL: all is in the manual page */
        const char *usage;   /* of --help in crun's words, which its callers look for; NULL: arguments */
} Command;

int command_usage(const char *name, const char *problem);
int command_bad_option(char **argv);
int command_single_id(int argc, char **argv, int optind_value, const char **ret);
typedef int (*CommandForOne)(const Globals *g, const char *id, const void *userdata);
int command_for_matching(const Globals *g, const char *pattern, CommandForOne one, const void *userdata);

int cmd_create(const Globals *g, int argc, char **argv);
int cmd_run(const Globals *g, int argc, char **argv);
int cmd_start(const Globals *g, int argc, char **argv);
int cmd_state(const Globals *g, int argc, char **argv);
int cmd_kill(const Globals *g, int argc, char **argv);
int cmd_delete(const Globals *g, int argc, char **argv);
int cmd_exec(const Globals *g, int argc, char **argv);
int cmd_list(const Globals *g, int argc, char **argv);
int cmd_ps(const Globals *g, int argc, char **argv);
int cmd_pause(const Globals *g, int argc, char **argv);
int cmd_resume(const Globals *g, int argc, char **argv);
int cmd_update(const Globals *g, int argc, char **argv);
int cmd_events(const Globals *g, int argc, char **argv);
int cmd_features(const Globals *g, int argc, char **argv);
int cmd_spec(const Globals *g, int argc, char **argv);
extern const char checkpoint_help[], restore_help[];
int cmd_checkpoint(const Globals *g, int argc, char **argv);
int cmd_restore(const Globals *g, int argc, char **argv);
