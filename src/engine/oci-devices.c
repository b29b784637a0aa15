/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "oci-devices.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "../basic/fd.h"
#include "../basic/json.h"
#include "../basic/str.h"
#include "mount-spec.h"

#define DEVICES_MAX 4096
#define DEPTH_MAX 8

/* Nothing, then: mknod of anything (using it is another matter), the standard devices, terminals. */
static const char default_rules[] =
        "[{\"allow\":false,\"access\":\"rwm\"},"
        "{\"allow\":true,\"type\":\"c\",\"access\":\"m\"},"
        "{\"allow\":true,\"type\":\"b\",\"access\":\"m\"},"
        "{\"allow\":true,\"type\":\"c\",\"major\":1,\"minor\":3,\"access\":\"rwm\"},"
        "{\"allow\":true,\"type\":\"c\",\"major\":1,\"minor\":5,\"access\":\"rwm\"},"
        "{\"allow\":true,\"type\":\"c\",\"major\":1,\"minor\":7,\"access\":\"rwm\"},"
        "{\"allow\":true,\"type\":\"c\",\"major\":1,\"minor\":8,\"access\":\"rwm\"},"
        "{\"allow\":true,\"type\":\"c\",\"major\":1,\"minor\":9,\"access\":\"rwm\"},"
        "{\"allow\":true,\"type\":\"c\",\"major\":5,\"minor\":0,\"access\":\"rwm\"},"
        "{\"allow\":true,\"type\":\"c\",\"major\":5,\"minor\":1,\"access\":\"rwm\"},"
        "{\"allow\":true,\"type\":\"c\",\"major\":5,\"minor\":2,\"access\":\"rwm\"},"
        "{\"allow\":true,\"type\":\"c\",\"major\":136,\"access\":\"rwm\"}]";

typedef struct Devices {
        json_object *nodes;
        json_object *rules;
} Devices;

static int add_rule(json_object *rules, char type, int64_t major, int64_t minor, const char *access) {
        json_object *o = json_object_new_object();
        char text[2] = { type, 0 };
        int r = json_add(rules, o);

        if (r >= 0)
                r = json_set_bool(o, "allow", true);
        if (r >= 0 && type != 'a')
                r = json_set_str(o, "type", text);
        if (r >= 0 && major >= 0)
                r = json_set_int(o, "major", major);
        if (r >= 0 && minor >= 0)
                r = json_set_int(o, "minor", minor);
        return r >= 0 ? json_set_str(o, "access", access) : r;
}

/* @access NULL: node only. Return: 1, 0 when @st is no device, -errno. */
static int add_device(Devices *d, const char *path, const struct stat *st, const char *access) {
        bool block = S_ISBLK(st->st_mode);
        json_object *o;
        int r;

        if (!block && !S_ISCHR(st->st_mode))
                return 0;
        if (json_object_array_length(d->nodes) >= DEVICES_MAX)
                return -E2BIG;
        o = json_object_new_object();
        r = json_add(d->nodes, o);
        if (r >= 0)
                r = json_set_str(o, "path", path);
        if (r >= 0)
                r = json_set_str(o, "type", block ? "b" : "c");
        if (r >= 0)
                r = json_set_int(o, "major", major(st->st_rdev));
        if (r >= 0)
                r = json_set_int(o, "minor", minor(st->st_rdev));
        if (r >= 0)
                r = json_set_int(o, "fileMode", st->st_mode & 0777);
        if (r >= 0)
                r = json_set_int(o, "uid", st->st_uid);
        if (r >= 0)
                r = json_set_int(o, "gid", st->st_gid);
        if (r >= 0 && access)
                r = add_rule(d->rules, block ? 'b' : 'c', major(st->st_rdev), minor(st->st_rdev), access);
        return r < 0 ? r : 1;
}

/* What a container has of its own, and what is no device of the machine. */
static bool skip_in_dev(const char *name) {
        static const char *const names[] = { ".",      "..",   "pts",         "shm",   "fd",
                                             "mqueue", ".lxc", ".lxd-mounts", ".udev", "console" };

        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                if (streq(names[i], name))
                        return true;
        return false;
}

static int add_tree(Devices *d, int parent_fd, const char *name, const char *path, const char *access,
                    unsigned depth) {
        struct dirent *e;
        DIR *dir;
        int fd, r = 0;

        fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | (depth > 0 ? O_NOFOLLOW : 0));
        if (fd < 0)
                return negative_errno();
        dir = fdopendir(fd);
        if (!dir) {
                r = negative_errno();
                safe_close(fd);
                return r;
        }
        while (r >= 0 && (e = readdir(dir))) {
                _cleanup_free_ char *child = NULL;
                struct stat st;

                if (skip_in_dev(e->d_name) || fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                        continue;
                child = str_concat(path, "/", e->d_name);
                if (!child)
                        r = -ENOMEM;
                else if (S_ISDIR(st.st_mode))
                        r = depth < DEPTH_MAX ? add_tree(d, fd, e->d_name, child, access, depth + 1) : 0;
                else
                        r = add_device(d, child, &st, access);
        }
        (void) closedir(dir);
        return r < 0 ? r : 0;
}

static int add_requested(Devices *d, json_object *request, EngineError *reterr) {
        const char *host = json_string_or(request, "PathOnHost", ""),
                   *inside = json_string_or(request, "PathInContainer", "");
        const char *access = json_string_or(request, "CgroupPermissions", "");
        _cleanup_free_ char *path = NULL;
        struct stat st;
        int r;

        if (isempty(access))
                access = "rwm";
        if (strlen(access) > 3 || strspn(access, "rwm") != strlen(access))
                return error_set(reterr, -EINVAL, "invalid device mode: %s", access);
        if (isempty(inside))
                inside = host;
        if (host[0] != '/' || inside[0] != '/')
                return error_set(reterr, -EINVAL, "bad format for path: %s", host);
        path = path_clean(inside);
        if (!path)
                return -ENOMEM;
        r = stat(host, &st) < 0 ? negative_errno() : 0;
        if (r >= 0)
                r = S_ISDIR(st.st_mode) ? add_tree(d, AT_FDCWD, host, path, access, 0)
                                        : add_device(d, path, &st, access);
        if (r == 0 && !S_ISDIR(st.st_mode))
                return error_set(
                                reterr, -EINVAL,
                                "error gathering device information while adding custom device \"%s\": "
                                "not a device node",
                                host);
        if (r < 0 && r != -ENOMEM)
                return error_set(reterr, -EINVAL,
                                 "error gathering device information while adding custom device \"%s\": %s",
                                 host, r == -ENOENT ? "no such file or directory" : strerrordesc_np(-r));
        return r < 0 ? r : 0;
}

static int parse_number(const char *s, int64_t *ret) {
        if (streq(s, "*")) {
                *ret = -1;
                return 0;
        }
        return parse_i64(s, 0, UINT32_MAX, ret);
}

/* "c 13:* rwm" */
static int add_cgroup_rule(json_object *rules, const char *text, EngineError *reterr) {
        _cleanup_strv_ char **parts = NULL;
        int64_t major_number, minor_number;
        char *colon;
        int r;

        r = strv_split(text, ' ', &parts);
        if (r < 0)
                return r;
        colon = strv_length(parts) == 3 ? strchr(parts[1], ':') : NULL;
        if (!colon || strlen(parts[0]) != 1 || !strchr("acb", parts[0][0]) || strlen(parts[2]) > 3 ||
            strspn(parts[2], "rwm") != strlen(parts[2]))
                return error_set(reterr, -EINVAL, "invalid device cgroup rule format: '%s'", text);
        *colon = 0;
        if (parse_number(parts[1], &major_number) < 0 || parse_number(colon + 1, &minor_number) < 0)
                return error_set(reterr, -EINVAL, "invalid device cgroup rule format: '%s'", text);
        return add_rule(rules, parts[0][0], major_number, minor_number, parts[2]);
}

static int collect(Devices *d, json_object *host_config, bool privileged, EngineError *reterr) {
        json_object *devices = json_get(host_config, "Devices"),
                    *rules = json_get(host_config, "DeviceCgroupRules");
        int r = 0;

        /* Docker too leaves the user's list to a privileged container aside: it has every device already. */
        if (privileged)
                return add_tree(d, AT_FDCWD, "/dev", "/dev", NULL, 0);
        for (size_t i = 0; r >= 0 && devices && i < json_object_array_length(devices); i++)
                r = add_requested(d, json_object_array_get_idx(devices, i), reterr);
        for (size_t i = 0; r >= 0 && rules && i < json_object_array_length(rules); i++)
                r = add_cgroup_rule(d->rules, json_object_get_string(json_object_array_get_idx(rules, i)),
                                    reterr);
        return r;
}

/** oci_devices - see oci-devices.h; new references. Return: 0, -EINVAL, -E2BIG, -ENOMEM. */
int oci_devices(json_object *host_config, bool privileged, json_object **ret_nodes, json_object **ret_rules,
                EngineError *reterr) {
        static const char all[] = "[{\"allow\":true,\"access\":\"rwm\"}]";
        _cleanup_json_ json_object *nodes = json_object_new_array(), *rules = NULL;
        Devices d;
        int r;

        r = nodes ? json_parse(privileged ? all : default_rules,
                               privileged ? sizeof(all) - 1 : sizeof(default_rules) - 1, &rules)
                  : -ENOMEM;
        if (r < 0)
                return r;
        d = (Devices) { nodes, rules };
        r = collect(&d, host_config, privileged, reterr);
        if (r < 0)
                return r;
        *ret_nodes = TAKE_PTR(nodes);
        *ret_rules = TAKE_PTR(rules);
        return 0;
}
