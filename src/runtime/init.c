/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The first process of a container, from clone3() to execve(). It is already in its namespaces (but the
 * cgroup one) and in its cgroup. It talks to `create` over channel_fd and, once `create` has stored the
 * state and is gone, to `start` over the listening socket: when this process dies the socket dies with it,
 * so nobody can hang on it.
 */
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "../basic/fd.h"
#include "../basic/str.h"
#include "channel.h"
#include "container.h"
#include "error.h"
#include "hooks.h"
#include "kernel-call.h"
#include "mounts/devices.h"
#include "mounts/mounts.h"
#include "mounts/root-path.h"
#include "mounts/root-tree.h"
#include "mounts/rootfs.h"
#include "namespaces/namespaces.h"
#include "namespaces/network.h"
#include "process/activation.h"
#include "process/descriptors.h"
#include "process/home-env.h"
#include "process/keyring.h"
#include "process/label.h"
#include "process/memory-policy.h"
#include "process/oom-score.h"
#include "process/personality.h"
#include "process/process.h"
#include "process/sched-attr.h"
#include "process/sysctl.h"
#include "process/terminal.h"
#include "runtime-log.h"

static int enter_user_namespace(const InitContext *c) {
        int r;

        if (!c->spec->ns[NS_USER].present)
                return 0;
        r = spec_has_new(c->spec, NS_USER) ? channel_expect(c->channel_fd, CHANNEL_MAPPED) : 0;
        if (r < 0)
                return r;
        r = namespaces_enter_new_time(c->spec);
        if (r < 0)
                return r;
        /* `create` may have had to open us to its user for the mappings. */
        if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
                return fail_errno(errno, "become non-dumpable");
        r = process_enter_user_namespace(&c->spec->process);
        if (r < 0)
                return r;
        if (spec_has_new(c->spec, NS_USER) && spec_has_new(c->spec, NS_IPC) && unshare(CLONE_NEWIPC) < 0)
                return fail_errno(errno, "new ipc namespace");
        return 0;
}

static int enter_network(void *userdata) {
        InitContext *c = userdata;

        if (c->in_network)
                return 0;
        c->in_network = true;
        return network_is_apart(c->spec) ? network_enter(c->channel_fd) : 0;
}

/*
 * clone3() would root a cgroup namespace at the parent's cgroup, so it is made from inside; and only once
 * the process is where it belongs, for which it may have to wait.
 */
static int enter_cgroup(void *userdata) {
        InitContext *c = userdata;
        int r = 0;

        if (c->in_cgroup)
                return 0;
        if (c->moved) {
                r = enter_network(c); /* whose message comes first */
                if (r >= 0)
                        r = channel_expect(c->channel_fd, CHANNEL_CGROUP);
                if (r < 0)
                        return r;
        }
        c->in_cgroup = true;
        if (spec_has_new(c->spec, NS_CGROUP) && unshare(CLONE_NEWCGROUP) < 0)
                return fail_errno(errno, "new cgroup namespace");
        return 0;
}

static int setup_identity(InitContext *c) {
        const Spec *s = c->spec;
        int r;

        r = enter_user_namespace(c);
        if (r < 0)
                return r;
        if (setsid() < 0)
                return fail_errno(errno, "setsid");
        /* One that is being moved is waited for as late as possible. */
        r = c->moved ? 0 : enter_cgroup(c);
        if (r < 0)
                return r;
        if (!isempty(s->hostname) && sethostname(s->hostname, strlen(s->hostname)) < 0)
                return fail_errno(errno, "sethostname");
        if (!isempty(s->domainname) && setdomainname(s->domainname, strlen(s->domainname)) < 0)
                return fail_errno(errno, "setdomainname");
        return spec_has_new(s, NS_NET) && !network_is_apart(s) ? network_bring_up_loopback() : 0;
}

static int new_keyring(const InitContext *c) {
        return c->options->no_new_keyring ? 0 : keyring_leave(&c->spec->process);
}

static int setup_terminal(const InitContext *c, int root_fd, int *ret_peer) {
        _cleanup_close_ int master = -EBADF, peer = -EBADF;
        int r;

        if (!c->spec->process.terminal)
                return 0;
        r = terminal_open(root_fd, &c->spec->process, &master, &peer);
        if (r < 0)
                return r;
        r = terminal_bind_console(root_fd, peer);
        if (r < 0)
                return r;
        r = terminal_send(c->console_fd, master);
        if (r < 0)
                return r;
        *ret_peer = TAKE_FD(peer);
        return 0;
}

static int run_host_hooks(const InitContext *c, int root_fd) {
        int r;

        if (c->spec->hooks[HOOK_PRESTART].n > 0 || c->spec->hooks[HOOK_CREATE_RUNTIME].n > 0) {
                r = channel_send(c->channel_fd, CHANNEL_HOOKS, NULL);
                if (r < 0)
                        return r;
                r = channel_expect(c->channel_fd, CHANNEL_GO);
                if (r < 0)
                        return r;
        }
        return hooks_run_on_root(c->spec, c->state, root_fd, &c->hook_files);
}

/* The root with all that is mounted in it. Return: its descriptor, or -errno with a message. */
static int build_root(void *userdata, int *ret_peer) {
        InitContext *c = userdata;
        _cleanup_close_ int root_fd = -EBADF, null_fd = -EBADF, made_fd = -EBADF;
        _cleanup_late_readonly_ LateReadonly late = {};
        MountContext mounts = { .spec = c->spec,
                                .bundle = c->state->bundle,
                                .source_fds = c->source_fds,
                                .cgroup_mount = c->cgroup_mount,
                                .before_network = enter_network,
                                .before_cgroup = enter_cgroup,
                                .userdata = c,
                                .late = &late };
        int r;

        mounts.root_fd = root_fd = rootfs_prepare(c->spec, c->rootfs);
        if (root_fd < 0)
                return root_fd;
        /* Of this mount namespace, or it could not be bound. */
        null_fd = null_device_open();
        if (null_fd < 0)
                return null_fd;
        r = mounts_setup(&mounts);
        if (r < 0)
                return r;
        r = devices_setup(c->spec, root_fd, c->nodes_fd);
        if (r < 0)
                return r;
        r = setup_terminal(c, root_fd, ret_peer);
        if (r >= 0)
                r = enter_network(c);
        if (r >= 0)
                r = enter_cgroup(c);
        if (r >= 0 && c->closed_to_user)
                r = namespace_fds_open(&c->namespaces);
        if (r < 0)
                return r;
        sched_reset_affinity();
        r = run_host_hooks(c, root_fd);
        if (r < 0)
                return r;
        /* Later it cannot be made; what is wrong with it is told where it is entered. */
        if (c->spec->readonly)
                made_fd = root_path_ensure(root_fd, c->spec->process.cwd, true, 0);
        /* Before parts of /proc become read-only: where no private one can be made, the host's is used. */
        if ((r = sysctl_apply(c->spec)) < 0 || (r = late_readonly_apply(&late)) < 0 ||
            (r = rootfs_protect(c->spec, root_fd, null_fd)) < 0)
                return r;
        return TAKE_FD(root_fd);
}

/* A directory in whose mount namespace others live: nothing is mounted. */
static int open_plain_root(InitContext *c) {
        _cleanup_close_ int root_fd = rootfs_open(c->spec, c->rootfs);
        int r;

        if (root_fd < 0)
                return root_fd;
        if ((r = devices_setup(c->spec, root_fd, -EBADF)) < 0 || (r = run_host_hooks(c, root_fd)) < 0 ||
            (r = sysctl_apply(c->spec)) < 0)
                return r;
        return TAKE_FD(root_fd);
}

/* Without a mount namespace of its own. */
static int setup_shared_root(InitContext *c, int *ret_peer) {
        _cleanup_close_ int root_fd = -EBADF;
        int r;

        /* The namespaces that a helper enters would be its own. */
        r = enter_network(c);
        if (r >= 0)
                r = enter_cgroup(c);
        if (r >= 0 && c->mount_ns_fd >= 0)
                r = namespaces_enter_mount(c->spec, c->mount_ns_fd);
        if (r < 0)
                return r;
        sched_reset_affinity();
        root_fd = root_tree_is_needed(c->spec) ? root_tree_build(build_root, c, ret_peer) :
                                                 open_plain_root(c);
        return root_fd < 0 ? root_fd : root_tree_enter(root_fd);
}

static int setup_root(InitContext *c, int *ret_peer) {
        _cleanup_close_ int root_fd = -EBADF;

        if (!spec_has_new(c->spec, NS_MOUNT))
                return setup_shared_root(c, ret_peer);
        root_fd = build_root(c, ret_peer);
        return root_fd < 0 ? root_fd : rootfs_enter(c->spec, root_fd, c->rootfs, !c->options->no_pivot);
}

static void end_by_signal(int sig) {
        _exit(128 + sig);
}

/* The kernel does not let the first process of a pid namespace end of a signal that it does not handle, but
 * who is created may be asked to go. execve() takes the handlers away. */
static void let_signals_end_us(void) {
        static const int signals[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM };

        for (size_t i = 0; getpid() == 1 && i < ELEMENTSOF(signals); i++)
                (void) signal(signals[i], end_by_signal);
}

/* Return: the connection of `start`, which is told that we took over, or -errno. */
static int wait_for_start(const InitContext *c) {
        _cleanup_close_ int fd = -EBADF;
        char text[CHANNEL_TEXT_MAX];
        int type;

        for (;;) {
                fd = accept4(c->listen_fd, NULL, NULL, SOCK_CLOEXEC);
                if (fd < 0) {
                        if (errno == EINTR || errno == ECONNABORTED)
                                continue;
                        return fail_errno(errno, "wait for start");
                }
                /* A `start` that was killed before it said anything does not count. */
                type = channel_receive(fd, text);
                if (type == CHANNEL_GO && channel_send(fd, CHANNEL_SAVED, NULL) >= 0)
                        return TAKE_FD(fd);
                if (type == CHANNEL_NAMESPACES)
                        (void) namespace_fds_send(fd, &c->namespaces);
                fd = safe_close(fd);
        }
}

static int start_payload(InitContext *c, const char *path, int peer_fd) {
        SpecProcess *p = &c->spec->process;
        int r;

        if (c->listen_fd >= 0) {
                int start_fd = wait_for_start(c);

                if (start_fd < 0)
                        return start_fd;
                /* From here on `start` is who hears of errors. */
                c->channel_fd = start_fd;
                (void) close(c->listen_fd);
                namespace_fds_done(&c->namespaces);
        }
        r = hooks_run_inside(c->spec, c->state, STATUS_CREATED, c->filter, &c->hook_files);
        if (r < 0)
                return r;
        if (peer_fd >= 0)
                (void) close(peer_fd);
        r = process_keep_fds(c->options->preserve_fds);
        if (r >= 0)
                r = activation_env_add(p, c->options->listen_fds);
        if (r >= 0)
                r = seccomp_agent_describe(c->agent, c->state, STATUS_CREATING, c->state->pid);
        if (r >= 0)
                r = process_become(p, c->filter, c->agent);
        return r < 0 ? r : process_exec(p, path);
}

/* From here on paths are looked up that the image may have made. */
static int close_descriptors(const InitContext *c, int peer_fd) {
        int keep[7 + _NS_MAX] = { c->channel_fd, c->listen_fd, peer_fd, c->agent->fd,
                                  runtime_log_descriptor(), c->hook_files.fds[0], c->hook_files.fds[1] };

        memcpy(keep + 7, c->namespaces.fds, sizeof(c->namespaces.fds));
        return descriptors_close_but(keep, ELEMENTSOF(keep), c->options->preserve_fds);
}

/**
 * init_run - set the container up around the calling process and become its payload.
 *
 * Return: only on failure, -errno with a message for whoever c->channel_fd leads to then.
 */
int init_run(InitContext *c) {
        SpecProcess *p = &c->spec->process;
        _cleanup_free_ char *path = NULL;
        int peer_fd = -EBADF, r;

        runtime_debug("child process in init()");
        if (c->spec->any_hook || c->agent->fd >= 0)
                c->state->pid = process_host_pid();
        if ((r = setup_identity(c)) < 0 || (r = new_keyring(c)) < 0 || (r = setup_root(c, &peer_fd)) < 0)
                return r;
        if (peer_fd >= 0) {
                r = terminal_attach(peer_fd, p->uid);
                if (r < 0)
                        return r;
        }
        if ((!c->spec->ns[NS_USER].present && (r = oom_score_apply(p)) < 0) ||
            (r = personality_apply(c->state->personality)) < 0 ||
            (r = memory_policy_apply(c->state->memory_policy)) < 0 ||
            (r = close_descriptors(c, peer_fd)) < 0 || (r = process_prepare(p, true)) < 0 ||
            (r = home_env_add(p)) < 0)
                return r;
        /* A profile or label that cannot be had is told by `create`. */
        if ((r = process_resolve(p, &path)) < 0 || (r = label_apply(p)) < 0)
                return r;
        /* Before `create` can be told that all is ready, and its caller sends one. */
        if (c->listen_fd >= 0)
                let_signals_end_us();
        r = channel_send(c->channel_fd, CHANNEL_READY, NULL);
        if (r < 0)
                return r;
        r = channel_expect(c->channel_fd, CHANNEL_SAVED);
        if (r < 0)
                return r;
        runtime_debug("init: closing the pipe to signal completion");
        if (c->listen_fd >= 0)
                c->channel_fd = safe_close(c->channel_fd);
        return start_payload(c, path, peer_fd);
}
