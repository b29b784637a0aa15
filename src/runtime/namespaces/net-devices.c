/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * linux.netDevices: devices of the host's network namespace that are moved into the container's, with their
 * permanent addresses, before any hook and any program of the image runs. The kernel gives a moved device no
 * addresses and leaves it down, so both are done again there.
 *
 * A create that fails brings them back as they were: a virtual device would end with a namespace that was
 * new, and one in a namespace of the caller's would have another name in another place. After a create they
 * belong to the namespace: a delete does not move them.
 */
#include "net-devices.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>

#include "../../basic/fd.h"
#include "../error.h"
#include "../runtime-log.h"
#include "namespaces.h"
#include "net-device-link.h"
#include "netlink.h"
#include "network.h"

typedef struct Moved {
        const SpecNetDevice *device;
        int index, inside_index; /* the latter once it is there */
        bool was_up, is_there;
        NetAddress *addresses;
        size_t n_addresses;
} Moved;

struct NetDevices {
        int home_ns, home, away; /* of the host: namespace and socket; a socket in the container's */
        Moved *items;
        size_t n;
};

/** net_devices_free - forget the way back. Return: NULL. */
NetDevices *net_devices_free(NetDevices *d) {
        if (!d)
                return NULL;
        (void) safe_close(d->home_ns);
        (void) safe_close(d->home);
        (void) safe_close(d->away);
        for (size_t i = 0; i < d->n; i++)
                free(d->items[i].addresses);
        free(d->items);
        return mfree(d);
}

/** net_devices_check - a container in the host's network namespace has no place for devices. Return: 0,
 * -EINVAL, -EPERM. */
int net_devices_check(const Spec *s) {
        if (s->n_net_devices > 0 && geteuid() != 0)
                return fail_text(EPERM, "config.json: linux.netDevices: only root may move network devices");
        if (s->n_net_devices > 0 && (!s->ns[NS_NET].present || namespace_is_ours(s, NS_NET)))
                return fail_text(
                                EINVAL,
                                "config.json: linux.netDevices: unable to move network devices without a private NET "
                                "namespace");
        return 0;
}

static int open_sockets(NetDevices *d, int ns_fd) {
        int r;

        if (!network_may_return())
                return fail_text(
                                EPERM,
                                "network devices: the network namespace we are in is not ours to take them from");
        d->home_ns = network_open_own();
        if (d->home_ns < 0)
                return d->home_ns;
        d->home = netlink_open();
        if (d->home < 0)
                return fail_errno(d->home, "network devices: netlink");
        if (setns(ns_fd, CLONE_NEWNET) < 0)
                return fail_errno(errno, "network devices: join the container's network namespace");
        d->away = netlink_open();
        r = d->away < 0 ? fail_errno(d->away, "network devices: netlink") : 0;
        if (setns(d->home_ns, CLONE_NEWNET) < 0)
                return fail_errno(errno, "return to the host's network namespace");
        return r;
}

/* What is to be there again afterwards. */
static int inspect(const NetDevices *d, Moved *m) {
        const char *name = m->device->name;
        int r;

        m->index = net_link_index(d->home, name);
        if (m->index < 0)
                return fail_errno(m->index, "network device %s", name);
        r = net_link_is_up(d->home, name);
        m->was_up = r > 0;
        if (r >= 0)
                r = net_addresses_get(d->home, m->index, &m->addresses, &m->n_addresses);
        return r < 0 ? fail_errno(r, "network device %s: read its addresses", name) : 0;
}

static int give_addresses(int socket_fd, int index, const Moved *m) {
        for (size_t i = 0; i < m->n_addresses; i++) {
                int r = net_address_add(socket_fd, index, &m->addresses[i]);

                if (r < 0)
                        return r;
        }
        return 0;
}

/* Only a device that is where we look for it is one that we may change. */
static int verify(const NetDevices *d, const Moved *m) {
        const char *wanted = m->device->inside;
        char name[IFNAMSIZ];
        int r = net_link_name(d->away, m->inside_index, name);

        if (r >= 0 && !strchr(wanted, '%') && !streq(name, wanted))
                r = -EEXIST;
        return r < 0 ? fail_errno(r, "network device %s: find it in the container", m->device->name) : 0;
}

static int move_one(NetDevices *d, int ns_fd, Moved *m) {
        const char *name = m->device->name, *inside = m->device->inside;
        char other[IFNAMSIZ];
        int r;

        r = inspect(d, m);
        if (r < 0)
                return r;
        /* The kernel would move it first and find out then. */
        if (!strchr(inside, '%') && net_link_index(d->away, inside) >= 0)
                return fail_text(
                                EEXIST,
                                "network device %s: the container's network namespace has a device \"%s\" already",
                                name, inside);
        m->inside_index = net_link_free_index(d->away, m->index);
        if (m->inside_index < 0)
                return fail_errno(m->inside_index, "network device %s: number in the container", name);
        /* Always with a number: without one the kernel takes another in silence when somebody in there has
         * just made a device with ours, and theirs would be taken for it. */
        r = net_link_move(d->home, m->index, ns_fd, inside, m->inside_index);
        m->is_there = r >= 0 || net_link_name(d->home, m->index, other) == -ENODEV;
        if (r < 0)
                return fail_errno(
                                r,
                                "network device %s: move it to the container's network namespace as \"%s\"",
                                name, inside);
        r = verify(d, m);
        if (r < 0)
                return r;
        r = give_addresses(d->away, m->inside_index, m);
        if (r < 0)
                return fail_errno(r, "network device %s: give it its addresses in the container", name);
        r = net_link_set_up(d->away, m->inside_index);
        return r < 0 ? fail_errno(r, "network device %s: bring it up in the container", name) : 0;
}

static int bring_back(const NetDevices *d, const Moved *m) {
        int index = net_link_free_index(d->home, m->index), r;

        if (index < 0)
                return index;
        r = net_link_move(d->away, m->inside_index, d->home_ns, m->device->name, index);
        if (r >= 0)
                r = give_addresses(d->home, index, m);
        return r < 0 || !m->was_up ? r : net_link_set_up(d->home, index);
}

/** net_devices_return - bring all of them back, as they were. NULL is no device. */
void net_devices_return(NetDevices *d) {
        for (size_t i = d ? d->n : 0; i > 0; i--) {
                Moved *m = &d->items[i - 1];
                int r = m->is_there ? bring_back(d, m) : 0;

                m->is_there = false;
                if (r < 0)
                        runtime_warning("network device %s: bring it back to the host: %s", m->device->name,
                                        strerror(-r));
        }
}

/**
 * net_devices_move - move those of @s to the network namespace @ns_fd.
 * @ret: the way back; owned by the caller, net_devices_free(). It borrows from @s.
 *
 * Return: 0, or -errno with a message and all devices where they were.
 */
int net_devices_move(const Spec *s, int ns_fd, NetDevices **ret) {
        _cleanup_net_devices_ NetDevices *d = new0(NetDevices, 1);
        int r;

        if (!d)
                return -ENOMEM;
        d->home_ns = d->home = d->away = -EBADF;
        d->items = new0(Moved, s->n_net_devices);
        r = d->items ? open_sockets(d, ns_fd) : -ENOMEM;
        for (size_t i = 0; r >= 0 && i < s->n_net_devices; i++) {
                d->items[i].device = &s->net_devices[i];
                d->n = i + 1;
                r = move_one(d, ns_fd, &d->items[i]);
        }
        if (r < 0) {
                net_devices_return(d);
                return r;
        }
        *ret = TAKE_PTR(d);
        return 0;
}

/** net_devices_move_to - the same, to the network namespace of @pid, which is the container's by now. */
int net_devices_move_to(const Spec *s, pid_t pid, NetDevices **ret) {
        _cleanup_close_ int fd = -EBADF;
        char path[64];

        (void) snprintf(path, sizeof(path), "/proc/%d/ns/net", (int) pid);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        return fd < 0 ? fail_errno(errno, "open %s", path) : net_devices_move(s, fd, ret);
}
