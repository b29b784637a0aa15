/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <getopt.h>
#include <stdio.h>

#include "../basic/fd.h"
#include "../basic/file.h"
#include "../basic/str.h"
#include "cgroup.h"
#include "command.h"
#include "error.h"
#include "state.h"

/* Return: the number in @file, or behind @key in it; 0 when there is none. */
static int64_t read_number(int cgroup, const char *file, const char *key) {
        _cleanup_free_ char *text = NULL;
        const char *p;

        if (read_file_at(cgroup, file, 64 * 1024, &text, NULL) < 0)
                return 0;
        if (!key)
                return strtoll(text, NULL, 10);
        for (p = text; p && *p; p = strchr(p, '\n'), p = p ? p + 1 : NULL) {
                const char *rest = startswith(p, key);

                if (rest && *rest == ' ')
                        return strtoll(rest, NULL, 10);
        }
        return 0;
}

static int add_memory(int cgroup, json_object *data) {
        json_object *memory = json_object_new_object(), *usage = json_object_new_object();
        int r;

        r = json_set(data, "memory", memory);
        if (r >= 0)
                r = json_set(memory, "usage", usage);
        if (r >= 0)
                r = json_set_int(usage, "usage", read_number(cgroup, "memory.current", NULL));
        if (r >= 0)
                r = json_set_int(usage, "limit", read_number(cgroup, "memory.max", NULL));
        return r >= 0 ? json_set_int(memory, "cache", read_number(cgroup, "memory.stat", "file")) : r;
}

static int add_cpu(int cgroup, json_object *data) {
        json_object *cpu = json_object_new_object(), *usage = json_object_new_object();
        int r;

        r = json_set(data, "cpu", cpu);
        if (r >= 0)
                r = json_set(cpu, "usage", usage);
        if (r >= 0)
                r = json_set_int(usage, "total", read_number(cgroup, "cpu.stat", "usage_usec") * 1000);
        if (r >= 0)
                r = json_set_int(usage, "user", read_number(cgroup, "cpu.stat", "user_usec") * 1000);
        return r >= 0 ? json_set_int(usage, "kernel", read_number(cgroup, "cpu.stat", "system_usec") * 1000)
                      : r;
}

static int add_pids(int cgroup, json_object *data) {
        json_object *pids = json_object_new_object();
        int r;

        r = json_set(data, "pids", pids);
        if (r >= 0)
                r = json_set_int(pids, "current", read_number(cgroup, "pids.current", NULL));
        return r >= 0 ? json_set_int(pids, "limit", read_number(cgroup, "pids.max", NULL)) : r;
}

/** cmd_events - berth-runtime events --stats: one JSON object with what the cgroup counts. */
int cmd_events(const Globals *g, int argc, char **argv) {
        static const struct option options[] = { { "stats", no_argument, NULL, 's' }, {} };
        _cleanup_json_ json_object *event = json_object_new_object();
        json_object *data = json_object_new_object();
        _cleanup_state_ State s = STATE_INIT;
        _cleanup_close_ int cgroup = -EBADF;
        bool stats = false;
        const char *id;
        int c, r;

        r = json_set(event, "data", data);
        if (r < 0)
                return r;
        optind = 1;
        while ((c = getopt_long(argc, argv, "+", options, NULL)) >= 0) {
                if (c != 's')
                        return command_usage(argv[0], NULL);
                stats = true;
        }
        if (!stats)
                return fail_text(EOPNOTSUPP, "events without --stats is not supported");
        if ((r = command_single_id(argc, argv, optind, &id)) < 0 ||
            (r = state_load(g->root, id, false, &s)) < 0)
                return r;
        cgroup = cgroup_open(s.cgroup);
        if (cgroup < 0)
                return cgroup;
        if ((r = add_cpu(cgroup, data)) < 0 || (r = add_memory(cgroup, data)) < 0 ||
            (r = add_pids(cgroup, data)) < 0 || (r = json_set_str(event, "type", "stats")) < 0 ||
            (r = json_set_str(event, "id", id)) < 0)
                return r;
        (void) puts(json_text(event));
        return 0;
}
