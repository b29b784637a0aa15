/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Starting berth-runtime-scope and talking to it. It is started as early as possible: its dynamic linking
 * and its way to the manager happen while we parse, clone and mount. It is ended by SIGKILL, as it has
 * nothing to put away, and always reaped: nobody else may find a child he does not know. `run` parks the
 * one of its create for its delete, but a helper without work ends by itself soon.
 */
#include "scope-helper.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "../../basic/clock.h"
#include "../../basic/fd.h"
#include "../../basic/str.h"
#include "../../shared/message.h"
#include "../channel.h"
#include "../error.h"
#include "../kernel-call.h"
#include "migration-kick.h"

#define PROGRAM BERTH_LIBEXEC_DIR "/" SCOPE_HELPER_NAME
/* Longer than the time-out of the helper's own calls, whose words are better. */
#define REPLY_TIMEOUT (30 * USEC_PER_SEC)

static _Noreturn void exec_helper(int fd, bool user, pid_t parent) {
        static const char *const passed[] = { "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS",
                                              "DBUS_SYSTEM_BUS_ADDRESS" };
        char *argv[] = { (char *) SCOPE_HELPER_NAME, (char *) (user ? "user" : "system"), NULL };
        char *env[ELEMENTSOF(passed) + 1] = {};
        size_t n = 0;
        int null_fd;

        for (size_t i = 0; i < ELEMENTSOF(passed); i++) {
                const char *value = getenv(passed[i]);

                if (value && (env[n] = str_concat(passed[i], "=", value)))
                        n++;
        }
        (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
                _exit(1);
        null_fd = open("/dev/null", O_RDWR | O_CLOEXEC | O_NOCTTY);
        if (null_fd < 0 || dup2(fd, SCOPE_HELPER_FD) < 0 || fd_set_cloexec(SCOPE_HELPER_FD, false) < 0)
                _exit(1);
        for (int i = 0; i < SCOPE_HELPER_FD; i++)
                (void) dup2(null_fd, i);
        if (sys_close_range(SCOPE_HELPER_FD + 1, ~0U, 0) >= 0 && chdir("/") >= 0)
                execve(PROGRAM, argv, env);
        _exit(errno == ENOENT ? 127 : 126);
}

static ScopeHelper parked;

/* Whether the parked helper can serve; one that has ended is put away. */
static bool parked_serves(bool user) {
        struct pollfd p = { .fd = parked.fd, .events = POLLIN };

        if (parked.pid <= 0)
                return false;
        if (parked.user == user && poll(&p, 1, 0) == 0)
                return true;
        scope_helper_end(&parked);
        return false;
}

/** scope_helper_park - keep the helper for the next scope_helper_start(). */
void scope_helper_park(ScopeHelper *h) {
        scope_helper_end(&parked);
        parked = *h;
        parked.reused = true;
        *h = (ScopeHelper) {};
}

/** scope_helper_forget - end the parked helper, if there is one. */
void scope_helper_forget(void) {
        scope_helper_end(&parked);
}

/**
 * scope_helper_start - start the helper for the system's or the user's manager. That it cannot be executed
 * is told by scope_helper_wait().
 */
int scope_helper_start(bool user, ScopeHelper *ret) {
        pid_t parent = getpid();
        int ends[2], r;

        if (parked_serves(user)) {
                *ret = parked;
                parked = (ScopeHelper) {};
                return 0;
        }
        r = channel_pair(ends);
        if (r < 0)
                return r;
        *ret = (ScopeHelper) { .user = user };
        ret->pid = fork();
        if (ret->pid == 0) {
                /* dup2() onto the socket's own descriptor, or over it, would lose it. */
                ends[1] = fcntl(ends[1], F_DUPFD_CLOEXEC, SCOPE_HELPER_FD + 2);
                if (ends[1] < 0)
                        _exit(1);
                migration_kick();
                exec_helper(ends[1], user, parent);
        }
        (void) close(ends[1]);
        if (ret->pid < 0) {
                r = fail_errno(errno, "start %s", SCOPE_HELPER_NAME);
                (void) close(ends[0]);
                ret->pid = 0;
                return r;
        }
        ret->fd = ends[0];
        ret->pidfd = sys_pidfd_open(ret->pid);
        if (ret->pidfd < 0) {
                r = fail_errno(errno, "pidfd of %s", SCOPE_HELPER_NAME);
                scope_helper_end(ret);
                return r;
        }
        return 0;
}

/** scope_helper_send - hand a request over. */
int scope_helper_send(ScopeHelper *h, const Buffer *request) {
        int r = message_send(h->fd, request, NULL, 0);

        /* A helper that ended says why in scope_helper_wait(). */
        if (r < 0 && r != -EPIPE && r != -ECONNRESET)
                return fail_errno(r, "send a request to %s", SCOPE_HELPER_NAME);
        return 0;
}

static void put_away(ScopeHelper *h) {
        (void) safe_close(h->fd);
        (void) safe_close(h->pidfd);
        *h = (ScopeHelper) {};
}

static int helper_ended(ScopeHelper *h) {
        int status = 0;

        while (waitpid(h->pid, &status, 0) < 0 && errno == EINTR)
                ;
        put_away(h);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
                return fail_text(ENOENT, "the systemd cgroup driver needs %s: no such file", PROGRAM);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 126)
                return fail_text(ENOEXEC, "the systemd cgroup driver needs %s: cannot be executed", PROGRAM);
        return fail_text(EPIPE, "%s ended unexpectedly", SCOPE_HELPER_NAME);
}

/**
 * scope_helper_wait - wait for the answer to a request.
 * @unit: for the message.
 *
 * Return: 0, or the error of systemd as -errno with its words as message.
 */
int scope_helper_wait(ScopeHelper *h, const char *unit) {
        usec_t end = now_monotonic() + REPLY_TIMEOUT;
        struct pollfd p = { .fd = h->fd, .events = POLLIN };
        _cleanup_message_ Message m = MESSAGE_INIT;
        uint64_t error = 0;
        int r;

        for (;;) {
                usec_t now = now_monotonic();

                r = now >= end ? 0 : poll(&p, 1, (int) ((end - now) / USEC_PER_MSEC) + 1);
                if (r > 0)
                        break;
                if (r == 0)
                        return fail_text(ETIMEDOUT, "systemd does not answer about %s", unit);
                if (errno != EINTR)
                        return fail_errno(errno, "poll");
        }
        r = message_receive(h->fd, &m);
        if (r == 0 || r == -ECONNRESET)
                return helper_ended(h);
        if (r < 0 || fields_get_u64(&m.fields, "errno", 4095, &error) < 0)
                return fail_text(EPROTO, "%s: malformed answer", SCOPE_HELPER_NAME);
        if (error == 0)
                return 0;
        if (error == EEXIST)
                return fail_text(EEXIST, "container's cgroup is not empty: systemd has a unit %s already",
                                 unit);
        return fail_text((int) error, "systemd: unit %s: %s", unit,
                         strempty(fields_get(&m.fields, "message")));
}

/** scope_helper_call - send and wait, on a new helper if a parked one has just ended; for requests that may
 * come twice. */
int scope_helper_call(ScopeHelper *h, const Buffer *request, const char *unit) {
        bool reused = h->reused, user = h->user;
        int r = scope_helper_send(h, request);

        if (r >= 0)
                r = scope_helper_wait(h, unit);
        if (r != -EPIPE || !reused)
                return r;
        scope_helper_end(h);
        r = scope_helper_start(user, h);
        if (r >= 0)
                r = scope_helper_send(h, request);
        return r < 0 ? r : scope_helper_wait(h, unit);
}

/** scope_helper_kill - the helper is not needed any more; scope_helper_end() waits for its end. */
void scope_helper_kill(ScopeHelper *h) {
        if (h->pid > 0)
                (void) sys_pidfd_send_signal(h->pidfd, SIGKILL);
}

/** scope_helper_end - end the helper, if it runs; keeps fail_message(). */
void scope_helper_end(ScopeHelper *h) {
        if (h->pid <= 0)
                return;
        scope_helper_kill(h);
        /* The wait of `run` for its payload may have reaped one that ended by itself. */
        while (waitpid(h->pid, NULL, 0) < 0 && errno == EINTR)
                ;
        put_away(h);
}
