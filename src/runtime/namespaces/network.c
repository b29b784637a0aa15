/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A new network namespace takes the kernel longer to make than all other namespaces together. So the parent
 * makes it while the child mounts, and hands it over; the child joins it before the first mount that depends
 * on it. Not with a user namespace: a network namespace belongs to the user namespace it was made in.
 */
#include "network.h"

#include <fcntl.h>
#include <linux/nsfs.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "../../basic/fd.h"
#include "../channel.h"
#include "../error.h"

#define OWN_NAMESPACE "/proc/self/ns/net"

/** network_bring_up_loopback - in the network namespace we are in. Return: 0, or -errno with a message. */
int network_bring_up_loopback(void) {
        struct ifreq ifr = { .ifr_name = "lo" };
        _cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        if (fd < 0)
                return fail_errno(errno, "bring up lo");
        ifr.ifr_flags = IFF_UP | IFF_RUNNING;
        return ioctl(fd, SIOCSIFFLAGS, &ifr) < 0 ? fail_errno(errno, "bring up lo") : 0;
}

/** network_open_own - the namespace we are in. Return: its descriptor, or -errno with a message. */
int network_open_own(void) {
        int fd = open(OWN_NAMESPACE, O_RDONLY | O_CLOEXEC);

        return fd < 0 ? fail_errno(errno, "open %s", OWN_NAMESPACE) : fd;
}

/**
 * network_may_return - whether we can come back to the network namespace we are in. Root of a user namespace
 * only may leave the host's, but not come back: it is not told whose it is either.
 */
bool network_may_return(void) {
        static int known = -1;

        if (known < 0) {
                _cleanup_close_ int own = open(OWN_NAMESPACE, O_RDONLY | O_CLOEXEC), owner = -EBADF;

                owner = own < 0 ? -1 : ioctl(own, NS_GET_USERNS);
                known = owner >= 0;
        }
        return known > 0;
}

/** network_is_apart - whether the parent makes the network namespace, and not the clone of the child. */
bool network_is_apart(const Spec *s) {
        return spec_has_new(s, NS_NET) && !s->ns[NS_USER].present && network_may_return();
}

/**
 * network_make - the parent's side: make it, move the container's devices there and send it; we ourselves
 * stay where we are.
 * @ret_devices: as net_devices_move(); untouched if there are none.
 */
int network_make(const Spec *s, int channel_fd, NetDevices **ret_devices) {
        _cleanup_close_ int own = network_open_own(), made = -EBADF;
        const char type = CHANNEL_NETWORK;
        int r;

        if (own < 0)
                return own;
        if (unshare(CLONE_NEWNET) < 0)
                return fail_errno(errno, "new network namespace");
        r = network_bring_up_loopback();
        made = r < 0 ? r : network_open_own();
        if (r >= 0 && made < 0)
                r = made;
        if (setns(own, CLONE_NEWNET) < 0)
                return fail_errno(errno, "return to the host's network namespace");
        if (r >= 0 && s->n_net_devices > 0)
                r = net_devices_move(s, made, ret_devices);
        if (r < 0)
                return r;
        r = (int) send_with_fds(channel_fd, &type, sizeof(type), &made, 1, MSG_NOSIGNAL);
        /* A child that has failed already has said why. */
        return r < 0 && r != -EPIPE && r != -ECONNRESET ? fail_errno(r, "hand the network namespace over")
                                                        : 0;
}

/** network_enter - the child's side: wait for it and join it. */
int network_enter(int channel_fd) {
        _cleanup_close_ int fd = -EBADF;
        char type = 0;
        size_t n = 1;
        ssize_t got;

        got = recv_with_fds(channel_fd, &type, sizeof(type), &fd, &n, 0);
        if (got < 0)
                return fail_errno((int) got, "receive the network namespace");
        if (got == 0 || type != CHANNEL_NETWORK || n != 1)
                return fail_text(EPIPE, "receive the network namespace: the runtime ended unexpectedly");
        return setns(fd, CLONE_NEWNET) < 0 ? fail_errno(errno, "join the new network namespace") : 0;
}
