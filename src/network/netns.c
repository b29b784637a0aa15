/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "netns.h"

#include <fcntl.h>
#include <sched.h>

#include "../basic/fd.h"
#include "../basic/file.h"

/*
 * What must be set before eth0 exists, since an interface copies the defaults when it is made: a neighbour
 * on the bridge must not be able to become the container's router by sending advertisements.
 */
static void set_defaults(void) {
        (void) write_string_at(AT_FDCWD, "/proc/sys/net/ipv6/conf/default/accept_ra", "0");
        (void) write_string_at(AT_FDCWD, "/proc/sys/net/ipv6/conf/default/accept_redirects", "0");
}

/**
 * netns_create - a new network namespace. The calling thread (the only one) enters it for a moment: a child
 * process would cost more than the namespace does.
 * @host_fd: the namespace to come back to, borrowed.
 * @ret_fd: the namespace, owned by the caller; it lives as long as this or a process in it.
 * @ret_inside: a socket inside.
 */
int netns_create(int host_fd, int *ret_fd, Rtnl *ret_inside) {
        _cleanup_close_ int fd = -EBADF;
        _cleanup_rtnl_ Rtnl inside = {};
        int r = 0;

        if (unshare(CLONE_NEWNET) < 0)
                return negative_errno();
        fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                r = negative_errno();
        else
                r = rtnl_open(&inside);
        if (r >= 0)
                set_defaults();
        if (setns(host_fd, CLONE_NEWNET) < 0)
                abort(); /* in the wrong namespace everything we do next would be wrong; systemd starts us
                            anew */
        if (r < 0)
                return r;
        *ret_fd = TAKE_FD(fd);
        *ret_inside = inside;
        inside = (Rtnl){};
        return 0;
}
