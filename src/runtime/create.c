/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * `create`: everything that happens before the payload may run, seen from the host's side. The order keeps a
 * killed create deletable: the state directory comes first and names the cgroup, the process comes after it,
 * and the child goes on only when its pid is stored.
 */
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../basic/clock.h"
#include "../basic/fd.h"
#include "../basic/file.h"
#include "../basic/str.h"
#include "cgroup/cgroup-controllers.h"
#include "cgroup/cgroup-owner.h"
#include "cgroup/cgroup-resources.h"
#include "cgroup/cgroup.h"
#include "cgroup/device-filter.h"
#include "channel.h"
#include "container.h"
#include "create-steps.h"
#include "error.h"
#include "foreground.h"
#include "hooks.h"
#include "kernel-call.h"
#include "mounts/device-nodes.h"
#include "mounts/mounts.h"
#include "mounts/root-tree.h"
#include "namespaces/clone-child.h"
#include "namespaces/idmap.h"
#include "namespaces/join-user.h"
#include "namespaces/namespaces.h"
#include "namespaces/net-devices.h"
#include "namespaces/network.h"
#include "process/activation.h"
#include "process/label.h"
#include "process/memory-policy.h"
#include "process/oom-score.h"
#include "process/personality.h"
#include "process/process.h"
#include "process/sched-attr.h"
#include "process/sysctl.h"
#include "process/terminal.h"
#include "runtime-log.h"
#include "seccomp/seccomp-cache.h"
#include "systemd/systemd-cgroup.h"

static void undo_network(Undo *u) {
        net_devices_return(u->net_devices);
        u->net_devices = net_devices_free(u->net_devices);
}

/** undo_run - take away what was made so far: nothing of a failed create or restore stays. */
void undo_run(Undo *u) {
        if (u->pid > 0) {
                (void) kill(u->pid, SIGKILL);
                while (waitpid(u->pid, NULL, 0) < 0 && errno == EINTR)
                        ;
        }
        (void) safe_close(u->pidfd);
        undo_network(u);
        systemd_scope_undo(&u->scope, u->st);
        if (u->cgroup_made > 0)
                cgroup_remove_made(u->cgroup, u->cgroup_made);
        if (u->pid_file)
                (void) unlink(u->pid_file);
        if (u->state)
                (void) state_remove(u->root, u->id);
}

/**
 * bundle_load - read and parse config.json of the bundle @path, or what takes its place.
 * @config: path of the file, from the bundle on; NULL for config.json.
 * @ret: owned by the caller, bundle_done().
 */
int bundle_load(const char *path, const char *config, Bundle *ret) {
        _cleanup_free_ char *file = config && config[0] == '/'
                                                    ? strdup(config)
                                                    : str_concat(path, "/", config ?: "config.json");
        _cleanup_bundle_ Bundle b = {};
        _cleanup_close_ int fd = -EBADF;
        struct stat st;
        int r;

        if (!file)
                return -ENOMEM;
        /* A pipe would be waited for, and a device has no end. */
        fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        if (fd < 0 || fstat(fd, &st) < 0)
                return fail_errno(errno, "open %s", file);
        if (!S_ISREG(st.st_mode))
                return fail_text(EINVAL, "%s is not a regular file", file);
        r = read_fd(fd, SPEC_SIZE_MAX, &b.text, &b.size);
        if (r < 0)
                return fail_errno(r, "read %s", file);
        r = spec_parse(b.text, b.size, &b.spec);
        if (r < 0)
                return r;
        *ret = b;
        b = (Bundle) {};
        return 0;
}

/** bundle_done - release what a Bundle owns. */
void bundle_done(Bundle *b) {
        spec_done(&b->spec);
        free(b->text);
        *b = (Bundle) {};
}

/** create_check - what cannot be created is refused before anything is made. */
int create_check(const Spec *s, const CreateOptions *o) {
        bool has_console = o->console_socket || o->console_fd >= 0;
        const char *domain;
        int r;

        if (o->no_pivot && !spec_has_new(s, NS_MOUNT))
                return fail_text(EINVAL,
                                 "--no-pivot: unable to use no-pivot without a private MNT namespace");
        if (!s->has_process)
                return fail_text(EINVAL, "config.json: process: expected an object");
        if ((s->hostname || s->domainname) && !s->ns[NS_UTS].present)
                return fail_text(EINVAL, "config.json: %s: needs a uts namespace of its own",
                                 s->hostname ? "hostname" : "domainname");
        if ((s->hostname || s->domainname) && namespace_is_ours(s, NS_UTS))
                return fail_text(EINVAL, "config.json: %s: the uts namespace is the host's",
                                 s->hostname ? "hostname" : "domainname");
        if (s->process.terminal && !has_console)
                return fail_text(
                                EINVAL,
                                "config.json: process.terminal: a terminal needs somebody who keeps its other end: use --console-socket");
        if (!s->process.terminal && has_console)
                return fail_text(EINVAL,
                                 "--console-socket is given but config.json has no process.terminal");
        if ((r = label_check(&s->process, s->mount_label)) < 0 || (r = sched_check(&s->process)) < 0 ||
            (r = personality_check(s, &domain)) < 0 || (r = memory_policy_check(s->memory_policy)) < 0 ||
            (r = net_devices_check(s)) < 0 ||
            (r = rootless_check(s)) < 0 || (r = root_tree_check(s)) < 0)
                return r;
        return sysctl_check(s);
}

/* @ret: owned by the caller. */
static int choose_cgroup(const Spec *s, const CreateOptions *o, char **ret) {
        const char *path = isempty(s->cgroups_path) ? o->id : s->cgroups_path;

        if (path[0] != '/' && rootless_applies(o->rootless))
                return rootless_cgroup_path(path, ret);
        *ret = path[0] == '/' ? strdup(path) : str_concat("/", path);
        return *ret ? 0 : -ENOMEM;
}

static bool path_is_plain(const char *path) {
        size_t n = strlen(path);

        return path[0] == '/' && (n == 1 || path[n - 1] != '/') && !strstr(path, "//") &&
               !strstr(path, "/.");
}

static int resolve_root(const char *root, char resolved[PATH_MAX]) {
        struct stat st;

        if (!realpath(root, resolved) || stat(resolved, &st) < 0)
                return fail_errno(errno, "root file system %s", root);
        return S_ISDIR(st.st_mode) ? 0 : fail_errno(ENOTDIR, "root file system %s", root);
}

/** create_fill_state - what the state says of the container, all but its process. */
int create_fill_state(const Spec *s, const CreateOptions *o, State *st) {
        const char *domain;
        char resolved[PATH_MAX], at[RFC3339_MAX];
        _cleanup_free_ char *root = NULL;
        int r;

        if (!realpath(o->bundle, resolved))
                return fail_errno(errno, "bundle %s", o->bundle);
        /* As it was given, if it is absolute: a bundle may be found by a link. */
        st->bundle = strdup(path_is_plain(o->bundle) ? o->bundle : resolved);
        root = s->rootfs[0] == '/' ? strdup(s->rootfs) : str_concat(resolved, "/", s->rootfs);
        if (!root)
                return -ENOMEM;
        r = s->ns[NS_MOUNT].path ? 0 : resolve_root(root, resolved);
        if (r < 0)
                return r;
        /* One by path has other directories. */
        st->rootfs = strdup(s->ns[NS_MOUNT].path ? root : resolved);
        r = o->systemd_cgroup || o->no_cgroup ? 0 : choose_cgroup(s, o, &st->cgroup);
        if (r < 0)
                return r;
        st->oci_version = strdup(s->oci_version);
        format_rfc3339(now_realtime(), at);
        st->created = strdup(at);
        (void) personality_check(s, &domain); /* has been checked */
        st->personality = domain ? strdup(domain) : NULL;
        st->apparmor = isempty(s->process.apparmor) ? NULL : strdup(s->process.apparmor);
        st->selinux = isempty(s->process.selinux) ? NULL : strdup(s->process.selinux);
        if ((domain && !st->personality) || (!isempty(s->process.apparmor) && !st->apparmor) ||
            (!isempty(s->process.selinux) && !st->selinux))
                return -ENOMEM;
        st->any_hook = s->any_hook;
        st->no_new_privs = s->process.no_new_privs;
        st->user_ns = s->ns[NS_USER].present;
        st->shared_mounts = !spec_has_new(s, NS_MOUNT);
        st->root_tree = st->shared_mounts && root_tree_is_needed(s);
        st->keep_keyring = o->no_new_keyring;
        st->may_trace = !st->user_ns && (s->process.caps[CAP_SET_BOUNDING] & UINT64_C(1) << CAP_SYS_PTRACE);
        st->annotations = json_object_get(s->annotations);
        st->memory_policy = json_object_get(s->memory_policy);
        return st->bundle && st->rootfs && st->oci_version && st->created ? 0 : -ENOMEM;
}

static int listen_for_start(const State *st) {
        struct sockaddr_un sa = { .sun_family = AF_UNIX };
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

        (void) snprintf(sa.sun_path, sizeof(sa.sun_path), "/proc/self/fd/%d/start.sock", st->dir_fd);
        if (fd < 0 || bind(fd, (struct sockaddr *) &sa, sizeof(sa)) < 0 || listen(fd, 4) < 0)
                return fail_errno(errno, "socket for start");
        return TAKE_FD(fd);
}

/** write_pid_file - readers see nothing or the whole number. */
int write_pid_file(const char *path, pid_t pid) {
        char text[16];
        int n = snprintf(text, sizeof(text), "%d", (int) pid), r;

        r = write_file_at(AT_FDCWD, path, text, (size_t) n, 0644, WRITE_REPLACE);
        return r < 0 ? fail_errno(r, "write pid file %s", path) : 0;
}

static _Noreturn void child_main(InitContext *c, int parent_end) {
        int r;

        (void) close(parent_end);
        /* The lock belongs to the open file: held here it would outlive the parent. */
        (void) close(c->state->dir_fd);
        (void) safe_close(c->helper_fd);
        r = init_run(c);
        if (c->channel_fd >= 0)
                (void) channel_send(c->channel_fd, CHANNEL_ERROR,
                                    isempty(fail_message()) ? errno_words(r) : fail_message());
        _exit(1);
}

static void drop_cgroup(State *st, Undo *u) {
        if (u->cgroup_made > 0)
                cgroup_remove_made(u->cgroup, u->cgroup_made);
        u->cgroup_made = 0;
        u->cgroup = NULL;
        free(st->cgroup);
        st->cgroup = NULL;
}

/* Without rights on the host the container may have to stay in our own cgroup. Return: 0 then, or @error. */
static int give_cgroup_up(const InitContext *c, State *st, Undo *u, int error) {
        int r = error;

        if (st->cgroup && rootless_applies(c->options->rootless))
                r = rootless_cgroup_refusal(c->spec, st->cgroup, error);
        if (r >= 0)
                drop_cgroup(st, u);
        return r;
}

/* Return: the pid, 0 in the child, or -errno with a message. */
static pid_t clone_once(const InitContext *c, int cgroup_fd, Undo *u) {
        uint64_t flags = namespaces_clone_flags(c->spec);
        pid_t pid;

        if (network_is_apart(c->spec))
                flags &= ~(uint64_t) CLONE_NEWNET;
        if (namespaces_need_helper(c->spec))
                return clone_in_joined_user(c->spec, flags, cgroup_fd, &u->pidfd);
        pid = cgroup_fd >= 0 && u->cgroup_made == 0 ? clone_and_move(flags, cgroup_fd, &u->pidfd) :
                                                      clone_into_cgroup(flags, cgroup_fd, &u->pidfd);
        return pid < 0 ? fail_errno(errno, "clone into the new namespaces") : pid;
}

/* The same, with what may be done about a cgroup that we may not use. */
static pid_t clone_init(InitContext *c, State *st, Undo *u) {
        pid_t pid = clone_once(c, c->cgroup_fd, u);
        int q = pid < 0 ? cgroup_explain_entry(c->cgroup_fd, st->cgroup, (int) pid) : 0;

        if (q < 0)
                return q;
        if (pid == -EACCES && c->cgroup_fd >= 0) {
                int r = fail_errno(EACCES, "move into cgroup %s", st->cgroup);

                r = give_cgroup_up(c, st, u, r);
                if (r < 0)
                        return r;
                c->cgroup_fd = -EBADF;
                pid = clone_once(c, -EBADF, u);
        }
        return pid;
}

static int spawn_init(InitContext *c, State *st, Undo *u, int *ret_channel) {
        bool visible = geteuid() != 0 && spec_has_new(c->spec, NS_USER);
        NamespaceJoin join;
        int ends[2], r, left;
        pid_t pid;

        r = channel_pair(ends);
        if (r < 0)
                return r;
        c->channel_fd = ends[1];
        r = namespaces_join(c->spec, &join);
        /* The /proc files of a non-dumpable process belong to root, so an ordinary user could not write its
         * id
         * mappings. Until they are written only processes of this user outside of all containers can look
         * into the child: nobody else is in its user namespace or above it. */
        if (visible)
                (void) prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
        pid = r < 0 ? r : clone_init(c, st, u);
        if (pid == 0)
                child_main(c, ends[0]);
        if (visible)
                (void) prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
        if (pid < 0)
                r = (int) pid;
        (void) close(ends[1]);
        left = namespaces_leave(&join);
        if (pid < 0) {
                (void) close(ends[0]);
                return r;
        }
        runtime_debug("nsexec container setup: first process is %d", (int) pid);
        u->pid = pid;
        *ret_channel = ends[0];
        return left;
}

static int map_ids(const InitContext *c, const State *st, int channel) {
        int r;

        if (!c->spec->ns[NS_USER].present)
                return 0;
        process_raise_limits(st->pid, &c->spec->process);
        r = oom_score_apply_outside(st->pid, &c->spec->process);
        if (r < 0)
                return r;
        if (c->spec->ns[NS_USER].path)
                return joined_maps_check(c->spec, st->pid);
        if (!spec_has_new(c->spec, NS_USER))
                return 0;
        r = idmap_write(st->pid, c->spec->uid_maps, c->spec->n_uid_maps, c->spec->gid_maps,
                        c->spec->n_gid_maps);
        return r < 0 ? r : channel_send(channel, CHANNEL_MAPPED, NULL);
}

/* Goes along with the child until it stands before its program. */
static int attend_child(const InitContext *c, State *st, int channel, int pidfd) {
        char text[CHANNEL_TEXT_MAX] = "";
        int r;

        for (;;) {
                r = channel_receive_from(channel, pidfd, text);
                if (r == CHANNEL_READY)
                        return 0;
                if (r == CHANNEL_ERROR)
                        return fail_text(ECHILD, "unable to start container process: %s", text);
                if (r != CHANNEL_HOOKS)
                        return fail_text(EPIPE, "the container process ended unexpectedly during set-up");
                /* The environment is made, which is what the life cycle calls created; crun says so too. */
                r = hooks_run(c->spec, HOOK_PRESTART, st, STATUS_CREATED);
                if (r >= 0)
                        r = hooks_run(c->spec, HOOK_CREATE_RUNTIME, st, STATUS_CREATED);
                if (r >= 0)
                        r = channel_send(channel, CHANNEL_GO, NULL);
                if (r < 0)
                        return r;
        }
}

static int send_pidfd(const char *path, int pidfd) {
        _cleanup_close_ int fd = terminal_connect(path);
        int r = fd < 0 ? fd : terminal_send(fd, pidfd);

        /* On the channel this would be the container's end. */
        return r == -EPIPE ? -ECONNRESET : r;
}

/** create_limit_cgroup - limits and device filter of a cgroup that is there. */
int create_limit_cgroup(int fd, const Spec *s, const State *st) {
        int r = cgroup_resources_apply(fd, st->cgroup, s->resources, s->oci_version);

        if (r >= 0)
                r = device_filter_apply(fd, s);
        return r < 0 ? r : cgroup_owner_apply(fd, s);
}

/**
 * create_cgroup - make the cgroup with its limits and its device filter.
 *
 * Return: its descriptor, or -errno with a message.
 */
int create_cgroup(const Spec *s, State *st, Undo *u) {
        _cleanup_close_ int fd = -EBADF;
        int r;

        u->cgroup = st->cgroup;
        fd = cgroup_create(st->cgroup, &u->cgroup_made);
        if (fd < 0)
                return fd;
        r = u->cgroup_made == 0 ? cgroup_check_unused(fd, st->cgroup) : 0;
        if (r >= 0)
                r = create_limit_cgroup(fd, s, st);
        return r < 0 ? r : TAKE_FD(fd);
}

/* The child's own words for why it died are better than systemd's about a process that is not there. */
static int explain(int channel, int error) {
        char text[CHANNEL_TEXT_MAX] = "";
        struct pollfd p = { .fd = channel, .events = POLLIN };

        if (poll(&p, 1, 0) > 0 && channel_receive(channel, text) == CHANNEL_ERROR)
                return fail_text(ECHILD, "unable to start container process: %s", text);
        return error;
}

static int enter_scope(const InitContext *c, State *st, Undo *u, int channel) {
        _cleanup_close_ int fd = systemd_scope_enter(&u->scope, c->spec, st, u->pid);
        int r;

        if (fd < 0)
                return explain(channel, fd);
        r = channel_send(channel, CHANNEL_CGROUP, NULL);
        if (r < 0)
                return explain(channel, fail_errno(r, "the container process ended during set-up"));
        r = create_limit_cgroup(fd, c->spec, st);
        /* The end of its only process takes a scope away. */
        return r < 0 ? explain(channel, r) : r;
}

/* From here on a killed create can be deleted together with its process. */
static int announce(const InitContext *c, State *st, Undo *u, int channel) {
        const CreateOptions *o = c->options;
        int r;

        if (o->pid_file) {
                u->pid_file = o->pid_file;
                r = write_pid_file(o->pid_file, u->pid);
                if (r < 0)
                        return r;
        }
        if (o->pidfd_socket) {
                r = send_pidfd(o->pidfd_socket, u->pidfd);
                if (r < 0)
                        return r;
        }
        if (c->spec->pidfd_receiver) {
                r = send_pidfd(c->spec->pidfd_receiver, u->pidfd);
                if (r < 0)
                        return r;
        }
        r = state_save(st);
        return r < 0 ? r : channel_send(channel, CHANNEL_SAVED, NULL);
}

static int prepare_network(const InitContext *c, Undo *u, int channel) {
        if (network_is_apart(c->spec))
                return network_make(c->spec, channel, &u->net_devices);
        return c->spec->n_net_devices > 0 ? net_devices_move_to(c->spec, u->pid, &u->net_devices) : 0;
}

static int run_child_once(InitContext *c, State *st, Undo *u, StartLink *ret_link) {
        /* For `run` the state is stored while the child sets up, so that neither waits for the other. A
         * hook, and whoever waits for `created`, is to see a stored pid only when all is set up. */
        bool early = c->options->start && !c->spec->any_hook;
        _cleanup_close_ int channel = -EBADF;
        int r;

        r = spawn_init(c, st, u, &channel);
        if (r < 0)
                return r;
        st->pid = u->pid;
        r = process_start_time(u->pid, &st->pid_start);
        if (r < 0)
                return fail_errno(r, "start time of %d", (int) u->pid);
        /* systemd is at work while the maps are written. */
        if (u->scope.used && (r = systemd_scope_request(&u->scope, c->spec, st, u->pid)) < 0)
                return r;
        r = map_ids(c, st, channel);
        if (r >= 0)
                r = prepare_network(c, u, channel);
        if (r >= 0 && u->scope.used)
                r = enter_scope(c, st, u, channel);
        if (r >= 0 && early)
                r = announce(c, st, u, channel);
        /* A child that has failed already does not listen any more, but what it said is still to be read. */
        if (r == -EPIPE && early)
                r = 0;
        if (r >= 0)
                r = attend_child(c, st, channel, u->pidfd);
        if (r >= 0 && !early)
                r = announce(c, st, u, channel);
        if (r >= 0 && c->options->start)
                ret_link->channel_fd = TAKE_FD(channel);
        return r;
}

static int run_child(InitContext *c, State *st, Undo *u, StartLink *ret_link) {
        int r = run_child_once(c, st, u, ret_link);

        if (r < 0 && !u->scope.used && clone_died_at_birth(u->pid, &u->pidfd)) {
                u->pid = 0;
                undo_network(u);
                r = run_child_once(c, st, u, ret_link);
        }
        return r;
}

static int open_resources(InitContext *c, const Spec *s) {
        int r;

        if (c->options->console_socket) {
                c->console_fd = terminal_connect(c->options->console_socket);
                if (c->console_fd < 0)
                        return c->console_fd;
        }
        if (s->any_hook && (r = hook_files_open(s->hook_stdout, s->hook_stderr, &c->hook_files)) < 0)
                return r;
        c->nodes_fd = device_nodes_make(s);
        if (c->nodes_fd < 0 && c->nodes_fd != -EBADF)
                return c->nodes_fd;
        r = namespaces_open_mount(s, &c->mount_ns_fd);
        return r < 0 ? r : mounts_open_sources(s, c->state->bundle, (int **) &c->source_fds);
}

static int create_in(const CreateOptions *o, Bundle *b, State *st, Undo *u, StartLink *ret_link) {
        _cleanup_seccomp_ SeccompFilter filter = {};
        _cleanup_close_ int listen_fd = -EBADF, cgroup_fd = -EBADF;
        _cleanup_agent_ SeccompAgent agent = SECCOMP_AGENT_INIT;
        InitContext c = { .options = o,
                          .spec = &b->spec,
                          .state = st,
                          .filter = &filter,
                          .agent = &agent,
                          .rootfs = st->rootfs,
                          .listen_fd = -EBADF,
                          .console_fd = o->console_fd,
                          .hook_files = HOOK_FILES_INIT, .namespaces = NAMESPACE_FDS_NONE,
                          .closed_to_user = geteuid() != 0 && !o->start,
                          .nodes_fd = -EBADF,
                          .cgroup_fd = -EBADF,
                          .mount_ns_fd = -EBADF,
                          .moved = u->scope.used,
                          .helper_fd = u->scope.used ? u->scope.helper.fd : -EBADF };
        int r;

        if (o->console_fd >= 0)
                foreground_adapt_terminal(&b->spec.process);
        r = state_save(st);
        if (r < 0)
                return r;
        r = write_file_at(st->dir_fd, "config.json", b->text, b->size, 0600, 0);
        if (r < 0)
                return fail_errno(r, "store config.json");
        r = b->spec.fail_unknown_syscalls ? seccomp_check_names(b->spec.seccomp) : 0;
        if (r >= 0)
                r = seccomp_prepare(o->root, st->dir_fd, b->spec.seccomp, &filter);
        if (r >= 0)
                r = seccomp_agent_connect(b->spec.seccomp, b->spec.annotations, &filter, &agent);
        if (r < 0)
                return r;
        r = cgroup_find_mount(&c.cgroup_mount);
        if (r < 0)
                return r;
        if (!u->scope.used && !o->no_cgroup)
                c.cgroup_fd = cgroup_fd = create_cgroup(&b->spec, st, u);
        if (!u->scope.used && !o->no_cgroup && cgroup_fd < 0) {
                r = give_cgroup_up(&c, st, u, cgroup_fd);
                if (r < 0)
                        return r;
        }
        if (!o->start) {
                c.listen_fd = listen_fd = listen_for_start(st);
                if (listen_fd < 0)
                        return listen_fd;
                r = state_note_descriptors(st, b->spec.process.terminal);
                if (r < 0)
                        return r;
        }
        r = notify_prepare(&b->spec, st, o->root);
        if (r >= 0 && o->start) {
                r = ret_link->notify_fd = notify_listen(st);
                if (r == -ENOENT)
                        r = 0;
        }
        if (r >= 0)
                r = open_resources(&c, &b->spec);
        if (r < 0)
                return r;
        r = run_child(&c, st, u, ret_link);
        hook_files_done(&c.hook_files);
        (void) safe_close(c.nodes_fd);
        return r;
}

/* A create that failed after its hooks may have run ends as every container does. */
static void run_poststop(const Spec *s, const State *st) {
        _cleanup_free_ char *message = strdup(fail_message());

        if (s->hooks[HOOK_POSTSTOP].n == 0)
                return;
        (void) hooks_run(s, HOOK_POSTSTOP, st, STATUS_STOPPED);
        (void) fail_text(ECANCELED, "%s", strempty(message));
}

/**
 * container_create - bring a container up to where only its program is missing; with o->start, let it run.
 * @bundle: config.json, loaded; borrowed.
 * @ret: its state, locked; release with state_done(). The first process is a child of the caller.
 * @ret_link: for container_started(); owned by the caller, valid also on failure; only with o->start.
 *
 * Return: 0, or -errno with a message and nothing left behind.
 */
int container_create(const CreateOptions *o, Bundle *bundle, State *ret, StartLink *ret_link) {
        _cleanup_state_ State st = STATE_INIT;
        Undo u = { .root = o->root, .id = o->id, .pidfd = -EBADF, .st = &st };
        int r;

        if (o->systemd_cgroup && (r = systemd_scope_begin(&u.scope, o->stays)) < 0)
                return r;
        r = create_check(&bundle->spec, o);
        if (r >= 0 && o->no_cgroup)
                r = rootless_no_cgroup_check(&bundle->spec);
        bundle->spec.ipc_is_hosts = bundle->spec.mount_label && namespace_is_ours(&bundle->spec, NS_IPC);
        if (r >= 0 && (r = state_make(o->root, o->id, &st)) >= 0) {
                u.state = true;
                r = create_fill_state(&bundle->spec, o, &st);
                if (r >= 0)
                        spec_mounts_enter_root(&bundle->spec, st.rootfs);
                if (r >= 0 && u.scope.used)
                        r = systemd_scope_name(&u.scope, &bundle->spec, &st);
                if (r >= 0)
                        r = create_in(o, bundle, &st, &u, ret_link);
        }
        if (r < 0) {
                bool started = u.pid > 0;

                undo_run(&u);
                if (started)
                        run_poststop(&bundle->spec, &st);
        }
        systemd_scope_done(&u.scope);
        if (r < 0)
                return r;
        (void) safe_close(u.pidfd);
        u.net_devices = net_devices_free(u.net_devices);
        *ret = st;
        st = STATE_INIT;
        return 0;
}
