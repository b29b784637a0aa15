/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* checkpoint and restore: their options. */
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "../../basic/fd.h"
#include "../../basic/str.h"
#include "../checkpoint/checkpoint.h"
#include "../error.h"
#include "../foreground.h"
#include "../runtime-log.h"
#include "command.h"

#define DEFAULT_IMAGES "checkpoint"

enum {
        OPT_IMAGE_PATH = 256,
        OPT_WORK_PATH,
        OPT_TCP_ESTABLISHED,
        OPT_EXT_UNIX_SK,
        OPT_SHELL_JOB,
        OPT_FILE_LOCKS,
        OPT_CGROUPS_MODE,
        OPT_EMPTY_NS,
        OPT_AUTO_DEDUP,
        OPT_PARENT_PATH,
        OPT_LEAVE_RUNNING,
        OPT_PRE_DUMP,
        OPT_PID_FILE,
        OPT_CONSOLE_SOCKET,
        OPT_NO_PIVOT,
        OPT_NO_SUBREAPER,
        OPT_KEEP,
        OPT_LSM_PROFILE,
        OPT_LSM_MOUNT_CONTEXT,
        OPT_LAZY_PAGES,
        OPT_STATUS_FD,
        OPT_PAGE_SERVER,
        OPT_NETWORK_LOCK,
        OPT_TCP_CLOSE,
        OPT_TCP_SKIP_IN_FLIGHT,
        OPT_LINK_REMAP,
};

#define COMMON_OPTIONS                                                    \
        { "image-path", required_argument, NULL, OPT_IMAGE_PATH },        \
        { "work-path", required_argument, NULL, OPT_WORK_PATH },          \
        { "tcp-established", no_argument, NULL, OPT_TCP_ESTABLISHED },    \
        { "ext-unix-sk", no_argument, NULL, OPT_EXT_UNIX_SK },            \
        { "shell-job", no_argument, NULL, OPT_SHELL_JOB },                \
        { "file-locks", no_argument, NULL, OPT_FILE_LOCKS },              \
        { "manage-cgroups-mode", required_argument, NULL, OPT_CGROUPS_MODE }, \
        { "empty-ns", required_argument, NULL, OPT_EMPTY_NS },            \
        { "auto-dedup", no_argument, NULL, OPT_AUTO_DEDUP },              \
        { "lazy-pages", no_argument, NULL, OPT_LAZY_PAGES },              \
        { "tcp-close", no_argument, NULL, OPT_TCP_CLOSE },                \
        { "tcp-skip-in-flight", no_argument, NULL, OPT_TCP_SKIP_IN_FLIGHT }, \
        { "link-remap", no_argument, NULL, OPT_LINK_REMAP },              \
        { "network-lock", required_argument, NULL, OPT_NETWORK_LOCK }

static const struct option checkpoint_options[] = {
        COMMON_OPTIONS,
        { "parent-path", required_argument, NULL, OPT_PARENT_PATH },
        { "leave-running", no_argument, NULL, OPT_LEAVE_RUNNING },
        { "pre-dump", no_argument, NULL, OPT_PRE_DUMP },
        { "status-fd", required_argument, NULL, OPT_STATUS_FD },
        { "page-server", required_argument, NULL, OPT_PAGE_SERVER },
        {},
};

static const struct option restore_options[] = {
        COMMON_OPTIONS,
        { "bundle", required_argument, NULL, 'b' },
        { "detach", no_argument, NULL, 'd' },
        { "pid-file", required_argument, NULL, OPT_PID_FILE },
        { "console-socket", required_argument, NULL, OPT_CONSOLE_SOCKET },
        { "no-pivot", no_argument, NULL, OPT_NO_PIVOT },
        { "no-subreaper", no_argument, NULL, OPT_NO_SUBREAPER },
        { "keep", no_argument, NULL, OPT_KEEP },
        { "lsm-profile", required_argument, NULL, OPT_LSM_PROFILE },
        { "lsm-mount-context", required_argument, NULL, OPT_LSM_MOUNT_CONTEXT },
        {},
};

#define COMMON_HELP                                                                          \
        "  --image-path DIR         where the checkpoint is (default checkpoint)\n"           \
        "  --work-path DIR          where criu's log goes (default: beside the checkpoint)\n" \
        "  --tcp-established        with open TCP connections\n"                              \
        "  --ext-unix-sk            with unix sockets whose other end is outside\n"           \
        "  --shell-job              with a session or terminal of outside\n"                  \
        "  --tcp-close              close open TCP connections\n"                             \
        "  --tcp-skip-in-flight     leave out TCP connections that are not established yet\n" \
        "  --link-remap             link open files that were removed to a name again\n"      \
        "  --file-locks             with locks on files\n"                                    \
        "  --auto-dedup             drop pages from older images that newer ones have\n"      \
        "  --manage-cgroups-mode soft|full|strict|ignore  what happens to cgroups (soft)\n"   \
        "  --empty-ns network       leave out what is in the network namespace\n" \
        "  --network-lock iptables|nftables|skip  how criu keeps packets away\n"

const char checkpoint_help[] = COMMON_HELP
        "  --leave-running          let the container run on\n"
        "  --pre-dump               only memory; the container runs on\n"
        "  --parent-path DIR        an earlier pre-dump, relative to the image directory\n"
        "  --page-server ADDR:PORT  send memory to the page server there\n"
        "  --lazy-pages             wait on --page-server for who wants the memory\n"
        "  --status-fd FD           write a zero byte to FD when --lazy-pages is ready\n";

const char restore_help[] = COMMON_HELP
        "  -b, --bundle DIR         the bundle (default .)\n"
        "  -d, --detach             do not wait for the container's end\n"
        "  --pid-file FILE          write the first process's pid to FILE\n"
        "  --console-socket SOCKET  send the terminal to SOCKET\n"
        "  --no-subreaper           do not adopt the container's orphans\n"
        "  --keep                   do not delete the container at its end\n"
        "  --lazy-pages             memory comes later, from criu lazy-pages in the work directory\n"
        "  --no-pivot               work where / is an initial RAM disk\n"
        "  --lsm-profile TYPE:NAME  another AppArmor profile or SELinux label\n"
        "  --lsm-mount-context TEXT another SELinux context for mounts\n";

static int parse_cgroups_mode(const char *s, CriuCgroupMode *ret) {
        static const struct {
                const char *name;
                CriuCgroupMode mode;
        } modes[] = { { "soft", CRIU_CGROUP_SOFT },
                      { "full", CRIU_CGROUP_FULL },
                      { "strict", CRIU_CGROUP_STRICT },
                      { "ignore", CRIU_CGROUP_IGNORE } };

        for (size_t i = 0; i < ELEMENTSOF(modes); i++)
                if (streq(modes[i].name, s)) {
                        *ret = modes[i].mode;
                        return 0;
                }
        return fail_text(EINVAL, "--manage-cgroups-mode \"%s\": expected soft, full, strict or ignore", s);
}

static int parse_network_lock(const char *s, CriuNetworkLock *ret) {
        static const char *const names[] = { [CRIU_LOCK_IPTABLES] = "iptables",
                                             [CRIU_LOCK_NFTABLES] = "nftables",
                                             [CRIU_LOCK_SKIP] = "skip" };

        for (size_t i = CRIU_LOCK_IPTABLES; i < ELEMENTSOF(names); i++)
                if (streq(names[i], s)) {
                        *ret = (CriuNetworkLock) i;
                        return 0;
                }
        return fail_text(EINVAL, "--network-lock \"%s\": expected iptables, nftables or skip", s);
}

/* Return: 0, or -errno with a message. */
static int parse_common(int c, char **argv, CriuOptions *o) {
        _cleanup_free_ char *unknown = NULL;

        switch (c) {
        case OPT_IMAGE_PATH:
                o->image_path = optarg;
                return 0;
        case OPT_WORK_PATH:
                o->work_path = optarg;
                return 0;
        case OPT_TCP_ESTABLISHED:
                o->tcp_established = true;
                return 0;
        case OPT_EXT_UNIX_SK:
                o->ext_unix_sk = true;
                return 0;
        case OPT_SHELL_JOB:
                o->shell_job = true;
                return 0;
        case OPT_FILE_LOCKS:
                o->file_locks = true;
                return 0;
        case OPT_AUTO_DEDUP:
                o->auto_dedup = true;
                return 0;
        case OPT_CGROUPS_MODE:
                return parse_cgroups_mode(optarg, &o->cgroup_mode);
        case OPT_EMPTY_NS:
                if (!streq(optarg, "network"))
                        return fail_text(EOPNOTSUPP, "--empty-ns %s is not supported, only network", optarg);
                o->empty_network = true;
                return 0;
        case OPT_NETWORK_LOCK:
                return parse_network_lock(optarg, &o->network_lock);
        case OPT_LAZY_PAGES:
                o->lazy_pages = true;
                return 0;
        case OPT_TCP_CLOSE:
                o->tcp_close = true;
                return 0;
        case OPT_TCP_SKIP_IN_FLIGHT:
                o->tcp_skip_in_flight = true;
                return 0;
        case OPT_LINK_REMAP:
                o->link_remap = true;
                return 0;
        default:
                unknown = str_concat("unknown option ", argv[optind - 1]);
                return command_usage(argv[0], unknown);
        }
}

/* ADDRESS:PORT; an address with colons is in brackets. The text is changed. */
static int parse_page_server(char *s, CheckpointOptions *o) {
        char *colon = strrchr(s, ':');
        size_t n = colon ? (size_t) (colon - s) : 0;
        uint64_t port;

        if (n == 0 || parse_u64(colon + 1, UINT16_MAX, &port) < 0 || port == 0)
                return fail_text(EINVAL, "--page-server \"%s\": expected ADDRESS:PORT", s);
        if (n > 2 && s[0] == '[' && colon[-1] == ']') {
                colon--;
                s++;
        }
        *colon = 0;
        o->page_address = s;
        o->page_port = (unsigned) port;
        return 0;
}

static int parse_status_fd(const char *s, int *ret) {
        uint64_t fd;
        int flags;

        if (parse_u64(s, INT_MAX, &fd) < 0)
                return fail_text(EINVAL, "--status-fd \"%s\": expected the number of a descriptor", s);
        flags = fcntl((int) fd, F_GETFL);
        if (flags < 0)
                return fail_errno(errno, "--status-fd %s", s);
        if ((flags & O_ACCMODE) == O_RDONLY || (flags & O_PATH))
                return fail_text(EBADF, "--status-fd %s: is not open for writing", s);
        *ret = (int) fd;
        return 0;
}

static int check_lazy(const CheckpointOptions *o) {
        if (o->criu.lazy_pages && !o->page_address)
                return fail_text(EINVAL, "--lazy-pages needs --page-server: where its pages can be had");
        if (o->criu.lazy_pages && o->pre_dump)
                return fail_text(EINVAL, "--lazy-pages and --pre-dump exclude each other");
        if (o->status_fd >= 0 && !o->criu.lazy_pages)
                return fail_text(EINVAL, "--status-fd tells when --lazy-pages is ready, and needs it");
        return 0;
}

/** cmd_checkpoint - berth-runtime checkpoint. */
int cmd_checkpoint(const Globals *g, int argc, char **argv) {
        CheckpointOptions o = { .root = g->root, .status_fd = -EBADF, .criu = { .image_path = DEFAULT_IMAGES,
                                                           .cgroup_mode = CRIU_CGROUP_SOFT } };
        int c, r;

        optind = 1;
        while ((c = getopt_long(argc, argv, "+", checkpoint_options, NULL)) >= 0)
                switch (c) {
                case OPT_PARENT_PATH:
                        o.parent_path = optarg;
                        break;
                case OPT_LEAVE_RUNNING:
                        o.leave_running = true;
                        break;
                case OPT_PRE_DUMP:
                        o.pre_dump = true;
                        break;
                case OPT_PAGE_SERVER:
                        r = parse_page_server(optarg, &o);
                        if (r < 0)
                                return r;
                        break;
                case OPT_STATUS_FD:
                        r = parse_status_fd(optarg, &o.status_fd);
                        if (r < 0)
                                return r;
                        break;
                default:
                        r = parse_common(c, argv, &o.criu);
                        if (r < 0)
                                return r;
                }
        r = command_single_id(argc, argv, optind, &o.id);
        if (r >= 0)
                r = check_lazy(&o);
        return r < 0 ? r : container_checkpoint(&o);
}

typedef struct RestoreCommand {
        RestoreOptions options;
        bool detach, no_subreaper, keep;
} RestoreCommand;

/* criu would take a name without a type, or of another one, for none. */
static int check_profile(const char *s) {
        const char *name = startswith(s, "apparmor:");

        if (!name)
                name = startswith(s, "selinux:");
        return !isempty(name) ? 0
                              : fail_text(EINVAL,
                                          "--lsm-profile \"%s\": expected apparmor:NAME or selinux:LABEL",
                                          s);
}

static int parse_restore(const Globals *g, int argc, char **argv, RestoreCommand *ret) {
        int c, r;

        if (g->no_cgroup)
                return fail_text(EOPNOTSUPP, "--cgroup-manager disabled is not supported by restore");
        *ret = (RestoreCommand){ .options = { .create = { .root = g->root,
                                                          .rootless = g->rootless,
                                         .systemd_cgroup = g->systemd_cgroup,
                                                          .bundle = ".",
                                                          .console_fd = -EBADF },
                                              .criu = { .image_path = DEFAULT_IMAGES,
                                                        .cgroup_mode = CRIU_CGROUP_SOFT } } };
        optind = 1;
        /* containerd says -no-subreaper, as runc takes one dash too. */
        while ((c = getopt_long_only(argc, argv, "+b:d", restore_options, NULL)) >= 0)
                switch (c) {
                case 'b':
                        ret->options.create.bundle = optarg;
                        break;
                case 'd':
                        ret->detach = true;
                        break;
                case OPT_PID_FILE:
                        ret->options.create.pid_file = optarg;
                        break;
                case OPT_CONSOLE_SOCKET:
                        ret->options.create.console_socket = optarg;
                        break;
                case OPT_NO_SUBREAPER:
                        ret->no_subreaper = true;
                        break;
                case OPT_KEEP:
                        ret->keep = true;
                        break;
                case OPT_LSM_PROFILE:
                        ret->options.lsm_profile = optarg;
                        r = check_profile(optarg);
                        if (r < 0)
                                return r;
                        break;
                case OPT_LSM_MOUNT_CONTEXT:
                        ret->options.lsm_mount_context = optarg;
                        break;
                case OPT_NO_PIVOT:
                        ret->options.create.no_pivot = true;
                        break;
                default:
                        r = parse_common(c, argv, &ret->options.criu);
                        if (r < 0)
                                return r;
                }
        return command_single_id(argc, argv, optind, &ret->options.create.id);
}

static int serve(const RestoreCommand *o, pid_t pid, int master_end) {
        const CreateOptions *create = &o->options.create;
        int master = -EBADF, r;

        if (master_end >= 0) {
                master = foreground_receive_master(master_end);
                if (master < 0)
                        return master;
        }
        r = foreground_wait(pid, master, -EBADF);
        if (r >= 0 && !o->keep && container_delete(create->root, create->id, true) < 0)
                runtime_warning("%s", fail_message());
        return r;
}

static int restore_foreground(RestoreCommand *o, Bundle *bundle) {
        _cleanup_close_ int ours = -EBADF, theirs = -EBADF;
        _cleanup_state_ State s = STATE_INIT;
        int ends[2], r;
        pid_t pid;

        if (!o->no_subreaper && prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
                return fail_errno(errno, "become subreaper");
        if (bundle->spec.process.terminal && !o->options.create.console_socket) {
                if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
                        return fail_errno(errno, "socketpair");
                ours = ends[0];
                o->options.create.console_fd = theirs = ends[1];
        }
        r = foreground_block_signals();
        if (r >= 0)
                r = container_restore(&o->options, bundle, &s);
        if (r < 0)
                return r;
        pid = s.pid;
        state_done(&s); /* the lock is whoever's comes next */
        r = serve(o, pid, ours);
        if (r < 0) {
                _cleanup_free_ char *message = strdup(fail_message());

                (void) container_delete(o->options.create.root, o->options.create.id, true);
                return fail_text(r, "%s", strempty(message));
        }
        return r;
}

/** cmd_restore - berth-runtime restore: as run, but from a checkpoint. */
int cmd_restore(const Globals *g, int argc, char **argv) {
        _cleanup_bundle_ Bundle bundle = {};
        _cleanup_state_ State s = STATE_INIT;
        RestoreCommand o;
        int r;

        r = parse_restore(g, argc, argv, &o);
        if (r >= 0)
                r = bundle_load(o.options.create.bundle, NULL, &bundle);
        if (r < 0)
                return r;
        if (!o.detach)
                return restore_foreground(&o, &bundle);
        return container_restore(&o.options, &bundle, &s);
}
