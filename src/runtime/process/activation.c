/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a service manager gives its service goes on to the payload: descriptors of socket activation
 * (sd_listen_fds(3)) as fds 3 and up, and readiness (sd_notify(3)) through a socket of our own in
 * <root>/<id>/notify/, which the payload sees as /run/notify/notify.sock. Only READY=1 is handed on: a
 * container has no say in what its service does besides. `start` and `run` listen; the payload cannot have
 * been running before.
 */
#include "activation.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <linux/mount.h>

#include "../../basic/fd.h"
#include "../../basic/str.h"
#include "../error.h"
#include "../runtime-log.h"
#include "environment.h"

#define NOTIFY_DIRECTORY "/run/notify"
#define NOTIFY_ENV "NOTIFY_SOCKET=" NOTIFY_DIRECTORY "/notify.sock"
#define LISTEN_FDS_MAX 1024

/**
 * activation_take_fds - look for descriptors that were passed to us by socket activation.
 * @preserve_fds: how many fds from 3 on the payload gets by the command line; theirs come on top.
 * @ret_listen_fds: how many there are, 0 for none.
 *
 * Return: 0, or -EINVAL with a message.
 */
int activation_take_fds(unsigned *preserve_fds, unsigned *ret_listen_fds) {
        const char *count = getenv("LISTEN_FDS"), *pid = getenv("LISTEN_PID");
        uint64_t n, owner;

        *ret_listen_fds = 0;
        if (!count)
                return 0;
        /* Meant for somebody before us, who forgot to unset it. */
        if (pid && (parse_u64(pid, INT32_MAX, &owner) < 0 || (pid_t) owner != getpid()))
                return 0;
        if (parse_u64(count, LISTEN_FDS_MAX, &n) < 0)
                return fail_text(EINVAL, "$LISTEN_FDS \"%s\": expected a number", count);
        for (int fd = 3; fd < 3 + (int) n; fd++)
                if (fcntl(fd, F_GETFD) < 0)
                        runtime_warning("$LISTEN_FDS is %s but descriptor %d is not open", count, fd);
        *ret_listen_fds = (unsigned) n;
        *preserve_fds += (unsigned) n;
        return 0;
}

/** activation_env_add - tell the payload, which the calling process becomes. */
int activation_env_add(SpecProcess *p, unsigned listen_fds) {
        const char *names = getenv("LISTEN_FDNAMES");
        char *entry;
        int r;

        if (listen_fds == 0)
                return 0;
        entry = str_printf("LISTEN_FDS=%u", listen_fds);
        r = entry ? environment_append(p, entry) : -ENOMEM;
        if (r < 0)
                return r;
        entry = str_printf("LISTEN_PID=%d", (int) getpid());
        r = entry ? environment_append(p, entry) : -ENOMEM;
        if (r < 0 || !names)
                return r;
        entry = str_concat("LISTEN_FDNAMES=", names);
        return entry ? environment_append(p, entry) : -ENOMEM;
}

/** notify_wanted - whether our service manager wants to hear of the payload's readiness. */
bool notify_wanted(void) {
        const char *path = getenv("NOTIFY_SOCKET");

        return path && (path[0] == '/' || path[0] == '@');
}

/**
 * notify_prepare - give a new container the directory its notifications go through; its mount and its
 * variable are added to the spec. Nothing without $NOTIFY_SOCKET.
 * @root: where state directories are.
 */
int notify_prepare(Spec *s, const State *st, const char *root) {
        SpecMount *mounts;

        if (!notify_wanted())
                return 0;
        /* The payload's user may be any. */
        if (mkdirat(st->dir_fd, "notify", 0755) < 0 || fchmodat(st->dir_fd, "notify", 0755, 0) < 0)
                return fail_errno(errno, "directory for notifications");
        mounts = reallocarray(s->mounts, s->n_mounts + 1, sizeof(SpecMount));
        if (!mounts)
                return -ENOMEM;
        s->mounts = mounts;
        s->notify_source = str_concat(root, "/", st->id, "/notify");
        if (!s->notify_source)
                return -ENOMEM;
        s->mounts[s->n_mounts++] = (SpecMount) {
                .destination = NOTIFY_DIRECTORY, .source = s->notify_source, .type = "bind", .bind = true,
                .attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC,
        };
        return environment_append(&s->process, NOTIFY_ENV);
}

/**
 * notify_listen - open the socket the payload sends to; before it runs.
 *
 * Return: a descriptor, -ENOENT if the container was created without one, or -errno with a message.
 */
int notify_listen(const State *st) {
        struct sockaddr_un sa = { .sun_family = AF_UNIX };
        _cleanup_close_ int fd = -EBADF;

        if (!notify_wanted() || faccessat(st->dir_fd, "notify", F_OK, 0) < 0)
                return -ENOENT;
        fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return fail_errno(errno, "socket for notifications");
        (void) snprintf(sa.sun_path, sizeof(sa.sun_path), "/proc/self/fd/%d/notify/notify.sock", st->dir_fd);
        if (bind(fd, (struct sockaddr *) &sa, sizeof(sa)) < 0 || chmod(sa.sun_path, 0666) < 0)
                return fail_errno(errno, "socket for notifications");
        return TAKE_FD(fd);
}

static int tell_manager(const char *text) {
        const char *path = getenv("NOTIFY_SOCKET");
        struct sockaddr_un sa = { .sun_family = AF_UNIX };
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        size_t n = strlen(path);

        if (fd < 0)
                return negative_errno();
        if (n >= sizeof(sa.sun_path))
                return -ENAMETOOLONG;
        memcpy(sa.sun_path, path, n);
        if (sa.sun_path[0] == '@')
                sa.sun_path[0] = 0;
        if (sendto(fd, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *) &sa,
                   (socklen_t) (offsetof(struct sockaddr_un, sun_path) + n)) < 0)
                return negative_errno();
        return 0;
}

static bool says_ready(char *text) {
        for (char *line; (line = strsep(&text, "\n"));)
                if (streq(line, "READY=1"))
                        return true;
        return false;
}

/**
 * notify_receive - take what the payload has sent so far.
 * @main_pid: what the service manager is to take for the service's main process once it is ready; 0: leave
 * it.
 *
 * Return: whether it said that it is ready, which the service manager has been told then.
 */
bool notify_receive(int fd, pid_t main_pid) {
        char text[4096], message[64];

        for (;;) {
                ssize_t n = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT);
                int r;

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return false;
                text[n] = 0;
                if (!says_ready(text))
                        continue;
                if (main_pid > 0)
                        (void) snprintf(message, sizeof(message), "MAINPID=%d\nREADY=1", (int) main_pid);
                else
                        (void) snprintf(message, sizeof(message), "READY=1");
                r = tell_manager(message);
                if (r < 0)
                        runtime_warning("notify %s: %s", getenv("NOTIFY_SOCKET"), errno_words(r));
                return true;
        }
}

/** notify_await_ready - wait until the payload is ready or gone, and tell the service manager. */
int notify_await_ready(const State *st, int fd) {
        _cleanup_close_ int pidfd = state_pidfd(st);
        struct pollfd p[2] = { { .fd = fd, .events = POLLIN }, { .fd = pidfd, .events = POLLIN } };

        if (pidfd < 0)
                (void) notify_receive(fd, 0);
        while (pidfd >= 0) {
                if (poll(p, 2, -1) < 0 && errno != EINTR)
                        return fail_errno(errno, "wait for readiness of \"%s\"", st->id);
                /* Its last words may have come after the first of the two was looked at. */
                if ((p[0].revents || p[1].revents) && notify_receive(fd, st->pid))
                        return 0;
                if (p[1].revents)
                        return 0;
        }
        return 0;
}
