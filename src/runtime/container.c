/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* start, kill and delete of containers that exist. */
#include "container.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "../basic/fd.h"
#include "../basic/file.h"
#include "cgroup/cgroup.h"
#include "channel.h"
#include "error.h"
#include "hooks.h"
#include "kernel-call.h"
#include "namespaces/pid-namespace.h"
#include "process/activation.h"
#include "runtime-log.h"
#include "systemd/systemd-cgroup.h"

#define CONFIG_SIZE_MAX SPEC_SIZE_MAX
#define EXIT_WAIT_MS 10000

/** container_config - the configuration as it was at create: the bundle may have changed since. */
int container_config(const State *s, Spec *ret) {
        _cleanup_free_ char *text = NULL;
        size_t size;
        int r;

        r = read_file_at(s->dir_fd, "config.json", CONFIG_SIZE_MAX, &text, &size);
        if (r < 0)
                return fail_errno(r, "configuration of %s", s->id);
        r = spec_parse(text, size, ret);
        if (r >= 0)
                spec_mounts_enter_root(ret, s->rootfs);
        return r;
}

/** container_connect - to the process that waits for start. Return: a socket, or -errno with a message. */
int container_connect(const State *s) {
        struct sockaddr_un sa = { .sun_family = AF_UNIX };
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

        (void) snprintf(sa.sun_path, sizeof(sa.sun_path), "/proc/self/fd/%d/start.sock", s->dir_fd);
        if (fd < 0 || connect(fd, (struct sockaddr *) &sa, sizeof(sa)) < 0)
                return fail_errno(errno, "the process of container \"%s\" does not wait for start", s->id);
        return TAKE_FD(fd);
}

/* Return: false when it still lives after a long while. */
static bool end_process(const State *s) {
        _cleanup_close_ int pidfd = state_pidfd(s);
        struct pollfd p = { .fd = pidfd, .events = POLLIN };

        if (pidfd < 0)
                return true;
        (void) sys_pidfd_send_signal(pidfd, SIGKILL);
        while (poll(&p, 1, EXIT_WAIT_MS) < 0 && errno == EINTR)
                ;
        return p.revents & POLLIN;
}

/*
 * Close-on-exec on the other side: the end of the connection says that the program runs. A start that has
 * failed leaves a container that has stopped, not one that is about to.
 */
static int await_exec(const State *s, int fd) {
        char text[CHANNEL_TEXT_MAX] = "";
        int r = channel_receive(fd, text);

        if (r == CHANNEL_ERROR) {
                (void) end_process(s);
                return fail_text(ECHILD, "unable to start container process: %s", text);
        }
        return r < 0 ? fail_errno(r, "start container \"%s\"", s->id) : 0;
}

static int release_init(const State *s) {
        _cleanup_close_ int fd = container_connect(s);
        int r;

        if (fd < 0)
                return fd;
        r = channel_send(fd, CHANNEL_GO, NULL);
        if (r < 0)
                return fail_errno(r, "start container \"%s\"", s->id);
        r = channel_expect(fd, CHANNEL_SAVED);
        if (r < 0)
                return r;
        (void) unlinkat(s->dir_fd, "start.sock", 0);
        return await_exec(s, fd);
}

static int run_poststart(const State *s) {
        _cleanup_spec_ Spec spec = {};
        int r;

        if (!s->any_hook)
                return 0;
        r = container_config(s, &spec);
        if (r >= 0)
                r = hooks_run(&spec, HOOK_POSTSTART, s, STATUS_RUNNING);
        if (r < 0)
                (void) end_process(s);
        return r;
}

/** start_link_done - close both ends. */
void start_link_done(StartLink *l) {
        (void) safe_close(l->channel_fd);
        (void) safe_close(l->notify_fd);
        *l = START_LINK_INIT;
}

/**
 * container_await_ready - wait until the payload says that it is ready, or is gone; without the lock.
 * @notify_fd: borrowed; -EBADF: nothing to wait for.
 */
int container_await_ready(const State *s, int notify_fd) {
        if (notify_fd < 0)
                return 0;
        (void) flock(s->dir_fd, LOCK_UN);
        return notify_await_ready(s, notify_fd);
}

/* Thaw first: a frozen process dies of nothing but cgroup.kill. */
static int kill_everything(const State *s) {
        _cleanup_close_ int cgroup = s->cgroup ? cgroup_open(s->cgroup) : -EBADF;
        int r = 0;

        if (cgroup >= 0)
                r = cgroup_kill(cgroup);
        return end_process(s) ? r : fail_text(ETIMEDOUT, "container \"%s\" does not die", s->id);
}

static void run_poststop(const State *s) {
        _cleanup_spec_ Spec spec = {};

        if (s->any_hook && container_config(s, &spec) >= 0)
                (void) hooks_run(&spec, HOOK_POSTSTOP, s, STATUS_STOPPED);
}

/* Processes may be left in the cgroup also when the first one is gone (shared pid namespace). */
static int destroy(const char *root, State *s, ContainerStatus status) {
        int r = kill_everything(s);

        if (r < 0 && status != STATUS_STOPPED && status != STATUS_CREATING)
                return r;
        if (s->scope && (r = systemd_scope_remove(s)) < 0)
                return r;
        if (s->cgroup && (r = cgroup_remove(s->cgroup)) < 0)
                return r;
        run_poststop(s);
        return state_remove(root, s->id);
}

/* The end of a container whose poststart hooks fail is its destruction, as the specification has it. */
static int destroy_failed(const char *root, State *s, int error) {
        _cleanup_free_ char *message = strdup(fail_message());

        if (destroy(root, s, STATUS_RUNNING) < 0)
                runtime_warning("%s", fail_message());
        return fail_text(error, "%s", strempty(message));
}

/**
 * container_start - let the program of a created container run; with $NOTIFY_SOCKET, until it is ready.
 *
 * Return: 0, or -errno with a message.
 */
int container_start(const char *root, const char *id) {
        _cleanup_close_ int notify_fd = -EBADF;
        _cleanup_state_ State s = STATE_INIT;
        ContainerStatus status;
        int r;

        r = state_load(root, id, true, &s);
        if (r < 0)
                return r;
        status = state_status(&s);
        if (status == STATUS_RUNNING)
                return fail_text(EINVAL, "cannot start an already running container: \"%s\"", id);
        if (status == STATUS_STOPPED)
                return fail_text(EINVAL, "cannot start a container that has stopped: \"%s\"", id);
        if (status != STATUS_CREATED)
                return fail_text(EINVAL, "cannot start a container in the %s state: \"%s\"",
                                 status_to_string(status), id);
        notify_fd = notify_listen(&s);
        if (notify_fd < 0 && notify_fd != -ENOENT)
                return notify_fd;
        r = release_init(&s);
        if (r < 0)
                return r;
        r = run_poststart(&s);
        return r < 0 ? destroy_failed(root, &s, r) : container_await_ready(&s, notify_fd);
}

/**
 * container_started - what container_start() does, for a container that was created with
 * CreateOptions.start; the payload's readiness is the caller's to wait for.
 */
int container_started(const State *s, const StartLink *link) {
        int r = await_exec(s, link->channel_fd);

        return r < 0 ? r : run_poststart(s);
}

/**
 * container_delete - remove all that is left of a container.
 * @force: kill what still runs; an unknown id is no error then.
 */
int container_delete(const char *root, const char *id, bool force) {
        _cleanup_state_ State s = STATE_INIT;
        ContainerStatus status;
        int r;

        r = state_load(root, id, true, &s);
        if (r < 0)
                return r == -ENOENT && force ? 0 : r;
        status = state_status(&s);
        if ((status == STATUS_RUNNING || status == STATUS_PAUSED) && !force)
                return fail_text(EBUSY, "cannot delete container \"%s\" that is not stopped: it is %s", id,
                                 status_to_string(status));
        return destroy(root, &s, status);
}

/*
 * The cgroup as a whole: also what is left of a container whose first process is gone (without a pid
 * namespace of its own it does not take the others along), and also when it is paused.
 */
static int kill_cgroup(const State *s, int sig, bool must_run) {
        _cleanup_close_ int cgroup = -EBADF, pidfd = state_pidfd(s);

        if (!s->cgroup && pidfd >= 0 && !must_run)
                return pid_namespace_signal(s->pid, sig);
        cgroup = s->cgroup ? cgroup_open(s->cgroup) : -ENOENT;
        if (cgroup < 0 && cgroup != -ENOENT)
                return cgroup;
        if (must_run && pidfd < 0 && (cgroup < 0 || cgroup_is_populated(cgroup) <= 0))
                return fail_text(ESRCH, "container not running");
        /* init may have been moved away by its own systemd. */
        if (sig == SIGKILL && pidfd >= 0)
                (void) sys_pidfd_send_signal(pidfd, SIGKILL);
        return cgroup >= 0 ? cgroup_signal(cgroup, sig) : 0;
}

/**
 * container_kill - send @sig to the first process, or with @all to every process of the container, which
 * then need not run any more. SIGKILL always goes to all.
 */
int container_kill(const char *root, const char *id, int sig, bool all) {
        _cleanup_close_ int pidfd = -EBADF;
        _cleanup_state_ State s = STATE_INIT;
        int r;

        r = state_load(root, id, false, &s);
        if (r < 0)
                return r;
        if (all || sig == SIGKILL)
                return kill_cgroup(&s, sig, !all);
        pidfd = state_pidfd(&s);
        if (pidfd < 0)
                return fail_text(ESRCH, "container not running");
        return sys_pidfd_send_signal(pidfd, sig) < 0 ? fail_errno(errno, "signal container \"%s\"", id) : 0;
}
