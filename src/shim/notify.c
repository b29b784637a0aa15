/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "notify.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "../basic/fd.h"
#include "../basic/str.h"

/*
 * Descriptors that must outlive a kill -9 are in systemd's fd store, in groups under one FDNAME so that a
 * group costs PID 1 one datagram. FDPOLL=0: a pipe whose writer is gone still holds bytes we want.
 */
static int notify_fd = -EBADF;

/** notify_init - connect to $NOTIFY_SOCKET; without one (started by hand) all sends do nothing. Return: 0 or
 * -errno. */
int notify_init(void) {
        const char *path = getenv("NOTIFY_SOCKET");
        struct sockaddr_un sa = { .sun_family = AF_UNIX };
        _cleanup_close_ int fd = -EBADF;
        size_t n;

        if (!path)
                return 0;
        n = strlen(path);
        if (n < 2 || n >= sizeof(sa.sun_path))
                return -EINVAL;
        memcpy(sa.sun_path, path, n);
        if (sa.sun_path[0] == '@')
                sa.sun_path[0] = 0;
        fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (fd < 0 || connect(fd, (struct sockaddr *) &sa,
                              (socklen_t) (offsetof(struct sockaddr_un, sun_path) + n)) < 0)
                return negative_errno();
        notify_fd = TAKE_FD(fd);
        return 0;
}

/** notify_send - e.g. "READY=1". Return: 0 or -errno. */
int notify_send(const char *text) {
        ssize_t r;

        if (notify_fd < 0)
                return 0;
        r = send_with_fds(notify_fd, text, strlen(text), NULL, 0, 0);
        return r < 0 ? (int) r : 0;
}

/** notify_store - put @fds (borrowed) into the store as group @name; @more: further lines in the same
 * datagram, or "". */
int notify_store(const char *name, const char *more, const int *fds, size_t n_fds) {
        char text[512];
        ssize_t r;

        if (notify_fd < 0)
                return 0;
        (void) snprintf(text, sizeof(text), "FDSTORE=1\nFDPOLL=0\nFDNAME=%s\n%s", name, more);
        r = send_with_fds(notify_fd, text, strlen(text), fds, n_fds, 0);
        return r < 0 ? (int) r : 0;
}

/** notify_unstore - the group is closed by PID 1. */
int notify_unstore(const char *name) {
        char text[128];

        (void) snprintf(text, sizeof(text), "FDSTOREREMOVE=1\nFDNAME=%s\n", name);
        return notify_send(text);
}

/**
 * stored_fds_take - what systemd kept for us. The array is the caller's, the names live as long as the
 * environment.
 *
 * Return: 0, also for none; -EINVAL for a broken environment, -ENOMEM.
 */
int stored_fds_take(StoredFd **ret, size_t *ret_n) {
        const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
        char *names = getenv("LISTEN_FDNAMES");
        uint64_t p, n;
        StoredFd *l;

        *ret = NULL;
        *ret_n = 0;
        if (!pid || !count || !names)
                return 0;
        if (parse_u64(pid, INT32_MAX, &p) < 0 || parse_u64(count, STORED_FDS_MAX, &n) < 0)
                return -EINVAL;
        if ((pid_t) p != getpid() || n == 0)
                return 0;
        l = new0(StoredFd, n);
        if (!l)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                char *colon = names ? strchr(names, ':') : NULL;

                l[i] = (StoredFd){ .fd = 3 + (int) i, .name = strempty(names) };
                (void) fd_set_cloexec(l[i].fd, true);
                if (colon)
                        *colon++ = 0;
                names = colon;
        }
        *ret = l;
        *ret_n = n;
        return 0;
}
