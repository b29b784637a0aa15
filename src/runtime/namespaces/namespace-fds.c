/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A created container's first process is not dumpable, so an ordinary user who has made it cannot look up
 * its namespaces in /proc, nor join them by its pidfd. It hands them out over the socket on which it waits
 * for start, which is in the user's own directory: namespaces, and no more than those of a running
 * container, whose process is open to its user.
 */
#include "namespace-fds.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/socket.h>

#include "../../basic/fd.h"
#include "../channel.h"
#include "../error.h"
#include "namespaces.h"

/**
 * namespace_fds_open - the calling process' own, by the /proc that it sees, which must be the host's.
 * @f: NAMESPACE_FDS_NONE; namespace_fds_done().
 *
 * Return: 0, or -errno with a message.
 */
int namespace_fds_open(NamespaceFds *f) {
        for (NamespaceKind k = 0; k < _NS_MAX; k++) {
                char path[64];

                (void) snprintf(path, sizeof(path), "/proc/self/ns/%s", namespace_file(k));
                f->fds[k] = open(path, O_RDONLY | O_CLOEXEC);
                if (f->fds[k] < 0 && errno != ENOENT) /* this kernel has no such kind */
                        return fail_errno(errno, "open %s", path);
        }
        f->there = true;
        return 0;
}

/** namespace_fds_send - the answer to namespace_fds_ask(); empty when there are none. */
int namespace_fds_send(int sock, const NamespaceFds *f) {
        char kinds[_NS_MAX + 1] = { CHANNEL_NAMESPACES };
        int fds[_NS_MAX];
        size_t n = 0;
        ssize_t sent;

        for (NamespaceKind k = 0; k < _NS_MAX; k++)
                if (f->fds[k] >= 0) {
                        fds[n++] = f->fds[k];
                        kinds[n] = (char) k;
                }
        sent = send_with_fds(sock, kinds, n + 1, fds, n, 0);
        return sent < 0 ? (int) sent : 0;
}

/**
 * namespace_fds_ask - have those of the process that waits for start at the other end of @sock.
 * @f: NAMESPACE_FDS_NONE; namespace_fds_done(). Stays empty if that process keeps them for itself.
 *
 * Return: 0, or -errno with a message.
 */
int namespace_fds_ask(int sock, NamespaceFds *f) {
        char kinds[_NS_MAX + 1];
        int fds[_NS_MAX];
        size_t n = _NS_MAX;
        ssize_t got;
        int r;

        r = channel_send(sock, CHANNEL_NAMESPACES, NULL);
        if (r < 0)
                return fail_errno(r, "ask for namespaces");
        got = recv_with_fds(sock, kinds, sizeof(kinds), fds, &n, 0);
        if (got < 0)
                return fail_errno((int) got, "receive namespaces");
        for (size_t i = 0; i < n; i++) {
                unsigned kind = i + 1 < (size_t) got ? (unsigned char) kinds[i + 1] : _NS_MAX;

                if (kind >= _NS_MAX || f->fds[kind] >= 0) {
                        (void) close(fds[i]);
                        continue;
                }
                f->fds[kind] = fds[i];
                f->there = true;
        }
        return 0;
}

/** namespace_fds_enter - setns() into all of @kinds (CLONE_NEW...), the user namespace first. */
int namespace_fds_enter(const NamespaceFds *f, uint64_t kinds) {
        for (NamespaceKind k = 0; k < _NS_MAX; k++)
                if ((kinds & namespace_flag(k)) && setns(f->fds[k], (int) namespace_flag(k)) < 0)
                        return negative_errno();
        return 0;
}

/** namespace_fds_done - close them. */
void namespace_fds_done(NamespaceFds *f) {
        for (NamespaceKind k = 0; k < _NS_MAX; k++)
                f->fds[k] = safe_close(f->fds[k]);
        f->there = false;
}
