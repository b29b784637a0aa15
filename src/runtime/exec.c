/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A further process in a running container. Its namespaces are entered through a pidfd of init, verified by
 * its start time, so that a reused pid can never be joined. The child is born in init's own cgroup and, for
 * the pid namespace, by a parent that has joined it; everything else it joins itself, in one call, which
 * also puts it into init's root.
 */
#include "exec.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "../basic/fd.h"
#include "../basic/str.h"
#include "cgroup/cgroup.h"
#include "channel.h"
#include "container.h"
#include "error.h"
#include "exec-process.h"
#include "exec-wait.h"
#include "foreground.h"
#include "kernel-call.h"
#include "mounts/root-tree.h"
#include "namespaces/clone-child.h"
#include "namespaces/namespace-fds.h"
#include "namespaces/namespaces.h"
#include "process/activation.h"
#include "process/descriptors.h"
#include "process/exec-guard.h"
#include "process/home-env.h"
#include "process/keyring.h"
#include "process/label.h"
#include "process/memory-policy.h"
#include "process/oom-score.h"
#include "process/personality.h"
#include "process/process.h"
#include "process/sched-attr.h"
#include "process/terminal.h"
#include "runtime-log.h"
#include "seccomp/seccomp-cache.h"
#include "state.h"
#include "systemd/systemd-cgroup.h"

typedef struct ExecContext {
        const ExecOptions *options;
        SpecProcess *process;
        const SeccompFilter *filter;
        SeccompAgent *agent;
        const ExecWait *wait;
        const NamespaceFds *namespaces; /* of init, where its pidfd does not lead to them */
        const State *state;
        int pidfd, channel_fd, console_fd;
        int parent_end; /* of the channel */
        bool moved;     /* systemd puts it into its cgroup: CHANNEL_CGROUP */
        uint64_t join; /* CLONE_NEW... for the child's setns */
        bool user_ns;
        int root_fd; /* of a container that shares its mount namespace, or -EBADF */
        pid_t *born; /* exec-guard.c, or NULL */
} ExecContext;

/* Return: 1 when @pid is in another namespace of @kind than we are, 0 when in the same, -errno. */
static int differs(pid_t pid, NamespaceKind kind, const NamespaceFds *f) {
        char theirs[64], ours[64];
        struct stat a, b;

        if (f->there)
                (void) snprintf(theirs, sizeof(theirs), "/proc/self/fd/%d", f->fds[kind]);
        else
                (void) snprintf(theirs, sizeof(theirs), "/proc/%d/ns/%s", (int) pid, namespace_file(kind));
        (void) snprintf(ours, sizeof(ours), "/proc/self/ns/%s", namespace_file(kind));
        if (stat(theirs, &a) < 0 || stat(ours, &b) < 0)
                return errno == ENOENT ? 0 : negative_errno();
        return a.st_ino != b.st_ino || a.st_dev != b.st_dev;
}

/* The root of a mount namespace that is shared is another one than that of the container. */
static int open_root(const State *s, ExecContext *c) {
        char path[64];

        (void) snprintf(path, sizeof(path), "/proc/%d/root", (int) s->pid);
        c->root_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (c->root_fd < 0)
                return fail_errno(errno, "root of container \"%s\"", s->id);
        /* It has not been reaped, so all that was read of this pid was its own. */
        return sys_pidfd_send_signal(c->pidfd, 0) < 0 ?
                               fail_text(ESRCH, "container \"%s\" is not running", s->id) :
                               0;
}

static int find_namespaces(const State *s, ExecContext *c, bool *ret_pid_ns) {
        *ret_pid_ns = false;
        for (NamespaceKind k = 0; k < _NS_MAX; k++) {
                int r = differs(s->pid, k, c->namespaces);

                if (r < 0)
                        return fail_errno(r, "namespaces of container \"%s\"", s->id);
                if (r == 0)
                        continue;
                if (k == NS_PID)
                        *ret_pid_ns = true;
                else
                        c->join |= namespace_flag(k);
                c->user_ns = c->user_ns || k == NS_USER;
        }
        /* Each container has one, unless it was to share ours. If not, its pid has become that of a process
         * of the host since it was checked, and the new process would stay here. */
        if (!(c->join & CLONE_NEWNS) && !s->shared_mounts)
                return fail_text(ESRCH, "container \"%s\" is not running", s->id);
        return s->shared_mounts ? open_root(s, c) : 0;
}

static int setup_terminal(const ExecContext *c) {
        _cleanup_close_ int master = -EBADF, peer = -EBADF, root = -EBADF;
        const SpecProcess *p = c->process;
        int r;

        root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
        r = root < 0 ? fail_errno(errno, "open /") : terminal_open(root, p, &master, &peer);
        if (r < 0 || (r = terminal_send(c->console_fd, master)) < 0)
                return r;
        return c->born ? terminal_use(peer, p->uid) : terminal_attach(peer, p->uid);
}

/* From here on paths are looked up that the container may have made. */
static int close_descriptors(const ExecContext *c) {
        const int keep[] = { c->channel_fd, c->agent->fd, c->wait->fifo, c->wait->watch,
                             c->born ? -EBADF : runtime_log_descriptor() };

        return descriptors_close_but(keep, ELEMENTSOF(keep), c->options->preserve_fds);
}

static int join_namespaces(const ExecContext *c, uint64_t kinds) {
        if (c->namespaces->there)
                return namespace_fds_enter(c->namespaces, kinds);
        return kinds != 0 && setns(c->pidfd, (int) kinds) < 0 ? negative_errno() : 0;
}

/* An ordinary user may not look into the process of a created container, which gives what is needed. */
static int ask_for_namespaces(const State *s, NamespaceFds *ret) {
        _cleanup_close_ int fd = -EBADF;

        if (geteuid() == 0 || state_status(s) != STATUS_CREATED)
                return 0;
        fd = container_connect(s);
        return fd < 0 ? fd : namespace_fds_ask(fd, ret);
}

static int child_run(ExecContext *c) {
        _cleanup_free_ char *path = NULL;
        SpecProcess *p = c->process;
        int r;

        runtime_debug("child process in init()");
        if (c->moved) {
                /* Or its end would not be seen. */
                (void) close(c->parent_end);
                r = channel_expect(c->channel_fd, CHANNEL_CGROUP);
                if (r < 0)
                        return r;
        }
        if (c->user_ns && geteuid() == 0) {
                process_raise_limits(0, p);
                r = oom_score_apply_outside(0, p);
                if (r < 0)
                        return r;
        }
        if (c->agent->fd >= 0) {
                r = seccomp_agent_describe(c->agent, c->state, STATUS_RUNNING, process_host_pid());
                if (r < 0)
                        return r;
        }
        if (!c->state->keep_keyring && (r = keyring_leave(p)) < 0)
                return r;
        r = join_namespaces(c, c->join);
        if (r < 0)
                return fail_errno(r, "join the container's namespaces");
        if (c->user_ns && (r = process_enter_user_namespace(p)) < 0)
                return r;
        if (c->root_fd >= 0 && (r = root_tree_enter(c->root_fd)) < 0)
                return r;
        if (!c->born && setsid() < 0)
                return fail_errno(errno, "setsid");
        if (p->terminal && (r = setup_terminal(c)) < 0)
                return r;
        runtime_debug("setns_init: about to exec %s", p->args[0]);
        if ((!c->user_ns && (r = oom_score_apply(p)) < 0) || (r = close_descriptors(c)) < 0 ||
            (r = sched_apply_final_affinity(p)) < 0 || (r = personality_apply(c->state->personality)) < 0 ||
            (r = memory_policy_apply(c->state->memory_policy)) < 0 ||
            (r = process_prepare(p, false)) < 0 || (r = home_env_add(p)) < 0 ||
            (r = process_resolve(p, &path)) < 0 || (r = activation_env_add(p, c->options->listen_fds)) < 0 ||
            (r = process_keep_fds(c->options->preserve_fds)) < 0 || (r = label_apply(p)) < 0 ||
            (r = process_become(p, c->filter, c->agent)) < 0 ||
            (c->born && (r = exec_guard_birth(c->born, p, c->filter)) < 0) ||
            (r = exec_wait_reader(c->wait, c->channel_fd)) < 0)
                return r;
        return process_exec(p, path);
}

static _Noreturn void child_main(ExecContext *c) {
        int r = child_run(c);

        (void) channel_send(c->channel_fd, CHANNEL_ERROR,
                            isempty(fail_message()) ? errno_words(r) : fail_message());
        _exit(255);
}

/* The container's cgroup, or one below it that the caller names. */
static int open_cgroup(const ExecOptions *o, const State *s) {
        _cleanup_free_ char *sub = NULL;
        int fd;

        if (!s->cgroup) /* rootless: the container has none of its own */
                return o->cgroup ? fail_text(ENOENT, "--cgroup \"%s\": container \"%s\" has no cgroup",
                                             o->cgroup, s->id) :
                                   -EBADF;
        if (!o->cgroup)
                return systemd_scope_open_inner(s);
        if (strchr(o->cgroup, ':'))
                return fail_text(
                                EINVAL,
                                "--cgroup \"%s\": unknown controller \"%.*s\": cgroup v2 has one tree for all",
                                o->cgroup, (int) strcspn(o->cgroup, ":"), o->cgroup);
        if (strstr(o->cgroup, ".."))
                return fail_text(
                                EINVAL,
                                "--cgroup \"%s\": bad sub cgroup path, it is not below the container's cgroup",
                                o->cgroup);
        sub = str_concat(s->cgroup, "/", o->cgroup);
        if (!sub)
                return -ENOMEM;
        for (size_t n = strlen(sub); n > 1 && sub[n - 1] == '/'; n--)
                sub[n - 1] = 0;
        fd = cgroup_open(sub);
        if (fd == -ENOENT)
                return fail_errno(fd, "error adding pid of a new process to cgroups: open cgroup %s", sub);
        return fd;
}

/* Where init is now, not where it was put: systemd as payload moves itself. */
static int open_cgroup_of_init(const State *s) {
        _cleanup_free_ char *path = NULL;
        int r = cgroup_of_pid(s->pid, &path);

        return r < 0 ? r : cgroup_open(path);
}

/*
 * An ordinary user has the right to the container's pid namespace only inside its user namespace, so the
 * parent goes there too. Nothing in the container can trace it: it is non-dumpable, and was executed
 * outside.
 */
static int join_pid_namespace(ExecContext *c) {
        int kinds = CLONE_NEWPID, r;

        if (c->user_ns && geteuid() != 0) {
                kinds |= CLONE_NEWUSER;
                c->join &= ~(uint64_t) CLONE_NEWUSER;
        }
        r = join_namespaces(c, (uint64_t) kinds);
        if (r < 0)
                return fail_errno(r, "join the container's pid namespace");
        return 0;
}

static void end_child(pid_t pid) {
        (void) kill(pid, SIGKILL);
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
                ;
}

static int spawn(ExecContext *c, const State *s, bool pid_ns, pid_t *ret, int *ret_pidfd) {
        _cleanup_close_ int cgroup = open_cgroup(c->options, s);
        _cleanup_scope_helper_ ScopeHelper helper = {};
        bool gone = cgroup == -ENOENT && s->cgroup && !c->options->cgroup;
        pid_t pid;
        int r;

        runtime_debug("nsexec container setup: a further process beside %d", (int) s->pid);
        if (gone) /* init has left it, and whoever made it has removed it */
                cgroup = open_cgroup_of_init(s);
        if (cgroup < 0 && (s->cgroup || c->options->cgroup))
                return cgroup;
        r = c->options->cgroup || gone ? 0 : systemd_scope_prepare_attach(s, &helper);
        if (r < 0)
                return r;
        c->moved = r > 0;
        if (c->moved)
                cgroup = safe_close(cgroup);
        if (pid_ns && !c->born) {
                r = join_pid_namespace(c);
                if (r < 0)
                        return r;
        }
        pid = clone_into_cgroup(0, cgroup, ret_pidfd);
        if (pid < 0 && (errno == EBUSY || errno == EOPNOTSUPP) && !c->options->cgroup) {
                /* The payload has made an inner one of the container's cgroup; init has left it then. */
                _cleanup_close_ int other = open_cgroup_of_init(s);

                if (other < 0)
                        return other;
                pid = clone_into_cgroup(0, other, ret_pidfd);
        }
        if (pid < 0 && errno == EBUSY)
                return fail_errno(errno, "error adding pid of a new process to cgroups: %s",
                                  strempty(c->options->cgroup));
        if (pid < 0 && errno == EACCES)
                return fail_text(errno,
                                 "new process in cgroup %s of container \"%s\": permission denied: an "
                                 "ordinary user can enter it only from a cgroup of its own (systemd-run "
                                 "--user --scope)",
                                 s->cgroup, s->id);
        if (pid < 0)
                return fail_errno(errno, "new process in container \"%s\"", s->id);
        if (pid == 0)
                child_main(c);
        *ret = pid;
        if (!c->moved)
                return 0;
        r = systemd_scope_attach(&helper, s, pid);
        if (r >= 0)
                r = channel_send(c->parent_end, CHANNEL_CGROUP, NULL);
        if (r < 0)
                end_child(pid);
        return r;
}

/* Return: 0, -EAGAIN when the child never lived and a second one may be made, or -errno with a message. */
static int await_exec(const ExecOptions *o, int channel, pid_t pid, int *pidfd) {
        char text[CHANNEL_TEXT_MAX] = "";
        int r;

        /* The end of the channel says that the program runs. */
        r = channel_receive_from(channel, *pidfd, text);
        if (r == CHANNEL_EOF && clone_died_at_birth(pid, pidfd))
                return -EAGAIN;
        if (r == CHANNEL_EOF)
                r = o->pid_file ? write_pid_file(o->pid_file, pid) : 0;
        else
                r = fail_text(ECHILD, "%s", text);
        if (r < 0)
                end_child(pid);
        return r;
}

static int spawn_and_await(ExecContext *c, const State *s, bool pid_ns, pid_t *ret, int *ret_pidfd) {
        _cleanup_close_ int channel = -EBADF;
        int ends[2], r;

        r = channel_pair(ends);
        if (r < 0)
                return r;
        channel = c->parent_end = ends[0];
        c->channel_fd = ends[1];
        r = spawn(c, s, pid_ns, ret, ret_pidfd);
        (void) close(ends[1]);
        if (r >= 0 && c->born)
                r = exec_guard_await(c->born, channel, ret, ret_pidfd);
        return r < 0 ? r : await_exec(c->options, channel, *ret, ret_pidfd);
}

static int check_running(const State *s, const ExecOptions *o) {
        ContainerStatus status = state_status(s);

        if (status == STATUS_PAUSED && !o->ignore_paused)
                return fail_text(EBUSY,
                                 "cannot exec in a paused container (use --ignore-paused to override)");
        if (status == STATUS_STOPPED || status == STATUS_CREATING)
                return fail_text(ESRCH, "cannot exec in a %s container: \"%s\" is not running",
                                 status_to_string(status), s->id);
        return 0;
}

/* An ordinary user may write to its processes' files while they are dumpable. The child must not be for a
 * moment, since the container sees it from its birth; so the score is ours first. */
static int inherit_oom_score(const ExecContext *c) {
        int r;

        if (!c->user_ns || geteuid() == 0 || !c->process->has_oom)
                return 0;
        (void) prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
        r = oom_score_apply_outside(0, c->process);
        (void) prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
        return r;
}

/* A process file that says nothing means what the container has, or exec would be a way out of it. */
static int inherit_confinement(SpecProcess *p, const State *s) {
        int r;

        if (isempty(p->apparmor))
                p->apparmor = s->apparmor;
        if (isempty(p->selinux))
                p->selinux = s->selinux;
        r = label_check(p, NULL);
        return r < 0 || !s->root_tree ? r : root_tree_check_profile(p->apparmor);
}

/* The agent is named in the container's config.json; @ret_config owns what @ret borrows. */
static int connect_agent(const State *s, const SeccompFilter *f, json_object **ret_config,
                         SeccompAgent *ret) {
        int r;

        if (f->notify == SECCOMP_NOTIFY_NONE)
                return 0;
        r = json_load_at(s->dir_fd, "config.json", SPEC_SIZE_MAX, ret_config);
        if (r < 0)
                return fail_errno(r, "configuration of %s", s->id);
        return seccomp_agent_connect(json_get(json_get(*ret_config, "linux"), "seccomp"), s->annotations, f,
                                     ret);
}

/**
 * container_exec - run a process in a container.
 * @ret_pid: a child of the caller that runs its program already.
 *
 * Return: 0, or -errno with a message.
 */
int container_exec(const ExecOptions *o, pid_t *ret_pid) {
        _cleanup_exec_process_ ExecProcess process = {};
        _cleanup_seccomp_ SeccompFilter filter = {};
        _cleanup_state_ State s = STATE_INIT;
        _cleanup_close_ int pidfd = -EBADF, child_pidfd = -EBADF, pidfd_socket = -EBADF, root_fd = -EBADF;
        _cleanup_agent_ SeccompAgent agent = SECCOMP_AGENT_INIT;
        _cleanup_exec_wait_ ExecWait wait = EXEC_WAIT_NONE;
        _cleanup_json_ json_object *config = NULL;
        _cleanup_namespace_fds_ NamespaceFds namespaces = NAMESPACE_FDS_NONE;
        ExecContext c = { .wait = &wait,
                          .namespaces = &namespaces,
                          .options = o,
                          .process = &process.process,
                          .filter = &filter,
                          .agent = &agent,
                          .state = &s,
                          .console_fd = o->console_fd,
                          .root_fd = -EBADF };
        bool pid_ns;
        int r;

        if ((r = state_load(o->root, o->id, false, &s)) < 0 || (r = check_running(&s, o)) < 0 ||
            (r = exec_process_load(o, &s, &process)) < 0 || (r = seccomp_load_saved(s.dir_fd, &filter)) < 0)
                return r;
        r = inherit_confinement(&process.process, &s);
        if (r < 0)
                return r;
        process.process.no_new_privs = process.process.no_new_privs || (s.no_new_privs && !o->process_file);
        process.process.keep_groups = spec_keeps_groups(s.annotations);
        if (process.process.keep_groups && process.process.n_gids > 0)
                return fail_text(EINVAL,
                                 "container \"%s\" keeps the groups of its caller: no others can be added",
                                 s.id);
        if (o->console_fd >= 0)
                foreground_adapt_terminal(&process.process);
        if (process.process.terminal && !o->console_socket && o->console_fd < 0)
                return fail_text(EINVAL, "process.terminal: needs --console-socket");
        if (!process.process.terminal && o->console_socket)
                return fail_text(EINVAL, "--console-socket is given but the process has no terminal");
        c.pidfd = pidfd = state_pidfd(&s);
        if (pidfd < 0)
                return fail_errno(pidfd, "container \"%s\"", o->id);
        if (o->console_socket && process.process.terminal) {
                c.console_fd = terminal_connect(o->console_socket);
                if (c.console_fd < 0)
                        return c.console_fd;
        }
        if (o->wait_fifo && (r = exec_wait_open(o->wait_fifo, &wait)) < 0)
                return r;
        if (o->pidfd_socket) {
                pidfd_socket = terminal_connect(o->pidfd_socket);
                if (pidfd_socket < 0)
                        return pidfd_socket;
        }
        if ((r = connect_agent(&s, &filter, &config, &agent)) < 0 ||
            (r = ask_for_namespaces(&s, &namespaces)) < 0 ||
            (r = find_namespaces(&s, &c, &pid_ns)) < 0 || (r = inherit_oom_score(&c)) < 0)
                return r;
        root_fd = c.root_fd;
        r = sched_apply_initial_affinity(&process.process);
        /* The agent is told the pid before the second process is there. */
        if (r >= 0 && s.may_trace && pid_ns && agent.fd < 0) {
                r = exec_guard_new(&c.born);
                c.join |= CLONE_NEWPID;
        }
        if (r < 0)
                return r;
        r = spawn_and_await(&c, &s, pid_ns, ret_pid, &child_pidfd);
        if (r == -EAGAIN) /* the pid namespace is joined already */
                r = spawn_and_await(&c, &s, false, ret_pid, &child_pidfd);
        if (r < 0 || pidfd_socket < 0)
                return r;
        r = terminal_send(pidfd_socket, child_pidfd);
        if (r < 0)
                end_child(*ret_pid);
        return r;
}
