/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "../error.h"
#include "../kernel-call.h"
#include "../runtime-log.h"
#include "resources-spelling.h"
#include "spec.h"

const char *const namespace_names[_NS_MAX] = {
        [NS_USER] = "user", [NS_CGROUP] = "cgroup", [NS_IPC] = "ipc",     [NS_UTS] = "uts",
        [NS_NET] = "network", [NS_PID] = "pid",     [NS_MOUNT] = "mount", [NS_TIME] = "time",
};

static int parse_namespaces(json_object *o, Spec *s) {
        json_object *a;
        size_t n;
        int r;

        r = spec_array(o, "linux", "namespaces", &a, &n);
        if (r < 0)
                return r;
        for (size_t i = 0; i < n; i++) {
                json_object *ns = json_object_array_get_idx(a, i);
                const char *type = json_string_or(ns, "type", "");
                NamespaceKind kind = _NS_INVALID;

                for (NamespaceKind k = 0; k < _NS_MAX; k++)
                        if (streq(namespace_names[k], type))
                                kind = k;
                if (kind < 0)
                        return fail_text(EINVAL, "config.json: linux.namespaces: unknown type \"%s\"", type);
                if (s->ns[kind].present)
                        return fail_text(EINVAL, "config.json: linux.namespaces: \"%s\" given twice", type);
                s->ns[kind].present = true;
                r = spec_string(ns, "linux.namespaces", "path", &s->ns[kind].path);
                if (r < 0)
                        return r;
                if (s->ns[kind].path && !s->ns[kind].path[0])
                        s->ns[kind].path = NULL;
                if (s->ns[kind].path && s->ns[kind].path[0] != '/')
                        return fail_text(EINVAL,
                                         "config.json: linux.namespaces: path of \"%s\" is not absolute",
                                         type);
        }
        return 0;
}

static int parse_device(json_object *o, SpecDevice *ret) {
        int64_t major = -1, minor = -1, mode = 0666, uid = 0, gid = 0;
        const char *type = json_string_or(o, "type", "");
        mode_t kind;

        if (spec_string(o, "linux.devices", "path", &ret->path) < 0 ||
            spec_int(o, "linux.devices", "major", 0, UINT32_MAX, &major) < 0 ||
            spec_int(o, "linux.devices", "minor", 0, UINT32_MAX, &minor) < 0 ||
            spec_int(o, "linux.devices", "fileMode", 0, 0177777, &mode) < 0 ||
            spec_int(o, "linux.devices", "uid", 0, UINT32_MAX - 1, &uid) < 0 ||
            spec_int(o, "linux.devices", "gid", 0, UINT32_MAX - 1, &gid) < 0)
                return -EINVAL;
        if (isempty(ret->path) || ret->path[0] != '/')
                return fail_text(EINVAL, "config.json: linux.devices.path: expected an absolute path");
        if (streq(type, "c") || streq(type, "u"))
                kind = S_IFCHR;
        else if (streq(type, "b"))
                kind = S_IFBLK;
        else if (streq(type, "p"))
                kind = S_IFIFO;
        else
                return fail_text(EINVAL, "config.json: linux.devices: %s: unknown type \"%s\"", ret->path,
                                 type);
        if (kind == S_IFIFO)
                major = minor = 0;
        if (major < 0 || minor < 0)
                return fail_text(EINVAL, "config.json: linux.devices: %s: expected major and minor",
                                 ret->path);
        ret->mode = kind | (mode_t) (mode & 07777);
        ret->dev = makedev((unsigned) major, (unsigned) minor);
        ret->uid = (uid_t) uid;
        ret->gid = (gid_t) gid;
        return 0;
}

static int parse_devices(json_object *o, Spec *s) {
        json_object *a;
        size_t n;
        int r;

        r = spec_array(o, "linux", "devices", &a, &n);
        if (r <= 0 || n == 0)
                return r;
        s->devices = new0(SpecDevice, n);
        if (!s->devices)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                r = parse_device(json_object_array_get_idx(a, i), &s->devices[i]);
                if (r < 0)
                        return r;
                s->n_devices = i + 1;
        }
        return 0;
}

static int parse_propagation(json_object *o, Spec *s) {
        const char *name = NULL;
        int r;

        r = spec_string(o, "linux", "rootfsPropagation", &name);
        if (r < 0)
                return r;
        s->rootfs_propagation_recursive = !isempty(name) && name[0] == 'r';
        if (isempty(name))
                s->rootfs_propagation = 0;
        else if (streq(name, "private") || streq(name, "rprivate"))
                s->rootfs_propagation = MS_PRIVATE;
        else if (streq(name, "slave") || streq(name, "rslave"))
                s->rootfs_propagation = MS_SLAVE;
        else if (streq(name, "shared") || streq(name, "rshared"))
                s->rootfs_propagation = MS_SHARED;
        else if (streq(name, "unbindable") || streq(name, "runbindable"))
                s->rootfs_propagation = MS_UNBINDABLE;
        else
                return fail_text(EINVAL, "config.json: linux.rootfsPropagation: unknown value \"%s\"", name);
        return 0;
}

/* What is refused rather than half done. */
static int refuse_unsupported(json_object *o) {
        json_object *v = json_get(o, "intelRdt");

        if (v && !(json_object_is_type(v, json_type_object) && json_object_object_length(v) == 0))
                return fail_text(EOPNOTSUPP, "config.json: linux.intelRdt: not supported");
        return 0;
}

/* Without any mapping the container's id 0 is the caller's own, and there is no other: as with crun. */
static int map_own_id(Spec *s) {
        s->uid_maps = new(SpecIdMap, 1);
        s->gid_maps = new(SpecIdMap, 1);
        if (!s->uid_maps || !s->gid_maps)
                return -ENOMEM;
        s->uid_maps[0] = (SpecIdMap) { 0, geteuid(), 1 };
        s->gid_maps[0] = (SpecIdMap) { 0, getegid(), 1 };
        s->n_uid_maps = s->n_gid_maps = 1;
        return 0;
}

/**
 * spec_linux_parse - the linux object of config.json into @s.
 *
 * Return: 0, -EINVAL or -EOPNOTSUPP with the field in fail_message(), -ENOMEM.
 */
int spec_linux_parse(json_object *o, Spec *s) {
        int r;

        if ((r = refuse_unsupported(o)) < 0 || (r = parse_namespaces(o, s)) < 0 ||
            (r = parse_devices(o, s)) < 0 || (r = spec_net_devices_parse(o, s)) < 0 ||
            (r = parse_propagation(o, s)) < 0)
                return r;
        if ((r = spec_id_maps(o, "linux", "uidMappings", &s->uid_maps, &s->n_uid_maps)) < 0 ||
            (r = spec_id_maps(o, "linux", "gidMappings", &s->gid_maps, &s->n_gid_maps)) < 0 ||
            (r = spec_string(o, "linux", "cgroupsPath", &s->cgroups_path)) < 0 ||
            (r = spec_string(o, "linux", "mountLabel", &s->mount_label)) < 0 ||
            (r = resources_respell(o)) < 0 ||
            (r = spec_object(o, "linux", "resources", &s->resources)) < 0 ||
            (r = spec_object(o, "linux", "seccomp", &s->seccomp)) < 0 ||
            (r = spec_object(o, "linux", "sysctl", &s->sysctl)) < 0 ||
            (r = spec_object(o, "linux", "timeOffsets", &s->time_offsets)) < 0 ||
            (r = spec_object(o, "linux", "personality", &s->personality)) < 0 ||
            (r = spec_object(o, "linux", "memoryPolicy", &s->memory_policy)) < 0 ||
            (r = spec_strv(o, "linux", "maskedPaths", &s->masked)) < 0 ||
            (r = spec_strv(o, "linux", "readonlyPaths", &s->readonly_paths)) < 0)
                return r;
        if (spec_has_new(s, NS_USER)) {
                if (s->n_uid_maps == 0 && s->n_gid_maps == 0 && (r = map_own_id(s)) < 0)
                        return r;
                if (s->n_uid_maps == 0 || s->n_gid_maps == 0)
                        return fail_text(EINVAL,
                                         "config.json: linux: a user namespace needs both uidMappings "
                                         "and gidMappings, or neither");
        }
        /* As with crun and runc, whose callers rely on it. */
        if (!s->ns[NS_USER].present && (s->n_uid_maps > 0 || s->n_gid_maps > 0)) {
                runtime_warning("linux.uidMappings and gidMappings have no effect without a user namespace");
                s->n_uid_maps = s->n_gid_maps = 0;
        }
        if (s->time_offsets && !spec_has_new(s, NS_TIME))
                return fail_text(EINVAL, "config.json: linux.timeOffsets: needs a new time namespace");
        return 0;
}
