/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "../basic/fd.h"
#include "../basic/file.h"
#include "../basic/str.h"
#include "../shared/message.h"
#include "../shared/unit-name.h"
#include "setup.h"

/* Which network namespace the payload gets: none of its own (host), a fresh empty one, netd's, or another
 * container's. */

/* Return: 1 and the answer in @m, 0 when the connection ended before it came, -errno. */
static int attach(Setup *s, Message *m) {
        _cleanup_buffer_ Buffer b = BUFFER_INIT(FIELDS_TEXT_MAX);
        _cleanup_close_ int fd = message_connect(BERTH_NETD_SOCKET, false);
        int r;

        if (fd < 0)
                return setup_fail(s, fd, 128, "Cannot reach berth-netd for the network");
        r = fields_put(&b, '\n', "verb", "attach");
        if (r >= 0)
                r = fields_put(&b, '\n', "seq", "1");
        if (r >= 0)
                r = fields_put(&b, '\n', "container", s->id);
        if (r >= 0)
                r = fields_put(&b, '\n', "name", strempty(fields_get(&s->conf, "hostname")));
        if (r >= 0)
                r = fields_put(&b, '\n', "network", "bridge");
        if (r >= 0)
                r = message_send(fd, &b, NULL, 0);
        if (r >= 0)
                r = message_receive(fd, m);
        return r == -EPIPE || r == -ECONNRESET ? 0 : r;
}

static int ask_netd(Setup *s) {
        _cleanup_message_ Message m = MESSAGE_INIT;
        const char *address;
        int r, error;

        /* A netd that died over the request is started again by its socket, and attaching twice gives the
         * same address; one that dies over it again is not asked a third time. */
        r = attach(s, &m);
        if (r == 0)
                r = attach(s, &m);
        if (r <= 0)
                return setup_fail(s, r < 0 ? r : -ECONNRESET, 128, "berth-netd did not answer");
        error = (int) fields_get_i64_or(&m.fields, "errno", EPROTO);
        if (error != 0)
                return setup_fail(s, -error, 128, "network: %s", strempty(fields_get(&m.fields, "message")));
        s->netns_fd = message_take_fd(&m, 0);
        if (s->netns_fd < 0)
                return setup_fail(s, -EPROTO, 128, "berth-netd sent no network namespace");
        address = fields_get(&m.fields, "address");
        s->address = address ? strdup(address) : NULL;
        return 0;
}

static int join_container(Setup *s, const char *id) {
        _cleanup_buffer_ Buffer b = BUFFER_INIT(1024);
        _cleanup_message_ Message m = MESSAGE_INIT;
        _cleanup_close_ int fd = -EBADF;
        char path[160];
        int64_t pid = 0;
        int r = -EINVAL;

        if (!container_id_is_valid(id))
                return setup_fail(s, -EINVAL, 128, "Invalid network mode container:%s", id);
        (void) snprintf(path, sizeof(path), BERTH_RUN_CONTAINERS_DIR "/%s/shim.sock", id);
        fd = message_connect(path, false);
        if (fd >= 0) {
                r = fields_put(&b, '\n', "verb", "hello");
                if (r >= 0)
                        r = fields_put(&b, '\n', "seq", "1");
                if (r >= 0)
                        r = message_send(fd, &b, NULL, 0);
                /* A container that has ended still tells the pid it had, which is another's by now. */
                if (r >= 0 && message_receive(fd, &m) > 0 &&
                    (streq(strempty(fields_get(&m.fields, "status")), "running") ||
                     streq(strempty(fields_get(&m.fields, "status")), "paused")))
                        pid = fields_get_i64_or(&m.fields, "pid", 0);
        }
        if (pid <= 0)
                return setup_fail(s, -ESRCH, 128, "cannot join network of a non running container: %s", id);
        (void) snprintf(path, sizeof(path), "/proc/%" PRId64 "/ns/net", pid);
        s->netns_fd = open(path, O_RDONLY | O_CLOEXEC);
        return s->netns_fd < 0 ? setup_fail(s, negative_errno(), 128, "cannot join network of container %s",
                                            id)
                               : 0;
}

/** network_prepare - by shim.conf's `network`. Return: 0 or -errno. */
int network_prepare(Setup *s) {
        const char *network = fields_get(&s->conf, "network"), *id;

        if (isempty(network) || streq(network, "none")) {
                s->netns_private = true;
                return 0;
        }
        if (streq(network, "host")) {
                s->netns_host = true;
                return 0;
        }
        if (streq(network, "bridge"))
                return ask_netd(s);
        id = startswith(network, "container:");
        if (id)
                return join_container(s, id);
        return setup_fail(s, -EOPNOTSUPP, 128, "Network mode '%s' is not implemented", network);
}

/** network_write_hosts - the line of the address that is known only now. Return: 0 or -errno. */
int network_write_hosts(Setup *s) {
        const char *hostname = strempty(fields_get(&s->conf, "hostname"));
        _cleanup_buffer_ Buffer b = BUFFER_INIT(1024 * 1024);
        _cleanup_free_ char *old = NULL;
        char *p;
        size_t size;
        int r;

        if (!s->address)
                return 0;
        r = read_file_at(s->dir_fd, "hosts", 512 * 1024, &old, &size);
        if (r == -ENOENT)
                return 0;
        if (r < 0)
                return r;
        p = old;
        while (*p && r >= 0) {
                size_t n = strcspn(p, "\n");

                /* The line of an earlier start. */
                if (!memmem(p, n, "# berth", 7))
                        r = buffer_append(&b, p, n + (p[n] == '\n'));
                p += n + (p[n] == '\n');
        }
        if (r >= 0)
                r = buffer_appendf(&b, "%s\t%s\t# berth\n", s->address, hostname);
        /* In place: the file is what is bind-mounted. */
        return r < 0 ? r : write_file_at(s->dir_fd, "hosts", b.data, b.size, 0644, 0);
}
