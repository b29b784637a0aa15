/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <sys/socket.h>

#include "../../basic/fd.h"
#include "../../basic/str.h"
#include "../error.h"
#include "../exec.h"
#include "../foreground.h"
#include "../process/activation.h"
#include "command.h"

enum { OPT_CONSOLE_SOCKET = 256, OPT_PIDFD_SOCKET, OPT_CWD, OPT_PID_FILE, OPT_PROCESS_LABEL, OPT_APPARMOR,
       OPT_NO_NEW_PRIVS, OPT_PRESERVE_FDS, OPT_CGROUP, OPT_IGNORE_PAUSED, OPT_EXEC_WAIT_FIFO };

static const struct option long_options[] = {
        { "console-socket", required_argument, NULL, OPT_CONSOLE_SOCKET },
        { "pidfd-socket", required_argument, NULL, OPT_PIDFD_SOCKET },
        { "cwd", required_argument, NULL, OPT_CWD },
        { "env", required_argument, NULL, 'e' },
        { "tty", no_argument, NULL, 't' },
        { "user", required_argument, NULL, 'u' },
        { "additional-gids", required_argument, NULL, 'g' },
        { "process", required_argument, NULL, 'p' },
        { "detach", no_argument, NULL, 'd' },
        { "pid-file", required_argument, NULL, OPT_PID_FILE },
        { "process-label", required_argument, NULL, OPT_PROCESS_LABEL },
        { "apparmor", required_argument, NULL, OPT_APPARMOR },
        { "no-new-privs", no_argument, NULL, OPT_NO_NEW_PRIVS },
        { "cap", required_argument, NULL, 'c' },
        { "preserve-fds", required_argument, NULL, OPT_PRESERVE_FDS },
        { "cgroup", required_argument, NULL, OPT_CGROUP },
        { "ignore-paused", no_argument, NULL, OPT_IGNORE_PAUSED },
        { "exec-wait-fifo", required_argument, NULL, OPT_EXEC_WAIT_FIFO },
        {},
};

typedef struct Parsed {
        ExecOptions o;
        char **env, **caps, **gids;
        json_object *process;
        bool detach;
} Parsed;

static void parsed_done(Parsed *p) {
        strv_free(p->env);
        strv_free(p->caps);
        strv_free(p->gids);
        json_object_put(p->process);
}

static int parse_one(int c, Parsed *p) {
        uint64_t n;

        switch (c) {
        case OPT_CONSOLE_SOCKET:
                p->o.console_socket = optarg;
                return 0;
        case OPT_PIDFD_SOCKET:
                p->o.pidfd_socket = optarg;
                return 0;
        case OPT_CWD:
                p->o.cwd = optarg;
                return 0;
        case 'e':
                return strv_extend(&p->env, optarg);
        case 't':
                p->o.tty = true;
                return 0;
        case 'u':
                p->o.user = optarg;
                return 0;
        case 'g':
                return strv_extend(&p->gids, optarg);
        case 'p':
                p->o.process_file = optarg;
                return 0;
        case 'd':
                p->detach = true;
                return 0;
        case OPT_PID_FILE:
                p->o.pid_file = optarg;
                return 0;
        case OPT_PROCESS_LABEL:
                p->o.selinux = optarg;
                return 0;
        case OPT_APPARMOR:
                p->o.apparmor = optarg;
                return 0;
        case OPT_NO_NEW_PRIVS:
                p->o.no_new_privs = true;
                return 0;
        case 'c':
                return strv_extend(&p->caps, optarg);
        case OPT_PRESERVE_FDS:
                if (parse_u64(optarg, 1024, &n) < 0)
                        return fail_text(EINVAL, "--preserve-fds \"%s\": expected a number", optarg);
                p->o.preserve_fds = (unsigned) n;
                return 0;
        case OPT_CGROUP:
                p->o.cgroup = optarg;
                return 0;
        case OPT_IGNORE_PAUSED:
                p->o.ignore_paused = true;
                return 0;
        case OPT_EXEC_WAIT_FIFO:
                p->o.wait_fifo = optarg;
                return 0;
        default:
                return command_usage("exec", NULL);
        }
}

static int parse(const Globals *g, int argc, char **argv, Parsed *p) {
        int c, r;

        p->o = (ExecOptions) { .root = g->root, .console_fd = -EBADF };
        optind = 1;
        while ((c = getopt_long(argc, argv, "+e:tu:g:p:dc:", long_options, NULL)) >= 0) {
                r = c == '?' ? command_bad_option(argv) : parse_one(c, p);
                if (r < 0)
                        return r;
        }
        if (optind >= argc)
                return command_usage(argv[0], "expected a container id");
        p->o.id = argv[optind++];
        p->o.args = (const char *const *) argv + optind;
        p->o.env = (const char *const *) p->env;
        p->o.add_caps = (const char *const *) p->caps;
        p->o.add_gids = (const char *const *) p->gids;
        if (p->o.process_file ? optind < argc : optind >= argc)
                return command_usage(argv[0], "expected either --process or a command");
        return activation_take_fds(&p->o.preserve_fds, &p->o.listen_fds);
}

static int load_process(Parsed *p) {
        int r;

        if (!p->o.process_file)
                return 0;
        r = json_load_at(AT_FDCWD, p->o.process_file, SPEC_SIZE_MAX, &p->process);
        if (r < 0)
                return fail_errno(r, "process file %s", p->o.process_file);
        p->o.process = p->process;
        return 0;
}

static bool process_wants_terminal(const ExecOptions *o) {
        bool terminal = o->tty;

        if (!terminal && o->process)
                (void) json_get_bool(o->process, "terminal", &terminal);
        return terminal;
}

static int exec_foreground(Parsed *p) {
        _cleanup_close_ int ours = -EBADF, theirs = -EBADF;
        int ends[2], master = -EBADF, r;
        pid_t pid;

        if (!p->o.console_socket && process_wants_terminal(&p->o)) {
                if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
                        return fail_errno(errno, "socketpair");
                ours = ends[0];
                p->o.console_fd = theirs = ends[1];
        }
        r = foreground_block_signals();
        if (r >= 0)
                r = container_exec(&p->o, &pid);
        if (r < 0)
                return r;
        if (ours >= 0) {
                master = foreground_receive_master(ours);
                if (master < 0)
                        return master;
        }
        return foreground_wait(pid, master, -EBADF);
}

/** cmd_exec - berth-runtime exec. */
int cmd_exec(const Globals *g, int argc, char **argv) {
        _cleanup_(parsed_done) Parsed p = {};
        pid_t pid;
        int r;

        r = parse(g, argc, argv, &p);
        if (r >= 0)
                r = load_process(&p);
        if (r < 0)
                return r;
        return p.detach ? container_exec(&p.o, &pid) : exec_foreground(&p);
}
