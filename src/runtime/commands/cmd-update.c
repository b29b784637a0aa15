/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* update: other limits for a container that exists. Its stored configuration follows. */
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <unistd.h>

#include "../../basic/fd.h"
#include "../../basic/file.h"
#include "../../basic/str.h"
#include "../cgroup/cgroup-resources.h"
#include "../cgroup/cgroup.h"
#include "../cgroup/device-filter.h"
#include "../cgroup/resources-update.h"
#include "../error.h"
#include "../runtime-log.h"
#include "../spec/resources-spelling.h"
#include "../spec/spec.h"
#include "../state.h"
#include "../systemd/systemd-cgroup.h"
#include "command.h"

typedef enum FieldKind { FIELD_NUMBER, FIELD_SIZE, FIELD_TEXT } FieldKind;

/* Each flag of the command line is one field of linux.resources. */
static const struct {
        const char *option, *object, *key;
        FieldKind kind;
} fields[] = {
        { "memory", "memory", "limit", FIELD_SIZE },
        { "memory-reservation", "memory", "reservation", FIELD_SIZE },
        { "memory-swap", "memory", "swap", FIELD_SIZE },
        { "kernel-memory", "memory", "kernel", FIELD_SIZE },
        { "kernel-memory-tcp", "memory", "kernelTCP", FIELD_SIZE },
        { "cpu-period", "cpu", "period", FIELD_NUMBER },
        { "cpu-quota", "cpu", "quota", FIELD_NUMBER },
        { "cpu-burst", "cpu", "burst", FIELD_NUMBER },
        { "cpu-share", "cpu", "shares", FIELD_NUMBER },
        { "cpu-shares", "cpu", "shares", FIELD_NUMBER },
        { "cpu-idle", "cpu", "idle", FIELD_NUMBER },
        { "cpu-rt-period", "cpu", "realtimePeriod", FIELD_NUMBER },
        { "cpu-rt-runtime", "cpu", "realtimeRuntime", FIELD_NUMBER },
        { "cpuset-cpus", "cpu", "cpus", FIELD_TEXT },
        { "cpuset-mems", "cpu", "mems", FIELD_TEXT },
        { "blkio-weight", "blockIO", "weight", FIELD_NUMBER },
        { "pids-limit", "pids", "limit", FIELD_NUMBER },
};

/* Known to runc, and refused by name. */
static const char *const refused[] = { "l3-cache-schema", "mem-bw-schema" };

enum { OPT_FIELD = 256, OPT_REFUSED = 512 };

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
        switch (fields[i].kind) {
        case FIELD_TEXT:
                return json_set_str(o, fields[i].key, value);
        case FIELD_SIZE:
                if (resources_parse_size(value, &n) < 0)
                        return fail_text(EINVAL, "--%s \"%s\": invalid size", fields[i].option, value);
                break;
        case FIELD_NUMBER:
                if (parse_i64(value, INT64_MIN + 1, INT64_MAX, &n) < 0)
                        return fail_text(EINVAL, "--%s \"%s\": expected a number", fields[i].option, value);
        }
        return json_set_int(o, fields[i].key, n);
}

static int load_resources(const char *path, json_object **ret) {
        _cleanup_json_ json_object *o = NULL;
        _cleanup_free_ char *text = NULL;
        size_t size;
        int r;

        r = streq(path, "-") ? read_fd(STDIN_FILENO, SPEC_SIZE_MAX, &text, &size) :
                               read_file_at(AT_FDCWD, path, SPEC_SIZE_MAX, &text, &size);
        if (r < 0)
                return fail_errno(r, "read resources from %s", path);
        r = json_parse(text, size, &o);
        if (r < 0)
                return fail_text(r, "resources from %s: not valid JSON", path);
        if (!json_object_is_type(o, json_type_object))
                return fail_text(EINVAL, "resources from %s: expected an object", path);
        json_object_put(*ret);
        *ret = NULL;
        return resources_fold_case(o, ret);
}

/* @ret: what to change, of the file (if any) and the flags, which win; owned by the caller also on failure.
 */
static int parse(int argc, char **argv, json_object **ret) {
        struct option options[ELEMENTSOF(fields) + ELEMENTSOF(refused) + 2] = {}, *o = options;
        _cleanup_json_ json_object *flags = json_object_new_object();
        int c, r;

        *ret = json_object_new_object();
        if (!*ret || !flags)
                return -ENOMEM;
        for (size_t i = 0; i < ELEMENTSOF(fields); i++)
                *o++ = (struct option) { fields[i].option, required_argument, NULL, OPT_FIELD + (int) i };
        for (size_t i = 0; i < ELEMENTSOF(refused); i++)
                *o++ = (struct option) { refused[i], required_argument, NULL, OPT_REFUSED + (int) i };
        *o = (struct option) { "resources", required_argument, NULL, 'r' };
        /* Options may follow the id, as in `runc update ID --memory 1g`: 0 lets glibc forget the "+" of
         * before. */
        optind = 0;
        while ((c = getopt_long(argc, argv, "r:", options, NULL)) >= 0) {
                if (c == 'r')
                        r = load_resources(optarg, ret);
                else if (c >= OPT_REFUSED)
                        r = fail_text(EOPNOTSUPP, "--%s is not supported", refused[c - OPT_REFUSED]);
                else if (c >= OPT_FIELD)
                        r = set_field(flags, (size_t) c - OPT_FIELD, optarg);
                else
                        r = command_bad_option(argv);
                if (r < 0)
                        return r;
        }
        return resources_merge(*ret, flags);
}

/* The stored configuration, and linux.resources in it, which is made if there is none. */
static int load_stored(const State *s, json_object **ret_config, json_object **ret_resources) {
        _cleanup_json_ json_object *config = NULL;
        json_object *linux_object, *resources;
        int r;

        r = json_load_at(s->dir_fd, "config.json", SPEC_SIZE_MAX, &config);
        if (r < 0)
                return fail_errno(r, "configuration of %s", s->id);
        linux_object = json_get(config, "linux");
        if (!linux_object) {
                linux_object = json_object_new_object();
                r = json_set(config, "linux", linux_object);
                if (r < 0)
                        return r;
        }
        r = resources_respell(linux_object);
        if (r < 0)
                return r;
        resources = json_get(linux_object, "resources");
        if (!resources) {
                resources = json_object_new_object();
                r = json_set(linux_object, "resources", resources);
                if (r < 0)
                        return r;
        }
        *ret_config = TAKE_PTR(config);
        *ret_resources = resources;
        return 0;
}

/* A half-done update is taken back as far as the old values are known. */
static int take_back(const State *s, int cgroup, json_object *stored, int error) {
        _cleanup_free_ char *message = strdup(fail_message());

        if (!message)
                return -ENOMEM;
        if (cgroup_resources_apply(cgroup, s->cgroup, stored, s->oci_version) < 0)
                runtime_warning("some old limits of container \"%s\" could not be put back: %s", s->id,
                                fail_message());
        return fail_text(error, "%s", message);
}

static int update_devices(int cgroup, const char *config) {
        _cleanup_spec_ Spec spec = {};
        int r = spec_parse(config, strlen(config), &spec);

        return r < 0 ? r : device_filter_replace(cgroup, &spec);
}

/*
 * After the files, so that systemd is only told what the kernel has taken. It keeps a CPU quota in whole
 * percents, and makes weights of its own for the BFQ scheduler, and has written these: the exact ones are
 * put back.
 */
static int update_unit(const State *s, int cgroup, const Resources *change, json_object *devices) {
        Resources exact = RESOURCES_INIT; /* borrows */
        int r;

        if (!s->scope)
                return 0;
        r = systemd_scope_update(s, change, devices);
        if (r < 0)
                return r;
        exact.cpu_quota = change->cpu_quota;
        exact.cpu_period = change->cpu_period;
        exact.io_weight = change->io_weight;
        exact.io_bfq_weight = change->io_bfq_weight;
        exact.io_weights = change->io_weights;
        exact.n_io_weights = change->n_io_weights;
        return cgroup_resources_write(cgroup, s->cgroup, &exact);
}

static int update(const State *s, json_object *change) {
        _cleanup_json_ json_object *config = NULL;
        _cleanup_resources_ Resources parsed = RESOURCES_INIT;
        bool devices = json_get(change, "devices");
        _cleanup_close_ int cgroup = -EBADF;
        json_object *stored = NULL;
        const char *text;
        int r;

        if ((r = load_stored(s, &config, &stored)) < 0 || (r = resources_complete(change, stored)) < 0 ||
            (r = resources_parse(change, s->oci_version, &parsed)) < 0 ||
            (r = device_filter_check(change)) < 0)
                return r;
        cgroup = cgroup_open(s->cgroup);
        if (cgroup < 0)
                return cgroup;
        r = cgroup_resources_write(cgroup, s->cgroup, &parsed);
        if (r >= 0)
                r = update_unit(s, cgroup, &parsed, devices ? change : NULL);
        if (r < 0)
                return take_back(s, cgroup, stored, r);
        r = resources_merge(stored, change);
        if (r < 0)
                return r;
        text = json_text(config);
        if (!text)
                return -ENOMEM;
        if (devices && (r = update_devices(cgroup, text)) < 0)
                return r;
        r = write_file_at(s->dir_fd, "config.json", text, strlen(text), 0600, WRITE_REPLACE);
        return r < 0 ? fail_errno(r, "store the configuration of %s", s->id) : 0;
}

/** cmd_update - berth-runtime update. */
int cmd_update(const Globals *g, int argc, char **argv) {
        _cleanup_json_ json_object *change = NULL;
        _cleanup_state_ State s = STATE_INIT;
        ContainerStatus status;
        const char *id;
        int r;

        if ((r = parse(argc, argv, &change)) < 0 || (r = command_single_id(argc, argv, optind, &id)) < 0 ||
            (r = state_load(g->root, id, true, &s)) < 0)
                return r;
        status = state_status(&s);
        if (status == STATUS_STOPPED || status == STATUS_CREATING)
                return fail_text(ESRCH, "container not running: \"%s\" is %s", id, status_to_string(status));
        if (!s.cgroup)
                return cgroup_open(s.cgroup);
        return json_object_object_length(change) == 0 ? 0 : update(&s, change);
}
