/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * berth-runtime-scope: the bus calls of berth-runtime's systemd cgroup driver, in a program of its own so
 * that berth-runtime stays static. Started as `berth-runtime-scope system|user` with a SEQPACKET socket as
 * descriptor 3; answers requests (scope-request.h) until the other end is closed, or a second has passed
 * since the last one.
 */
#include <poll.h>
#include <stdio.h>

#include "../../basic/str.h"
#include "../../shared/message.h"
#include "scope-bus.h"
#include "scope-request.h"

#define IDLE_MS 1000

static int serve(ScopeBus *bus, const Message *m) {
        const char *verb = message_verb(m);

        bus->error_text = mfree(bus->error_text);
        if (streq(verb, SCOPE_VERB_START))
                return scope_bus_start(bus, &m->fields);
        if (streq(verb, SCOPE_VERB_SET))
                return scope_bus_set(bus, &m->fields);
        if (streq(verb, SCOPE_VERB_STOP))
                return scope_bus_stop(bus, &m->fields);
        if (streq(verb, SCOPE_VERB_ATTACH))
                return scope_bus_attach(bus, &m->fields);
        return -EOPNOTSUPP;
}

static int reply(ScopeBus *bus, int error) {
        _cleanup_buffer_ Buffer b = SCOPE_REQUEST_INIT;
        int r = message_put_reply(&b, NULL, error, bus->error_text);

        return r < 0 ? r : message_send(SCOPE_HELPER_FD, &b, NULL, 0);
}

int main(int argc, char **argv) {
        ScopeBus bus;
        int r;

        if (argc != 2 || (!streq(argv[1], "system") && !streq(argv[1], "user"))) {
                (void) fputs(SCOPE_HELPER_NAME ": not to be called by hand\n", stderr);
                return 2;
        }
        scope_bus_open(&bus, streq(argv[1], "user"));
        for (bool served = false;; served = true) {
                struct pollfd p = { .fd = SCOPE_HELPER_FD, .events = POLLIN };
                _cleanup_message_ Message m = MESSAGE_INIT;

                /* Signals of the bus pile up meanwhile, so not for long. */
                while ((r = poll(&p, 1, served ? IDLE_MS : -1)) < 0 && errno == EINTR)
                        ;
                if (r <= 0)
                        break;
                r = message_receive(SCOPE_HELPER_FD, &m);
                if (r <= 0)
                        break;
                r = reply(&bus, serve(&bus, &m));
                if (r < 0)
                        break;
        }
        scope_bus_done(&bus);
        return r < 0;
}
