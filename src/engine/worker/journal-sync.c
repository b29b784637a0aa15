/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "journal-sync.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "../../basic/fd.h"

#define JOURNAL_VARLINK_SOCKET "/run/systemd/journal/io.systemd.journal"

/*
 * A line that a container has just written may still lie in journald's socket. journald answers this Varlink
 * call (JSON ended by a NUL byte, both ways) only after it has read all that came before.
 */

/** journal_synchronize - wait at most @timeout. Return: 0, -EAGAIN on time-out, -errno when journald cannot
 * be asked. */
int journal_synchronize(usec_t timeout) {
        static const char request[] = "{\"method\":\"io.systemd.Journal.Synchronize\",\"parameters\":{}}";
        struct sockaddr_un sa = { .sun_family = AF_UNIX, .sun_path = JOURNAL_VARLINK_SOCKET };
        struct timeval tv = { .tv_sec = (time_t) (timeout / USEC_PER_SEC),
                              .tv_usec = (suseconds_t) (timeout % USEC_PER_SEC) };
        _cleanup_close_ int fd = -EBADF;
        char reply[4096];
        ssize_t n;

        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0)
                return negative_errno();
        if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) < 0 ||
            setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)) < 0 ||
            connect(fd, (struct sockaddr *) &sa, sizeof(sa)) < 0)
                return negative_errno();
        if (send(fd, request, sizeof(request), MSG_NOSIGNAL) != (ssize_t) sizeof(request))
                return negative_errno();
        do {
                n = recv(fd, reply, sizeof(reply), 0);
                if (n < 0 && errno != EINTR)
                        return negative_errno();
                if (n == 0)
                        return -ECONNRESET;
        } while (n < 0 || reply[n - 1] != 0);
        return 0;
}
