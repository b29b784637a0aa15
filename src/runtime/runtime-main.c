/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* berth-runtime: an OCI runtime. See README.md. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "../basic/fd.h"
#include "../basic/str.h"
#include "../shared/paths.h"
#include "checkpoint/criu.h"
#include "commands/command.h"
#include "error.h"
#include "kernel-call.h"
#include "runtime-commit.h"
#include "runtime-log.h"
#include "self-protect.h"

static const Command commands[] = {
        { "create", "[OPTIONS] ID", "make a container that waits for start", cmd_create, 1 },
        { "start", "ID", "run the program of a created container", cmd_start, 1,
          .usage = "CONTAINER" },
        { "run", "[OPTIONS] ID", "create, start, wait, delete", cmd_run, 1 },
        { "state", "ID", "print the state as JSON", cmd_state, 1 },
        { "kill", "[--all] [--regex] ID [SIGNAL]", "send a signal (default SIGTERM)", cmd_kill, 1 },
        { "delete", "[--force] [--regex] ID", "remove a stopped container", cmd_delete, 1,
          .usage = "CONTAINER" },
        { "exec", "[OPTIONS] ID COMMAND...", "run a further process in a container", cmd_exec, 255 },
        { "list", "[--format table|json] [--quiet]", "list the containers", cmd_list, 1 },
        { "ps", "[--format table|json] ID [OPTION OF PS...]", "list the processes of a container", cmd_ps,
          1 },
        { "pause", "ID", "freeze all processes", cmd_pause, 1 },
        { "resume", "ID", "thaw all processes", cmd_resume, 1 },
        { "update", "[OPTIONS] ID", "change resource limits", cmd_update, 1,
          .usage = "[OPTION]... CONTAINER" },
        { "events", "[--stats] [--interval DURATION] ID", "print resource usage as JSON", cmd_events, 1 },
        { "features", "", "print what this runtime supports as JSON", cmd_features, 1 },
        { "spec", "[--bundle DIR] [--file PATH] [--rootless]", "write a config.json to start from", cmd_spec,
          1 },
        { "checkpoint", "[OPTIONS] ID", "write a running container into a directory", cmd_checkpoint, 1,
          checkpoint_help },
        { "restore", "[OPTIONS] ID", "make a container again from a checkpoint", cmd_restore, 1,
          restore_help },
};

enum {
        OPT_ROOT = 256,
        OPT_LOG,
        OPT_LOG_FORMAT,
        OPT_DEBUG,
        OPT_LOG_LEVEL,
        OPT_SYSTEMD_CGROUP,
        OPT_ROOTLESS,
        OPT_CRIU,
        OPT_CGROUP_MANAGER
};

static const struct option global_options[] = {
        { "root", required_argument, NULL, OPT_ROOT },
        { "log", required_argument, NULL, OPT_LOG },
        { "log-format", required_argument, NULL, OPT_LOG_FORMAT },
        { "debug", no_argument, NULL, OPT_DEBUG },
        { "log-level", required_argument, NULL, OPT_LOG_LEVEL },
        { "systemd-cgroup", no_argument, NULL, OPT_SYSTEMD_CGROUP },
        { "cgroup-manager", required_argument, NULL, OPT_CGROUP_MANAGER },
        { "rootless", required_argument, NULL, OPT_ROOTLESS },
        { "criu", required_argument, NULL, OPT_CRIU },
        { "version", no_argument, NULL, 'v' },
        { "help", no_argument, NULL, 'h' },
        {},
};

/** command_usage - the error for a wrong command line; @problem may be NULL. Return: -EINVAL. */
int command_usage(const char *name, const char *problem) {
        for (size_t i = 0; i < ELEMENTSOF(commands); i++)
                if (streq(commands[i].name, name))
                        return fail_text(EINVAL, "%s%susage: berth-runtime %s %s", strempty(problem),
                                         problem ? "; " : "", name, commands[i].arguments);
        return fail_text(EINVAL, "%s", problem ? problem : "wrong usage");
}

/** command_bad_option - the error for what getopt_long() has just refused. Return: -EINVAL. */
int command_bad_option(char **argv) {
        _cleanup_free_ char *problem =
                        str_printf("unknown option %s, or its argument is missing", argv[optind - 1]);

        return problem ? command_usage(argv[0], problem) : -ENOMEM;
}

/** command_single_id - the one positional argument. Return: 0 or -EINVAL with a message. */
int command_single_id(int argc, char **argv, int optind_value, const char **ret) {
        if (argc - optind_value != 1)
                return command_usage(argv[0], "expected one container id");
        *ret = argv[optind_value];
        return 0;
}

static int help(void) {
        /* The layout of runc, whose callers read it; under the name that we were called by. */
        (void) printf("NAME:\n   %s - Open Container Initiative runtime, for Linux with cgroup v2\n\n"
                      "Usage: %s [OPTION...] COMMAND [ARGUMENTS...]\n\nCOMMANDS:\n",
                      program_invocation_short_name, program_invocation_short_name);
        for (size_t i = 0; i < ELEMENTSOF(commands); i++)
                (void) printf("   %-10s %-32s %s\n", commands[i].name, commands[i].arguments,
                              commands[i].summary);
        (void) printf("\nGLOBAL OPTIONS:\n"
                      "  --root DIR               where state is kept (default " BERTH_RUNTIME_ROOT ",\n"
                      "                           for ordinary users $XDG_RUNTIME_DIR/berth-runtime)\n"
                      "  --log [file:]PATH        append warnings and errors to a file\n"
                      "  --log journald:ID, --log syslog:ID  send them to the system's log as ID\n"
                      "  --log-format text|json   how lines of the log file look (default text)\n"
                      "  --rootless true|false|auto  whether to do without a cgroup where none may be made\n"
                      "                           (default auto: for ordinary users and in user namespaces)\n"
                      "  --debug                  log more\n"
                      "  --criu PROGRAM           criu for checkpoint and restore (default criu on PATH)\n"
                      "  --log-level error|warning|debug  what is told; debug is --debug (default warning)\n"
                      "  --systemd-cgroup         the cgroup is a scope of systemd\n"
                      "  --cgroup-manager cgroupfs|systemd|disabled   the same choice in crun's words; the last\n"
                      "                           leaves the container in the caller's cgroup\n"
                      "  --version, --help\n");
        return 0;
}

static int help_command(const Command *c) {
        const char *name = program_invocation_short_name;

        (void) printf("NAME:\n   %s %s - %s\n\nUsage: %s [OPTION...] %s %s\n", name, c->name,
                      c->summary, name, c->name, c->usage ? c->usage : c->arguments);
        if (c->usage)
                (void) printf("\nARGUMENTS:\n   %s\n", c->arguments);
        if (c->options)
                (void) printf("\nOPTIONS:\n%s", c->options);
        else
                (void) printf("\nAll options are in berth-runtime(8).\n");
        return 0;
}

static int version(void) {
        (void) puts("berth-runtime version " BERTH_VERSION "\ncommit: " BERTH_COMMIT "\nspec: 1.3.0");
        return 0;
}

typedef struct Options {
        Globals globals;
        const char *log, *log_format;
        bool help, version;
} Options;

static int set_log_level(const char *level, Options *o) {
        if (!streq(level, "error") && !streq(level, "warning") && !streq(level, "debug"))
                return fail_text(EINVAL, "--log-level \"%s\": expected error, warning or debug", level);
        o->globals.debug = streq(level, "debug");
        if (streq(level, "error"))
                runtime_log_errors_only();
        return 0;
}

/* Goes on behind an error, so that the log file is known that callers read it from. */
static int parse_globals(int argc, char **argv, Options *o) {
        int c, r = 0;

        opterr = 0;
        while ((c = getopt_long(argc, argv, "+vVh", global_options, NULL)) >= 0)
                switch (c) {
                case OPT_ROOT:
                        o->globals.root = optarg;
                        break;
                case OPT_LOG:
                        o->log = optarg;
                        break;
                case OPT_LOG_FORMAT:
                        if (!streq(optarg, "json") && !streq(optarg, "text"))
                                r = fail_text(EINVAL, "--log-format \"%s\": expected text or json",
                                              optarg);
                        else
                                o->log_format = optarg;
                        break;
                case OPT_DEBUG:
                        o->globals.debug = true;
                        break;
                case OPT_LOG_LEVEL:
                        if (set_log_level(optarg, o) < 0)
                                r = -EINVAL;
                        break;
                case OPT_SYSTEMD_CGROUP:
                        o->globals.systemd_cgroup = true;
                        break;
                case OPT_CGROUP_MANAGER:
                        o->globals.systemd_cgroup = streq(optarg, "systemd");
                        o->globals.no_cgroup = streq(optarg, "disabled");
                        if (!streq(optarg, "cgroupfs") && !o->globals.systemd_cgroup &&
                            !o->globals.no_cgroup)
                                r = fail_text(EOPNOTSUPP, "--cgroup-manager %s is not supported", optarg);
                        break;
                case OPT_ROOTLESS:
                        o->globals.rootless = rootless_mode_from_string(optarg);
                        if (o->globals.rootless < 0)
                                r = fail_text(EINVAL, "--rootless \"%s\": expected true, false or auto",
                                              optarg);
                        break;
                case OPT_CRIU:
                        criu_use(optarg);
                        break;
                case 'v':
                case 'V':
                        o->version = true;
                        break;
                case 'h':
                        o->help = true;
                        break;
                default:
                        r = fail_text(EINVAL, "unknown option %s", argv[optind - 1]);
                }
        return r;
}

/* 0, 1 and 2 must be something, or a file of ours would become the payload's stdout. */
static int check_stdio(void) {
        for (int fd = 0; fd < 3; fd++)
                if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR | O_NOCTTY) < 0)
                        return fail_errno(errno, "open /dev/null");
        return 0;
}

static const Command *find_command(const char *name) {
        for (size_t i = 0; i < ELEMENTSOF(commands); i++)
                if (streq(commands[i].name, name))
                        return &commands[i];
        return NULL;
}

static bool runs_payload(const Command *c) {
        return c->run == cmd_create || c->run == cmd_run || c->run == cmd_exec;
}

static int run(const Command *c, const Options *o, int argc, char **argv, char **whole_argv) {
        int r;

        (void) umask(0022);
        if (runs_payload(c)) {
                r = self_protect(whole_argv);
                if (r < 0)
                        return r;
        }
        return c->run(&o->globals, argc, argv);
}

static void on_broken_pipe(int sig) {
}

/* A reader of ours that leaves is an error of a write, not the end of a half made container. Not SIG_IGN,
 * which the payload would inherit. */
static void survive_broken_pipes(void) {
        struct sigaction a = { .sa_handler = on_broken_pipe, .sa_flags = SA_RESTART }, before;

        /* What a caller has ignored stays so, for the payload too. */
        if (sigaction(SIGPIPE, &a, &before) >= 0 && before.sa_handler != SIG_DFL)
                (void) sigaction(SIGPIPE, &before, NULL);
}

int main(int argc, char **argv) {
        Options o = { .log_format = "text" };
        _cleanup_free_ char *default_root = NULL;
        const Command *c = NULL;
        int r, q;

        survive_broken_pipes();
        r = check_stdio();
        if (r >= 0)
                r = parse_globals(argc, argv, &o);
        q = runtime_log_open(o.log, streq(o.log_format, "json"), o.globals.debug);
        if (q < 0)
                r = fail_errno(q, "open log %s", o.log);
        if (r >= 0 && (o.help || o.version))
                return o.help ? help() : version();
        if (r >= 0 && !o.globals.root) {
                r = rootless_default_root(&default_root);
                o.globals.root = default_root;
        }
        if (r >= 0 && optind >= argc)
                r = fail_text(EINVAL, "no command given, try --help");
        if (r >= 0) {
                c = find_command(argv[optind]);
                if (c && optind + 1 < argc &&
                    (streq(argv[optind + 1], "--help") || streq(argv[optind + 1], "-h")))
                        return help_command(c);
                r = c ? 0 : fail_text(EINVAL, "No help topic for '%s': unknown command, try --help",
                                           argv[optind]);
        }
        if (r >= 0) {
                int first = optind;

                r = run(c, &o, argc - first, argv + first, argv);
        }
        if (r < 0) {
                runtime_error("%s", isempty(fail_message()) ? errno_words(r) : fail_message());
                return c ? c->failure : 1;
        }
        return r;
}
