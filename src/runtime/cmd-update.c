/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <unistd.h>

#include "../basic/fd.h"
#include "../basic/file.h"
#include "../basic/str.h"
#include "cgroup-resources.h"
#include "cgroup.h"
#include "command.h"
#include "error.h"
#include "spec.h"
#include "state.h"

/* Each flag of the command line is one field of linux.resources. */
static const struct {
        const char *option, *object, *key;
        bool text;
} fields[] = {
        { "memory", "memory", "limit", false },
        { "memory-reservation", "memory", "reservation", false },
        { "memory-swap", "memory", "swap", false },
        { "cpu-period", "cpu", "period", false },
        { "cpu-quota", "cpu", "quota", false },
        { "cpu-burst", "cpu", "burst", false },
        { "cpu-share", "cpu", "shares", false },
        { "cpu-idle", "cpu", "idle", false },
        { "cpuset-cpus", "cpu", "cpus", true },
        { "cpuset-mems", "cpu", "mems", true },
        { "blkio-weight", "blockIO", "weight", false },
        { "pids-limit", "pids", "limit", false },
};

static int set_field(json_object *resources, size_t i, const char *value) {
        json_object *o = json_get(resources, fields[i].object);
        int64_t n;
        int r;

        if (!o) {
                o = json_object_new_object();
                r = json_set(resources, fields[i].object, o);
                if (r < 0)
                        return r;
        }
        if (fields[i].text)
                return json_set_str(o, fields[i].key, value);
        if (parse_i64(value, INT64_MIN + 1, INT64_MAX, &n) < 0)
                return fail_text(EINVAL, "--%s \"%s\": expected a number", fields[i].option, value);
        return json_set_int(o, fields[i].key, n);
}

static int load_resources(const char *path, json_object **ret) {
        _cleanup_free_ char *text = NULL;
        size_t size;
        int r;

        r = streq(path, "-") ? read_fd(STDIN_FILENO, SPEC_SIZE_MAX, &text, &size) :
                               read_file_at(AT_FDCWD, path, SPEC_SIZE_MAX, &text, &size);
        if (r < 0)
                return fail_errno(r, "read resources from %s", path);
        r = json_parse(text, size, ret);
        return r < 0 ? fail_text(r, "resources from %s: not valid JSON", path) : 0;
}

/** cmd_update - berth-runtime update: change limits of a running container. */
int cmd_update(const Globals *g, int argc, char **argv) {
        struct option options[ELEMENTSOF(fields) + 2] = {};
        _cleanup_json_ json_object *file = NULL, *flags = json_object_new_object();
        _cleanup_state_ State s = STATE_INIT;
        _cleanup_close_ int cgroup = -EBADF;
        const char *id;
        int c, r;

        for (size_t i = 0; i < ELEMENTSOF(fields); i++)
                options[i] = (struct option) { fields[i].option, required_argument, NULL, 256 + (int) i };
        options[ELEMENTSOF(fields)] = (struct option) { "resources", required_argument, NULL, 'r' };
        optind = 1;
        while ((c = getopt_long(argc, argv, "+r:", options, NULL)) >= 0) {
                if (c == 'r')
                        r = load_resources(optarg, &file);
                else if (c >= 256)
                        r = set_field(flags, (size_t) c - 256, optarg);
                else
                        r = command_usage(argv[0], NULL);
                if (r < 0)
                        return r;
        }
        if ((r = command_single_id(argc, argv, optind, &id)) < 0 ||
            (r = state_load(g->root, id, true, &s)) < 0)
                return r;
        if (state_status(&s) == STATUS_STOPPED || !s.cgroup)
                return fail_text(ESRCH, "container \"%s\" is not running", id);
        cgroup = cgroup_open(s.cgroup);
        if (cgroup < 0)
                return cgroup;
        if (file && json_get(file, "devices"))
                return fail_text(EOPNOTSUPP, "update: linux.resources.devices cannot be changed");
        r = cgroup_resources_apply(cgroup, s.cgroup, file, s.oci_version);
        return r < 0 ? r : cgroup_resources_apply(cgroup, s.cgroup, flags, s.oci_version);
}
