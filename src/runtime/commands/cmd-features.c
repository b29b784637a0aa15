/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>

#include "../error.h"
#include "../process/caps.h"
#include "../process/memory-policy.h"
#include "../seccomp/seccomp-filter.h"
#include "../spec/mount-options.h"
#include "../spec/spec.h"
#include "command.h"

static json_object *new_array(const char *const *names, size_t n) {
        json_object *a = json_object_new_array();

        for (size_t i = 0; a && i < n; i++)
                if (names[i] && json_add_str(a, names[i]) < 0) {
                        json_object_put(a);
                        return NULL;
                }
        return a;
}

static json_object *new_enabled(bool enabled) {
        json_object *o = json_object_new_object();

        return o && json_set_bool(o, "enabled", enabled) >= 0 ? o : NULL;
}

static int add_seccomp(json_object *linux_object) {
        json_object *o = new_enabled(true);
        const char *names[64], *supported[16];
        size_t n, n_supported = 0;
        int r;

        r = json_set(linux_object, "seccomp", o);
        if (r >= 0)
                r = json_set(o, "actions", new_array(names, seccomp_action_names(names, ELEMENTSOF(names))));
        if (r >= 0)
                r = json_set(o, "operators",
                             new_array(names, seccomp_operator_names(names, ELEMENTSOF(names))));
        if (r >= 0)
                r = json_set(o, "archs", new_array(names, seccomp_arch_names(names, ELEMENTSOF(names))));
        n = seccomp_flag_names(names, ELEMENTSOF(names));
        for (size_t i = 0; i < n && n_supported < ELEMENTSOF(supported); i++)
                if (seccomp_flag_is_supported(names[i]))
                        supported[n_supported++] = names[i];
        if (r >= 0)
                r = json_set(o, "knownFlags", new_array(names, n));
        return r >= 0 ? json_set(o, "supportedFlags", new_array(supported, n_supported)) : r;
}

static int add_memory_policy(json_object *linux_object) {
        json_object *o = json_object_new_object();
        int r = json_set(linux_object, "memoryPolicy", o);

        if (r >= 0)
                r = json_set(o, "modes", new_array(memory_policy_modes, MEMORY_POLICY_MODES));
        return r >= 0 ? json_set(o, "flags", new_array(memory_policy_flags, MEMORY_POLICY_FLAGS)) : r;
}

static int add_linux(json_object *root) {
        json_object *o = json_object_new_object(), *cgroup = json_object_new_object(), *ext, *idmap;
        const char *caps[64];
        int r;

        r = json_set(root, "linux", o);
        for (unsigned i = 0; i < caps_last(); i++)
                caps[i] = caps_name(i);
        if (r >= 0)
                r = json_set(o, "namespaces", new_array(namespace_names, _NS_MAX));
        if (r >= 0)
                r = json_set(o, "capabilities", new_array(caps, caps_last()));
        if (r >= 0)
                r = json_set(o, "cgroup", cgroup);
        if (r < 0 || (r = json_set_bool(cgroup, "v1", false)) < 0 ||
            (r = json_set_bool(cgroup, "v2", true)) < 0 ||
            (r = json_set_bool(cgroup, "systemd", true)) < 0 ||
            (r = json_set_bool(cgroup, "systemdUser", true)) < 0 ||
            (r = json_set_bool(cgroup, "rdma", true)) < 0 || (r = add_seccomp(o)) < 0 ||
            (r = json_set(o, "apparmor", new_enabled(true))) < 0 ||
            (r = json_set(o, "selinux", new_enabled(true))) < 0 ||
            (r = json_set(o, "netDevices", new_enabled(true))) < 0 || (r = add_memory_policy(o)) < 0 ||
            (r = json_set(o, "intelRdt", new_enabled(false))) < 0)
                return r;
        ext = json_object_new_object();
        idmap = new_enabled(true);
        r = json_set(o, "mountExtensions", ext);
        return r >= 0 ? json_set(ext, "idmap", idmap) : r;
}

/** cmd_features - berth-runtime features. */
int cmd_features(const Globals *g, int argc, char **argv) {
        _cleanup_json_ json_object *root = json_object_new_object();
        json_object *annotations = json_object_new_object();
        /* What an engine must not let its users set: one that ends in a dot is a prefix. */
        static const char *const unsafe_annotations[] = { "org.systemd.property.", "run.oci." };
        const char *options[128];
        int r;

        if (argc > 1)
                return command_usage(argv[0], "expected no arguments");
        if ((r = json_set(root, "annotations", annotations)) < 0 ||
            (r = json_set_str(root, "ociVersionMin", "1.0.0")) < 0 ||
            (r = json_set_str(root, "ociVersionMax", "1.3.0")) < 0 ||
            (r = json_set(root, "potentiallyUnsafeConfigAnnotations",
                          new_array(unsafe_annotations, ELEMENTSOF(unsafe_annotations)))) < 0 ||
            (r = json_set(root, "hooks", new_array(hook_names, _HOOK_MAX))) < 0 ||
            (r = json_set(root, "mountOptions",
                          new_array(options, mount_options_known(options, ELEMENTSOF(options))))) < 0 ||
            (r = add_linux(root)) < 0 ||
            (r = json_set_str(annotations, "org.berth.runtime.version", BERTH_VERSION)) < 0 ||
            (r = json_set_str(annotations, "org.berth.runtime.checkpoint.enabled", "true")) < 0)
                return r;
        (void) puts(json_object_to_json_string_ext(root, JSON_C_TO_STRING_PRETTY |
                                                                         JSON_C_TO_STRING_NOSLASHESCAPE));
        return 0;
}
