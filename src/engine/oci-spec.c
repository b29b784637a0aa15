/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Builds oci.json from the merged request. What is known at start only (process.user, HOME, cgroupsPath,
 * paths of joined namespaces) is filled in by berth-shim-setup.
 */
#include <ctype.h>

#include "../basic/json.h"
#include "../basic/str.h"
#include "create.h"
#include "oci-devices.h"
#include "oci-mounts.h"
#include "oci-seccomp.h"

/* The oldest that has all we write: crun 1.8 (Debian 12) refuses what it does not know. */
#define OCI_VERSION "1.0.2"

static int put_limits(const CreateContext *c, json_object *process) {
        json_object *limits = json_get(c->host, "Ulimits"), *out;
        int r;

        if (!limits || json_object_array_length(limits) == 0)
                return 0;
        out = json_object_new_array();
        r = json_set(process, "rlimits", out);
        for (size_t i = 0; r >= 0 && i < json_object_array_length(limits); i++) {
                json_object *l = json_object_array_get_idx(limits, i), *o = json_object_new_object();
                char name[32] = "RLIMIT_";
                const char *s = json_string_or(l, "Name", "");

                for (size_t n = 7; *s && n < sizeof(name) - 1; s++, n++)
                        name[n] = (char) toupper((unsigned char) *s);
                r = json_add(out, o);
                if (r >= 0)
                        r = json_set_str(o, "type", name);
                /* -1 is "no limit", which the kernel spells as the largest number. */
                if (r >= 0)
                        r = json_set(o, "hard",
                                     json_object_new_uint64(
                                                     (uint64_t) json_object_get_int64(json_get(l, "Hard"))));
                if (r >= 0)
                        r = json_set(o, "soft",
                                     json_object_new_uint64(
                                                     (uint64_t) json_object_get_int64(json_get(l, "Soft"))));
        }
        return r;
}

static int put_capabilities(const CreateContext *c, json_object *process) {
        static const char *const sets[] = { "bounding", "effective", "permitted" };
        json_object *o = json_object_new_object();
        int r = json_set(process, "capabilities", o);

        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(sets); i++)
                r = json_set(o, sets[i], capability_set_to_json(c->capabilities));
        if (r >= 0)
                r = json_set(o, "inheritable", json_object_new_array());
        if (r >= 0)
                r = json_set(o, "ambient", json_object_new_array());
        return r;
}

static int put_console_size(const CreateContext *c, json_object *process) {
        json_object *size = json_get(c->host, "ConsoleSize"), *o;
        int64_t height, width;
        int r;

        if (!c->tty || !size || json_object_array_length(size) != 2)
                return 0;
        height = json_object_get_int64(json_object_array_get_idx(size, 0));
        width = json_object_get_int64(json_object_array_get_idx(size, 1));
        if (height <= 0 || width <= 0)
                return 0;
        o = json_object_new_object();
        r = json_set(process, "consoleSize", o);
        if (r >= 0)
                r = json_set_int(o, "height", height);
        return r >= 0 ? json_set_int(o, "width", width) : r;
}

static int put_process(const CreateContext *c, json_object *spec) {
        json_object *process = json_object_new_object(), *user = NULL;
        const char *cwd = json_string_or(c->config, "WorkingDir", "");
        int64_t score = 0;
        int r;

        (void) json_get_int(c->host, "OomScoreAdj", -1000, 1000, &score);
        r = json_set(spec, "process", process);
        if (r >= 0)
                r = json_set_bool(process, "terminal", c->tty);
        if (r >= 0)
                r = put_console_size(c, process);
        if (r >= 0)
                r = json_set(process, "user", user = json_object_new_object());
        if (r >= 0)
                r = json_set_int(user, "uid", 0);
        if (r >= 0)
                r = json_set_int(user, "gid", 0);
        if (r >= 0)
                r = json_set(process, "args", json_new_strv(c->argv));
        if (r >= 0)
                r = json_set(process, "env", json_new_strv(c->env));
        if (r >= 0)
                r = json_set_str(process, "cwd", isempty(cwd) ? "/" : cwd);
        if (r >= 0)
                r = put_capabilities(c, process);
        if (r >= 0)
                r = put_limits(c, process);
        if (r >= 0)
                r = json_set_bool(process, "noNewPrivileges", c->no_new_privileges);
        return r >= 0 ? json_set_int(process, "oomScoreAdj", score) : r;
}

static int put_namespaces(const CreateContext *c, json_object *linux_section) {
        const struct {
                const char *type;
                bool host;
        } all[] = {
                { "pid", streq(json_string_or(c->host, "PidMode", ""), "host") },
                { "network", streq(c->network, "host") },
                { "ipc", streq(json_string_or(c->host, "IpcMode", ""), "host") },
                { "uts", streq(json_string_or(c->host, "UTSMode", ""), "host") },
                { "mount", false },
                { "cgroup", streq(json_string_or(c->host, "CgroupnsMode", ""), "host") },
        };
        json_object *list = json_object_new_array();
        int r = json_set(linux_section, "namespaces", list);

        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(all); i++) {
                json_object *o;

                if (all[i].host)
                        continue;
                o = json_object_new_object();
                r = json_add(list, o);
                if (r >= 0)
                        r = json_set_str(o, "type", all[i].type);
        }
        return r;
}

static bool is_ipc_sysctl(const char *name) {
        static const char *const names[] = {
                "kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem",
                "kernel.shmall", "kernel.shmmax", "kernel.shmmni", "kernel.shm_rmid_forced",
        };

        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                if (streq(names[i], name))
                        return true;
        return startswith(name, "fs.mqueue.");
}

static int check_sysctl(const CreateContext *c, const char *name, EngineError *reterr) {
        if (strpbrk(name, "/ \t\n") || strstr(name, ".."))
                return error_set(reterr, -EINVAL, "sysctl '%s' is not allowed", name);
        if (startswith(name, "net.")) {
                if (streq(c->network, "host"))
                        return error_set(reterr, -EINVAL,
                                         "sysctl '%s' not allowed in host network namespace", name);
                return 0;
        }
        if (is_ipc_sysctl(name)) {
                if (streq(json_string_or(c->host, "IpcMode", ""), "host"))
                        return error_set(reterr, -EINVAL, "sysctl '%s' not allowed in host ipc namespace",
                                         name);
                return 0;
        }
        return error_set(reterr, -EINVAL, "sysctl '%s' is not allowed: it is not namespaced", name);
}

static int put_sysctls(const CreateContext *c, json_object *linux_section, EngineError *reterr) {
        json_object *user = json_get(c->host, "Sysctls"), *out = json_object_new_object();
        bool own_network = !streq(c->network, "host") && !startswith(c->network, "container:");
        int r = json_set(linux_section, "sysctl", out);

        /* A network of its own has nobody to protect from unprivileged ports and pings. */
        if (r >= 0 && own_network)
                r = json_set_str(out, "net.ipv4.ip_unprivileged_port_start", "0");
        if (r >= 0 && own_network)
                r = json_set_str(out, "net.ipv4.ping_group_range", "0 2147483647");
        if (r < 0 || !user)
                return r;
        json_object_object_foreach(user, name, value) {
                r = check_sysctl(c, name, reterr);
                if (r >= 0)
                        r = json_set(out, name, json_object_get(value));
                if (r < 0)
                        return r;
        }
        return 0;
}

static int put_devices(const CreateContext *c, json_object *linux_section, EngineError *reterr) {
        json_object *nodes, *rules, *resources;
        int r;

        r = oci_devices(c->host, c->privileged, &nodes, &rules, reterr);
        if (r < 0)
                return r;
        r = json_set(linux_section, "devices", nodes);
        resources = json_object_new_object();
        if (r < 0 || json_set(linux_section, "resources", resources) < 0) {
                json_object_put(rules);
                return -ENOMEM;
        }
        return json_set(resources, "devices", rules);
}

static int put_seccomp(const CreateContext *c, json_object *linux_section, EngineError *reterr) {
        json_object *o = NULL;
        int r;

        if (c->seccomp_unconfined)
                return 0;
        r = c->seccomp ? seccomp_expand_text(c->seccomp, c->capabilities, &o, reterr) :
                         seccomp_default(c->capabilities, &o, reterr);
        return r < 0 ? r : json_set(linux_section, "seccomp", o);
}

static int put_paths(const CreateContext *c, json_object *linux_section) {
        static const char *const keys[][2] = { { "MaskedPaths", "maskedPaths" },
                                               { "ReadonlyPaths", "readonlyPaths" } };

        for (size_t i = 0; i < ELEMENTSOF(keys); i++) {
                json_object *v = json_get(c->host, keys[i][0]);
                int r = v ? json_set(linux_section, keys[i][1], json_object_get(v)) : 0;

                if (r < 0)
                        return r;
        }
        return 0;
}

static int put_linux(const CreateContext *c, json_object *spec, EngineError *reterr) {
        json_object *o = json_object_new_object();
        int r = json_set(spec, "linux", o);

        if (r >= 0)
                r = put_namespaces(c, o);
        if (r >= 0)
                r = put_sysctls(c, o, reterr);
        if (r >= 0)
                r = put_devices(c, o, reterr);
        if (r >= 0)
                r = put_paths(c, o);
        return r >= 0 ? put_seccomp(c, o, reterr) : r;
}

static int put_root(const CreateContext *c, json_object *spec) {
        json_object *o = json_object_new_object();
        bool readonly = false;
        int r = json_set(spec, "root", o);

        (void) json_get_bool(c->host, "ReadonlyRootfs", &readonly);
        if (r >= 0)
                r = json_set_str(o, "path", "rootfs");
        return r >= 0 ? json_set_bool(o, "readonly", readonly) : r;
}

/** create_oci_spec - new reference in @ret. Return: 0, -EINVAL, -EOPNOTSUPP, -ENOMEM, ... */
int create_oci_spec(CreateContext *c, json_object **ret, EngineError *reterr) {
        _cleanup_json_ json_object *spec = json_object_new_object();
        const char *domain = json_string_or(c->config, "Domainname", "");
        json_object *mounts, *annotations = json_get(c->host, "Annotations");
        int r;

        if (!spec)
                return -ENOMEM;
        r = json_set_str(spec, "ociVersion", OCI_VERSION);
        if (r >= 0)
                r = put_process(c, spec);
        if (r >= 0)
                r = put_root(c, spec);
        if (r >= 0 && !streq(json_string_or(c->host, "UTSMode", ""), "host")) {
                r = json_set_str(spec, "hostname", json_string_or(c->config, "Hostname", ""));
                if (r >= 0 && !isempty(domain))
                        r = json_set_str(spec, "domainname", domain);
        }
        if (r >= 0)
                r = oci_mounts(c, &mounts);
        if (r >= 0)
                r = json_set(spec, "mounts", mounts);
        if (r >= 0 && annotations)
                r = json_set(spec, "annotations", json_object_get(annotations));
        if (r >= 0)
                r = put_linux(c, spec, reterr);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(spec);
        return 0;
}
