/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "oci-mounts.h"

#include "../basic/json.h"
#include "../basic/str.h"

typedef struct DefaultMount {
        const char *destination;
        const char *type;
        const char *source;
        const char *options;
} DefaultMount;

static const DefaultMount default_mounts[] = {
        { "/proc", "proc", "proc", "nosuid,noexec,nodev" },
        { "/dev", "tmpfs", "tmpfs", "nosuid,strictatime,mode=755,size=65536k" },
        { "/dev/pts", "devpts", "devpts", "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5" },
        { "/sys", "sysfs", "sysfs", "nosuid,noexec,nodev,ro" },
        { "/sys/fs/cgroup", "cgroup", "cgroup", "ro,nosuid,noexec,nodev" },
        { "/dev/mqueue", "mqueue", "mqueue", "nosuid,noexec,nodev" },
};

static int add_mount(json_object *mounts, const char *destination, const char *type, const char *source,
                     const char *options) {
        _cleanup_strv_ char **words = NULL;
        json_object *o;
        int r;

        r = strv_split(options, ',', &words);
        if (r < 0)
                return r;
        o = json_object_new_object();
        r = json_add(mounts, o);
        if (r >= 0)
                r = json_set_str(o, "destination", destination);
        if (r >= 0)
                r = json_set_str(o, "type", type);
        if (r >= 0)
                r = json_set_str(o, "source", source);
        return r >= 0 ? json_set(o, "options", json_new_strv(words)) : r;
}

/* A mount of the user's at the place, or over all of /dev, takes the default's away. */
static bool is_taken(const CreateContext *c, const char *destination) {
        if (mount_specs_find(&c->mounts, destination))
                return true;
        return startswith(destination, "/dev/") && mount_specs_find(&c->mounts, "/dev");
}

static int add_defaults(const CreateContext *c, json_object *mounts) {
        bool host_ipc = streq(json_string_or(c->host, "IpcMode", ""), "host");

        for (size_t i = 0; i < ELEMENTSOF(default_mounts); i++) {
                const DefaultMount *m = &default_mounts[i];
                int r;

                if (is_taken(c, m->destination))
                        continue;
                if (host_ipc && streq(m->type, "mqueue"))
                        r = add_mount(mounts, m->destination, "bind", m->destination,
                                      "rbind,rprivate,nosuid,noexec,nodev");
                else if (c->privileged && streq(m->type, "sysfs"))
                        r = add_mount(mounts, m->destination, m->type, m->source, "nosuid,noexec,nodev,rw");
                else if (c->privileged && streq(m->type, "cgroup"))
                        r = add_mount(mounts, m->destination, m->type, m->source, "rw,nosuid,noexec,nodev");
                else
                        r = add_mount(mounts, m->destination, m->type, m->source, m->options);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int add_shm(const CreateContext *c, json_object *mounts) {
        const char *ipc = json_string_or(c->host, "IpcMode", "");
        _cleanup_free_ char *options = NULL;
        int64_t size = 0;

        if (streq(ipc, "none") || is_taken(c, "/dev/shm"))
                return 0;
        if (streq(ipc, "host"))
                return add_mount(mounts, "/dev/shm", "bind", "/dev/shm",
                                 "rbind,rprivate,nosuid,noexec,nodev");
        (void) json_get_int(c->host, "ShmSize", 1, INT64_MAX, &size);
        options = str_printf("nosuid,noexec,nodev,mode=1777,size=%lld", (long long) size);
        return options ? add_mount(mounts, "/dev/shm", "tmpfs", "shm", options) : -ENOMEM;
}

/* A container that joins another's network shares these files with it. */
static int add_own_files(const CreateContext *c, json_object *mounts) {
        static const char *const names[] = { "resolv.conf", "hostname", "hosts" };
        const char *peer = startswith(c->network, "container:");
        bool readonly = false;

        (void) json_get_bool(c->host, "ReadonlyRootfs", &readonly);
        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                _cleanup_free_ char *destination = str_concat("/etc/", names[i]), *source = NULL;
                int r;

                source = str_concat(BERTH_CONTAINERS_DIR "/", peer ?: c->id, "/", names[i]);
                if (!destination || !source)
                        return -ENOMEM;
                if (is_taken(c, destination))
                        continue;
                r = add_mount(mounts, destination, "bind", source,
                              readonly ? "rbind,rprivate,ro" : "rbind,rprivate");
                if (r < 0)
                        return r;
        }
        return 0;
}

/** oci_private_directory - see oci-mounts.h. Return: new string or NULL. */
char *oci_private_directory(size_t n) {
        return str_printf("volumes/%zu", n);
}

static int add_private_directories(const CreateContext *c, json_object *mounts) {
        for (size_t i = 0; c->directories && c->directories[i]; i++) {
                _cleanup_free_ char *name = oci_private_directory(i), *source = NULL;
                int r;

                source = name ? str_concat(BERTH_CONTAINERS_DIR "/", c->id, "/", name) : NULL;
                r = source ? add_mount(mounts, c->directories[i], "bind", source, "rbind,rprivate")
                           : -ENOMEM;
                if (r < 0)
                        return r;
        }
        return 0;
}

/** oci_mounts - see oci-mounts.h. Return: 0 or -ENOMEM. */
int oci_mounts(CreateContext *c, json_object **ret) {
        _cleanup_json_ json_object *mounts = json_object_new_array();
        int r;

        if (!mounts)
                return -ENOMEM;
        r = add_defaults(c, mounts);
        if (r >= 0)
                r = add_shm(c, mounts);
        if (r >= 0)
                r = add_own_files(c, mounts);
        if (r >= 0)
                r = add_private_directories(c, mounts);
        if (r >= 0)
                r = mount_specs_to_oci(&c->mounts, mounts);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(mounts);
        return 0;
}
