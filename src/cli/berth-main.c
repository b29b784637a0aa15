/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>

#include "../basic/str.h"
#include "command.h"

typedef struct GlobalOptions {
        const char *host;
        bool version;
} GlobalOptions;

static const Flag global_flags[] = {
        { "host", 'H', FLAG_STRING, offsetof(GlobalOptions, host), NULL,
          "Engine socket to connect to (unix:///PATH)" },
        { "version", 'v', FLAG_BOOL, offsetof(GlobalOptions, version), NULL,
          "Print version information and quit" },
        {},
};

static int print_usage(void) {
        printf("Usage:  berth [OPTIONS] COMMAND\n\nRun and manage containers through the berth service\n\nCommands:\n");
        for (const Command *const *i = commands; *i; i++)
                printf("  %-10s  %s\n", (*i)->name, (*i)->usage);
        printf("\nGlobal Options:\n");
        flags_print(global_flags, stdout);
        printf("\nRun 'berth COMMAND --help' for more information on a command.\n");
        return 0;
}

/* "berth ps" and "berth container ls": the number of words that name the command, 0 if none does. */
static int find_command(char **args, const Command **ret) {
        for (const Command *const *i = commands; *i; i++) {
                const char *rest;

                if (streq(args[0], (*i)->name)) {
                        *ret = *i;
                        return 1;
                }
                rest = (*i)->alias ? startswith((*i)->alias, args[0]) : NULL;
                if (rest && *rest == ' ' && args[1] && streq(rest + 1, args[1])) {
                        *ret = *i;
                        return 2;
                }
                if ((streq(args[0], "container") || streq(args[0], "image")) && args[1] &&
                    streq(args[1], (*i)->name) && (!(*i)->alias || startswith((*i)->alias, args[0]))) {
                        *ret = *i;
                        return 2;
                }
        }
        return 0;
}

static int run(int argc, char **argv) {
        _cleanup_free_ char **args = NULL;
        _cleanup_free_ char *error = NULL;
        GlobalOptions o = {};
        const Command *cmd;
        Client c;
        int r, words;

        /* Flags of the command come behind its name; only what is in front of it is ours. */
        r = flags_parse(global_flags, false, argv + 1, &o, &args, &error);
        if (r < 0) {
                fprintf(stderr, "berth: %s\n\nRun 'berth --help' for more information\n",
                        error ? error : "out of memory");
                return 125;
        }
        if (r > 0)
                return print_usage();
        if (o.version) {
                printf("berth version " BERTH_VERSION "\n");
                return 0;
        }
        if (!args[0] || (streq(args[0], "help") && !args[1]))
                return print_usage();
        if (streq(args[0], "help")) {
                if (find_command(args + 1, &cmd) > 0)
                        return command_run_argv(NULL, cmd, (char *[]){ (char *) "--help", NULL });
                fprintf(stderr, "berth: unknown command: berth %s\n", args[1]);
                return 1;
        }
        words = find_command(args, &cmd);
        if (words == 0) {
                fprintf(stderr,
                        "berth: unknown command: berth %s\n\nRun 'berth --help' for more information\n",
                        args[0]);
                return 1;
        }
        r = client_init(&c, o.host);
        if (r < 0)
                r = command_fail(&c, cmd->command_flags & COMMAND_RUN_LIKE ? 125 : 1);
        else
                r = command_run_argv(&c, cmd, args + words);
        client_done(&c);
        return r;
}

int main(int argc, char **argv) {
        int r;

        /* A descriptor of ours must never land on a closed 0, 1 or 2: output would go into a socket. */
        for (int fd = 0; fd < 3; fd++)
                if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) < 0)
                        return 125;
        (void) signal(SIGPIPE, SIG_IGN);
        r = run(argc, argv);
        if (fflush(stdout) == EOF || ferror(stdout)) {
                struct pollfd p = { .fd = STDOUT_FILENO, .events = POLLOUT };

                /* A pipe without a reader: end as every filter does. */
                if (poll(&p, 1, 0) > 0 && p.revents & POLLERR) {
                        (void) signal(SIGPIPE, SIG_DFL);
                        (void) raise(SIGPIPE);
                }
                fprintf(stderr, "berth: cannot write to stdout\n");
                return r ? r : 1;
        }
        return r;
}
