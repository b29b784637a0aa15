/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Close-on-exec is too late: the kernel looks up the program, and the interpreter of a script, while all
 * descriptors are still open. /proc/self/fd/N/../../.. of a directory of the host then leads to the host's
 * root, for the working directory as well (CVE-2024-21626). So before the first path that the image or
 * config.json chose is looked up inside the container, everything is closed that is not needed until the
 * very end, and what stays is no directory.
 */
#include "descriptors.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "../../basic/fd.h"
#include "../error.h"
#include "../kernel-call.h"

#define OPEN_FDS_MAX (1U << 20)

static bool is_kept(int fd, const int *keep, size_t n) {
        for (size_t i = 0; i < n; i++)
                if (keep[i] == fd)
                        return true;
        return false;
}

/* Among those to be preserved our own may be, where the caller had nothing: they are close-on-exec, which
 * nothing that came through an exec can be. */
static void close_own(unsigned first, unsigned end, const int *keep, size_t n) {
        for (unsigned fd = first; fd < end; fd++) {
                int flags = fcntl((int) fd, F_GETFD);

                if (flags >= 0 && (flags & FD_CLOEXEC) && !is_kept((int) fd, keep, n))
                        (void) close((int) fd);
        }
}

/* The least of @keep that is not below @from, or -1. */
static int next_kept(unsigned from, const int *keep, size_t n) {
        int next = -1;

        for (size_t i = 0; i < n; i++)
                if (keep[i] >= 0 && (unsigned) keep[i] >= from && (next < 0 || keep[i] < next))
                        next = keep[i];
        return next;
}

/**
 * descriptors_range - close_range(), also where an outer filter does not know that call.
 * @on_exec: mark them close-on-exec instead.
 *
 * Return: 0, or -errno with a message.
 */
int descriptors_range(unsigned first, unsigned last, bool on_exec) {
        struct rlimit limit;

        if (sys_close_range(first, last, on_exec ? CLOSE_RANGE_CLOEXEC : 0) >= 0)
                return 0;
        if ((errno != ENOSYS && errno != EPERM) || getrlimit(RLIMIT_NOFILE, &limit) < 0)
                return fail_errno(errno, "close descriptors");
        /* The limit may be the payload's already, below what is open: ours are few and low. */
        for (unsigned fd = first; fd <= last && fd < MAX(limit.rlim_cur, (rlim_t) 1024) && fd < OPEN_FDS_MAX;
             fd++) {
                if (!on_exec)
                        (void) close((int) fd);
                else if (fcntl((int) fd, F_SETFD, FD_CLOEXEC) < 0 && errno != EBADF)
                        return fail_errno(errno, "close descriptors");
        }
        return 0;
}

/**
 * descriptors_close_but - close all descriptors but 0 to 2, the @preserve_fds after them as far as they came
 * from our caller, and @keep, which may contain negative ones.
 *
 * Return: 0, or -errno with a message.
 */
int descriptors_close_but(const int *keep, size_t n, unsigned preserve_fds) {
        unsigned from = 3 + preserve_fds;

        close_own(3, from, keep, n);
        for (;;) {
                int next = next_kept(from, keep, n);

                int r = next < 0               ? descriptors_range(from, ~0U, false) :
                        (unsigned) next > from ? descriptors_range(from, (unsigned) next - 1, false) :
                                                 0;

                if (r < 0 || next < 0)
                        return r;
                from = (unsigned) next + 1;
        }
}
