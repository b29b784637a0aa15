/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * events: what the cgroup counts, once or again and again, and processes that ran out of memory as it
 * happens. One JSON object per line.
 */
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "../../basic/clock.h"
#include "../../basic/fd.h"
#include "../../basic/str.h"
#include "../cgroup/cgroup-stats.h"
#include "../cgroup/cgroup.h"
#include "../cgroup/duration.h"
#include "../error.h"
#include "../state.h"
#include "command.h"

#define INTERVAL_DEFAULT (5 * USEC_PER_SEC)

/* @data: consumed; NULL for events that have none. */
static int print_event(const char *type, const char *id, json_object *data) {
        _cleanup_json_ json_object *event = json_object_new_object(), *owned = data;

        if (!event || json_set_str(event, "type", type) < 0 || json_set_str(event, "id", id) < 0 ||
            (data && json_set(event, "data", TAKE_PTR(owned)) < 0))
                return -ENOMEM;
        if (puts(json_text(event)) < 0 || fflush(stdout) != 0)
                return fail_errno(errno, "write an event");
        return 0;
}

static int print_stats(int cgroup, const char *id) {
        json_object *data;
        int r = cgroup_stats(cgroup, &data);

        return r < 0 ? r : print_event("stats", id, data);
}

/* Memory events come by POLLPRI, and are armed again by reading the file through the same descriptor. */
static int check_oom(int cgroup, int events_fd, const char *id, uint64_t *seen) {
        char text[512];
        uint64_t now;
        int r;

        (void) pread(events_fd, text, sizeof(text), 0);
        r = cgroup_oom_kills(cgroup, &now);
        if (r < 0 || now <= *seen)
                return r;
        *seen = now;
        return print_event("oom", id, NULL);
}

static int stream(const State *s, int cgroup, usec_t interval) {
        _cleanup_close_ int pidfd = state_pidfd(s), events_fd = -EBADF;
        usec_t next = now_monotonic();
        uint64_t seen = 0;
        int r;

        if (pidfd < 0)
                return 0;
        events_fd = openat(cgroup, "memory.events", O_RDONLY | O_CLOEXEC);
        r = cgroup_oom_kills(cgroup, &seen);
        while (r >= 0) {
                struct pollfd p[] = { { .fd = pidfd, .events = POLLIN },
                                      { .fd = events_fd, .events = POLLPRI },
                                      { .fd = STDOUT_FILENO } };
                usec_t now = now_monotonic();

                if (now >= next) {
                        r = print_stats(cgroup, s->id);
                        next = MAX(next + interval, now);
                        continue;
                }
                if (poll(p, ELEMENTSOF(p), (int) MIN((next - now) / USEC_PER_MSEC + 1, (usec_t) INT_MAX)) <
                    0) {
                        if (errno != EINTR)
                                return fail_errno(errno, "poll");
                        continue;
                }
                if (p[1].revents & POLLPRI)
                        r = check_oom(cgroup, events_fd, s->id, &seen);
                /* The container has ended, or nobody reads any more. */
                if (p[0].revents & POLLIN || p[2].revents & (POLLERR | POLLHUP))
                        return r < 0 ? r : check_oom(cgroup, events_fd, s->id, &seen);
        }
        return r;
}

/** cmd_events - berth-runtime events [--stats] [--interval DURATION] ID. */
int cmd_events(const Globals *g, int argc, char **argv) {
        static const struct option options[] = { { "stats", no_argument, NULL, 's' },
                                                 { "interval", required_argument, NULL, 'i' }, {} };
        usec_t interval = INTERVAL_DEFAULT;
        _cleanup_state_ State s = STATE_INIT;
        _cleanup_close_ int cgroup = -EBADF;
        ContainerStatus status;
        bool once = false;
        const char *id;
        int c, r;

        optind = 0;
        while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0)
                if (c == 's')
                        once = true;
                else if (c != 'i')
                        return command_bad_option(argv);
                else if (duration_parse(optarg, &interval) < 0 || interval == 0)
                        return fail_text(EINVAL,
                                         "--interval \"%s\": expected a duration above 0 as 5s or 100ms",
                                         optarg);
        if ((r = command_single_id(argc, argv, optind, &id)) < 0 ||
            (r = state_load(g->root, id, false, &s)) < 0)
                return r;
        status = state_status(&s);
        if (status == STATUS_STOPPED || status == STATUS_CREATING)
                return fail_text(ESRCH, "container with id %s is not running: it is %s", id,
                                 status_to_string(status));
        if (!s.cgroup)
                return fail_text(EOPNOTSUPP, "container \"%s\" has no cgroup that counts", id);
        cgroup = cgroup_open(s.cgroup);
        if (cgroup < 0)
                return cgroup;
        return once ? print_stats(cgroup, id) : stream(&s, cgroup, interval);
}
