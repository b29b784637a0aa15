/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <getopt.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "../../basic/fd.h"
#include "../../basic/str.h"
#include "../container.h"
#include "../error.h"
#include "../foreground.h"
#include "../process/activation.h"
#include "../runtime-log.h"
#include "../systemd/systemd-cgroup.h"
#include "command.h"

enum {
        OPT_PID_FILE = 256,
        OPT_CONSOLE_SOCKET,
        OPT_PIDFD_SOCKET,
        OPT_NO_PIVOT,
        OPT_NO_NEW_KEYRING,
        OPT_PRESERVE_FDS,
        OPT_KEEP,
        OPT_NO_SUBREAPER
};

typedef struct RunOptions {
        CreateOptions create;
        bool detach, keep, no_subreaper;
} RunOptions;

static const struct option long_options[] = {
        { "bundle", required_argument, NULL, 'b' },
        { "config", required_argument, NULL, 'f' },
        { "detach", no_argument, NULL, 'd' },
        { "pid-file", required_argument, NULL, OPT_PID_FILE },
        { "console-socket", required_argument, NULL, OPT_CONSOLE_SOCKET },
        { "pidfd-socket", required_argument, NULL, OPT_PIDFD_SOCKET },
        { "no-pivot", no_argument, NULL, OPT_NO_PIVOT },
        { "no-new-keyring", no_argument, NULL, OPT_NO_NEW_KEYRING },
        { "preserve-fds", required_argument, NULL, OPT_PRESERVE_FDS },
        { "keep", no_argument, NULL, OPT_KEEP },
        { "no-subreaper", no_argument, NULL, OPT_NO_SUBREAPER },
        {},
};

static int parse(const Globals *g, int argc, char **argv, bool run, RunOptions *ret) {
        uint64_t n;
        int c, r;

        *ret = (RunOptions) { .create = { .root = g->root, .rootless = g->rootless, .bundle = ".",
                                          .console_fd = -EBADF, .systemd_cgroup = g->systemd_cgroup,
                                          .no_cgroup = g->no_cgroup } };
        optind = 1;
        while ((c = getopt_long(argc, argv, run ? "+b:f:d" : "+b:f:", long_options, NULL)) >= 0)
                switch (c) {
                case 'b':
                        ret->create.bundle = optarg;
                        break;
                case 'f':
                        ret->create.config = optarg;
                        break;
                case OPT_PID_FILE:
                        ret->create.pid_file = optarg;
                        break;
                case OPT_CONSOLE_SOCKET:
                        ret->create.console_socket = optarg;
                        break;
                case OPT_PIDFD_SOCKET:
                        ret->create.pidfd_socket = optarg;
                        break;
                case OPT_NO_PIVOT:
                        ret->create.no_pivot = true;
                        break;
                case OPT_NO_NEW_KEYRING:
                        ret->create.no_new_keyring = true;
                        break;
                case OPT_PRESERVE_FDS:
                        if (parse_u64(optarg, 1024, &n) < 0)
                                return fail_text(EINVAL, "--preserve-fds \"%s\": expected a number", optarg);
                        ret->create.preserve_fds = (unsigned) n;
                        break;
                case 'd':
                case OPT_KEEP:
                case OPT_NO_SUBREAPER:
                        if (!run)
                                return command_usage(argv[0], "unknown option");
                        ret->detach = ret->detach || c == 'd';
                        ret->keep = ret->keep || c == OPT_KEEP;
                        ret->no_subreaper = ret->no_subreaper || c == OPT_NO_SUBREAPER;
                        break;
                default:
                        return command_bad_option(argv);
                }
        r = command_single_id(argc, argv, optind, &ret->create.id);
        return r < 0 ? r : activation_take_fds(&ret->create.preserve_fds, &ret->create.listen_fds);
}

/** cmd_create - berth-runtime create. */
int cmd_create(const Globals *g, int argc, char **argv) {
        _cleanup_bundle_ Bundle bundle = {};
        _cleanup_state_ State s = STATE_INIT;
        RunOptions o;
        int r;

        r = parse(g, argc, argv, false, &o);
        if (r >= 0 && g->systemd_cgroup)
                r = systemd_scope_prepare();
        if (r >= 0)
                r = bundle_load(o.create.bundle, o.create.config, &bundle);
        if (r >= 0)
                r = container_create(&o.create, &bundle, &s, NULL);
        scope_helper_forget();
        return r;
}

/* What failed goes, and what it said stays. */
static int delete_failed(const RunOptions *o, int error) {
        _cleanup_free_ char *message = strdup(fail_message());

        (void) container_delete(o->create.root, o->create.id, true);
        return fail_text(error, "%s", strempty(message));
}

/* Return: the pid of the payload, which runs; *ret_master is its terminal if @master_end leads to one. */
static int create_and_start(const RunOptions *o, Bundle *bundle, int master_end, int *ret_master,
                            int *ret_notify) {
        _cleanup_start_link_ StartLink link = START_LINK_INIT;
        _cleanup_close_ int master = -EBADF;
        _cleanup_state_ State s = STATE_INIT;
        pid_t pid;
        int r;

        r = container_create(&o->create, bundle, &s, &link);
        if (r < 0)
                return r;
        if (master_end >= 0)
                master = r = foreground_receive_master(master_end);
        if (r >= 0)
                r = container_started(&s, &link);
        if (r >= 0 && o->detach)
                r = container_await_ready(&s, link.notify_fd);
        pid = s.pid;
        state_done(&s); /* the lock is whoever's comes next */
        if (r < 0)
                return delete_failed(o, r);
        if (!o->detach) {
                *ret_master = TAKE_FD(master);
                *ret_notify = TAKE_FD(link.notify_fd);
        }
        return (int) pid;
}

static int run_foreground(RunOptions *o, Bundle *bundle) {
        _cleanup_close_ int ours = -EBADF, theirs = -EBADF;
        int ends[2], master = -EBADF, notify = -EBADF, r;

        if (!o->no_subreaper && prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
                return fail_errno(errno, "become subreaper");
        if (bundle->spec.process.terminal && !o->create.console_socket) {
                if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
                        return fail_errno(errno, "socketpair");
                ours = ends[0];
                o->create.console_fd = theirs = ends[1];
        }
        r = foreground_block_signals();
        if (r >= 0)
                r = create_and_start(o, bundle, ours, &master, &notify);
        if (r < 0)
                return r;
        r = foreground_wait(r, master, notify);
        if (r < 0)
                return delete_failed(o, r);
        if (!o->keep && container_delete(o->create.root, o->create.id, true) < 0)
                runtime_warning("%s", fail_message());
        return r;
}

/** cmd_run - berth-runtime run: create, start and, without --detach, wait and delete. */
int cmd_run(const Globals *g, int argc, char **argv) {
        _cleanup_bundle_ Bundle bundle = {};
        RunOptions o;
        int r;

        r = parse(g, argc, argv, true, &o);
        if (r < 0)
                return r;
        o.create.start = true;
        o.create.stays = !o.detach;
        r = g->systemd_cgroup ? systemd_scope_prepare() : 0;
        if (r >= 0)
                r = bundle_load(o.create.bundle, o.create.config, &bundle);
        if (r >= 0 && !o.detach)
                r = run_foreground(&o, &bundle);
        else if (r >= 0) {
                r = create_and_start(&o, &bundle, -EBADF, NULL, NULL);
                r = r < 0 ? r : 0;
        }
        scope_helper_forget();
        return r;
}
