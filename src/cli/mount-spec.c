/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../basic/str.h"
#include "container-options.h"

/* Creates config[key] as an object on first use; borrowed. */
static json_object *object_at(json_object *o, const char *key) {
        json_object *v = json_get(o, key);

        if (v)
                return v;
        v = json_object_new_object();
        return json_set(o, key, v) < 0 ? NULL : v;
}

static json_object *array_at(json_object *o, const char *key) {
        json_object *v = json_get(o, key);

        if (v)
                return v;
        v = json_object_new_array();
        return json_set(o, key, v) < 0 ? NULL : v;
}

/* "./x:/y" and "../x" are relative to us: the engine knows nothing of our working directory. */
static int absolute_source(const char *spec, char **ret) {
        _cleanup_free_ char *cwd = NULL;

        if (spec[0] != '.' || (spec[1] && !strchr("/:", spec[1]) && !startswith(spec, "..")))
                *ret = strdup(spec);
        else {
                cwd = getcwd(NULL, 0);
                if (!cwd)
                        return negative_errno();
                while (*spec == '.') {
                        char *slash = strrchr(cwd, '/');

                        if (startswith(spec, "..") && slash)
                                *slash = 0;
                        spec += strspn(spec, ".");
                        spec += strspn(spec, "/");
                }
                *ret = str_concat(*cwd ? cwd : "/", *spec && *spec != ':' ? "/" : "", spec);
        }
        return *ret ? 0 : -ENOMEM;
}

static int add_volume(Client *c, const char *spec, json_object *config, json_object *host) {
        _cleanup_free_ char *bind = NULL;
        json_object *to;
        int r;

        if (!strchr(spec, ':')) {
                if (spec[0] != '/')
                        return client_fail(c, -EINVAL,
                                           "invalid volume specification: '%s': mount path must be absolute",
                                           spec);
                to = object_at(config, "Volumes");
                return to ? json_set(to, spec, json_object_new_object()) : -ENOMEM;
        }
        if (spec[0] == ':' || endswith(spec, ":"))
                return client_fail(c, -EINVAL, "invalid spec: %s: empty section between colons", spec);
        r = absolute_source(spec, &bind);
        if (r < 0)
                return client_fail(c, r, "cannot resolve '%s': %s", spec, strerror(-r));
        to = array_at(host, "Binds");
        return to ? json_add_str(to, bind) : -ENOMEM;
}

static int add_tmpfs(const char *spec, json_object *host) {
        _cleanup_free_ char *path = strndup(spec, strcspn(spec, ":"));
        const char *colon = strchr(spec, ':');
        json_object *to = object_at(host, "Tmpfs");

        return path && to ? json_set_str(to, path, colon ? colon + 1 : "") : -ENOMEM;
}

static int set_sub_bool(json_object *mount, const char *object, const char *key, const char *value) {
        json_object *o = object_at(mount, object);
        int b = value ? parse_bool(value) : 1;

        return !o ? -ENOMEM : b < 0 ? b : json_set_bool(o, key, b);
}

static int set_tmpfs_size(json_object *mount, const char *value) {
        json_object *o = object_at(mount, "TmpfsOptions");
        int64_t size;
        int r = value ? size_parse(value, &size) : -EINVAL;

        return !o ? -ENOMEM : r < 0 ? r : json_set_int(o, "SizeBytes", size);
}

static int set_tmpfs_mode(json_object *mount, const char *value) {
        json_object *o = object_at(mount, "TmpfsOptions");
        char *end;
        unsigned long mode;

        if (!value || *value < '0' || *value > '7')
                return -EINVAL;
        mode = strtoul(value, &end, 8);
        if (*end || mode > 07777)
                return -EINVAL;
        return o ? json_set_int(o, "Mode", (int64_t) mode) : -ENOMEM;
}

/* Return: 0, -EINVAL for a bad value, -ENOKEY for a key nobody knows. */
static int set_mount_key(json_object *mount, const char *key, const char *value) {
        _cleanup_free_ char *source = NULL;
        int r;

        if (streq(key, "type"))
                return value ? json_set_str(mount, "Type", value) : -EINVAL;
        if (streq(key, "source") || streq(key, "src")) {
                if (!value)
                        return -EINVAL;
                r = absolute_source(value, &source);
                return r < 0 ? r : json_set_str(mount, "Source", source);
        }
        if (streq(key, "target") || streq(key, "dst") || streq(key, "destination"))
                return value ? json_set_str(mount, "Target", value) : -EINVAL;
        if (streq(key, "readonly") || streq(key, "ro")) {
                r = value ? parse_bool(value) : 1;
                return r < 0 ? r : json_set_bool(mount, "ReadOnly", r);
        }
        if (streq(key, "consistency"))
                return value ? json_set_str(mount, "Consistency", value) : -EINVAL;
        if (streq(key, "bind-propagation")) {
                json_object *o = object_at(mount, "BindOptions");

                return !value ? -EINVAL : o ? json_set_str(o, "Propagation", value) : -ENOMEM;
        }
        if (streq(key, "bind-create-src"))
                return set_sub_bool(mount, "BindOptions", "CreateMountpoint", value);
        if (streq(key, "volume-nocopy"))
                return set_sub_bool(mount, "VolumeOptions", "NoCopy", value);
        if (streq(key, "tmpfs-size"))
                return set_tmpfs_size(mount, value);
        if (streq(key, "tmpfs-mode"))
                return set_tmpfs_mode(mount, value);
        return -ENOKEY;
}

static int add_mount(Client *c, const char *spec, json_object *host) {
        _cleanup_json_ json_object *mount = json_object_new_object();
        _cleanup_strv_ char **parts = NULL;
        json_object *to;
        int r;

        r = mount ? json_set_str(mount, "Type", "volume") : -ENOMEM;
        if (r >= 0)
                r = strv_split(spec, ',', &parts);
        if (r < 0)
                return r;
        for (char **p = parts; *p; p++) {
                char *value = strchr(*p, '=');

                if (value)
                        *value++ = 0;
                for (char *k = *p; *k; k++)
                        *k = *k >= 'A' && *k <= 'Z' ? (char) (*k + 'a' - 'A') : *k;
                r = set_mount_key(mount, *p, value);
                if (r == -ENOKEY)
                        return client_fail(
                                        c, -EINVAL,
                                        "invalid argument \"%s\" for \"--mount\" flag: unknown option '%s'",
                                        spec, *p);
                if (r < 0)
                        return client_fail(
                                        c, r,
                                        "invalid argument \"%s\" for \"--mount\" flag: invalid value for '%s'",
                                        spec, *p);
        }
        if (!json_get(mount, "Target"))
                return client_fail(c, -EINVAL,
                                   "invalid argument \"%s\" for \"--mount\" flag: target is required", spec);
        to = array_at(host, "Mounts");
        return to ? json_add(to, TAKE_PTR(mount)) : -ENOMEM;
}

/** mounts_apply - --volume, --tmpfs, --mount and --volumes-from into Config and HostConfig. */
int mounts_apply(Client *c, const ContainerOptions *o, json_object *config, json_object *host) {
        int r = 0;

        for (size_t i = 0; r >= 0 && i < o->volume.n; i++)
                r = add_volume(c, o->volume.items[i], config, host);
        for (size_t i = 0; r >= 0 && i < o->tmpfs.n; i++)
                r = add_tmpfs(o->tmpfs.items[i], host);
        for (size_t i = 0; r >= 0 && i < o->mount.n; i++)
                r = add_mount(c, o->mount.items[i], host);
        if (r >= 0 && o->volumes_from.n > 0)
                r = json_set(host, "VolumesFrom", json_new_strv((char *const *) o->volumes_from.items));
        return r;
}
