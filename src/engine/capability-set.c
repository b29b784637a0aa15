/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "capability-set.h"

#include <fcntl.h>
#include <strings.h>

#include "../basic/file.h"
#include "../basic/json.h"
#include "../basic/str.h"

/* By number, linux/capability.h. */
static const char *const capability_names[] = {
        "CAP_CHOWN",           "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER",
        "CAP_FSETID",          "CAP_KILL",         "CAP_SETGID",          "CAP_SETUID",
        "CAP_SETPCAP",         "CAP_LINUX_IMMUTABLE", "CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST",
        "CAP_NET_ADMIN",       "CAP_NET_RAW",      "CAP_IPC_LOCK",        "CAP_IPC_OWNER",
        "CAP_SYS_MODULE",      "CAP_SYS_RAWIO",    "CAP_SYS_CHROOT",      "CAP_SYS_PTRACE",
        "CAP_SYS_PACCT",       "CAP_SYS_ADMIN",    "CAP_SYS_BOOT",        "CAP_SYS_NICE",
        "CAP_SYS_RESOURCE",    "CAP_SYS_TIME",     "CAP_SYS_TTY_CONFIG",  "CAP_MKNOD",
        "CAP_LEASE",           "CAP_AUDIT_WRITE",  "CAP_AUDIT_CONTROL",   "CAP_SETFCAP",
        "CAP_MAC_OVERRIDE",    "CAP_MAC_ADMIN",    "CAP_SYSLOG",          "CAP_WAKE_ALARM",
        "CAP_BLOCK_SUSPEND",   "CAP_AUDIT_READ",   "CAP_PERFMON",         "CAP_BPF",
        "CAP_CHECKPOINT_RESTORE",
};

static const char *const default_names[] = {
        "CHOWN",  "DAC_OVERRIDE", "FSETID",  "FOWNER",           "MKNOD",      "NET_RAW", "SETGID",
        "SETUID", "SETFCAP",      "SETPCAP", "NET_BIND_SERVICE", "SYS_CHROOT", "KILL",    "AUDIT_WRITE",
};

/** capability_from_string - number of a capability, -EINVAL for no such name. */
int capability_from_string(const char *s) {
        if (strncasecmp(s, "CAP_", 4) == 0)
                s += 4;
        for (size_t i = 0; i < ELEMENTSOF(capability_names); i++)
                if (strcasecmp(capability_names[i] + 4, s) == 0)
                        return (int) i;
        return -EINVAL;
}

/** capability_to_string - see capability-set.h. */
const char *capability_to_string(int cap) {
        return cap >= 0 && (size_t) cap < ELEMENTSOF(capability_names) ? capability_names[cap] : NULL;
}

/* What PID 1 may hand down: on a machine that is itself in a box this is less than the kernel knows. */
static CapabilitySet machine_bounds(void) {
        _cleanup_free_ char *text = NULL;
        const char *line;

        if (read_file_at(AT_FDCWD, "/proc/1/status", 64 * 1024, &text, NULL) < 0)
                return UINT64_MAX;
        line = strstr(text, "\nCapBnd:");
        return line ? strtoull(line + strlen("\nCapBnd:"), NULL, 16) : UINT64_MAX;
}

/** capability_set_all - every capability that this kernel, this machine and this program know. */
CapabilitySet capability_set_all(void) {
        static CapabilitySet all;
        _cleanup_free_ char *text = NULL;
        uint64_t last = ELEMENTSOF(capability_names) - 1, n;

        if (all)
                return all;
        if (read_file_at(AT_FDCWD, "/proc/sys/kernel/cap_last_cap", 32, &text, NULL) >= 0) {
                text[strcspn(text, "\n")] = 0;
                if (parse_u64(text, 63, &n) >= 0 && n < last)
                        last = n;
        }
        all = ((UINT64_C(1) << (last + 1)) - 1) & machine_bounds();
        return all;
}

/** capability_set_default - the fourteen that a container gets when nobody says otherwise. */
CapabilitySet capability_set_default(void) {
        CapabilitySet set = 0;

        for (size_t i = 0; i < ELEMENTSOF(default_names); i++)
                set |= UINT64_C(1) << capability_from_string(default_names[i]);
        return set & capability_set_all();
}

static int parse_list(json_object *list, const char *option, CapabilitySet *ret, bool *ret_all,
                      EngineError *reterr) {
        CapabilitySet set = 0;
        bool all = false;

        for (size_t i = 0; list && i < json_object_array_length(list); i++) {
                const char *s = json_object_get_string(json_object_array_get_idx(list, i));
                char upper[64];
                size_t n = 0;
                int cap;

                if (strcasecmp(s, "ALL") == 0) {
                        all = true;
                        continue;
                }
                cap = capability_from_string(s);
                if (cap >= 0 && streq(option, "CapAdd") && !(capability_set_all() & (UINT64_C(1) << cap)))
                        return error_set(reterr, -EINVAL,
                                         "invalid CapAdd: capability not supported by your kernel or not "
                                         "available in the current environment: \"%s\"",
                                         capability_names[cap]);
                if (cap < 0) {
                        for (; s[n] && n < sizeof(upper) - 1; n++)
                                upper[n] = s[n] >= 'a' && s[n] <= 'z' ? (char) (s[n] - 'a' + 'A') : s[n];
                        upper[n] = 0;
                        return error_set(reterr, -EINVAL, "invalid %s: unknown capability: \"%s%s\"", option,
                                         startswith(upper, "CAP_") ? "" : "CAP_", upper);
                }
                set |= UINT64_C(1) << cap;
        }
        *ret = set;
        *ret_all = all;
        return 0;
}

/**
 * capability_set_tweak - Docker's rules: privileged has all; adding ALL leaves out only what is dropped;
 * dropping ALL leaves only what is added; else drop first, then add.
 *
 * Return: 0 or -EINVAL with Docker's text.
 */
int capability_set_tweak(json_object *add, json_object *drop, bool privileged, CapabilitySet *ret,
                         EngineError *reterr) {
        CapabilitySet added, dropped;
        bool add_all, drop_all;
        int r;

        r = parse_list(add, "CapAdd", &added, &add_all, reterr);
        if (r < 0)
                return r;
        r = parse_list(drop, "CapDrop", &dropped, &drop_all, reterr);
        if (r < 0)
                return r;
        if (privileged)
                *ret = capability_set_all();
        else if (add_all)
                *ret = capability_set_all() & ~dropped;
        else if (drop_all)
                *ret = added;
        else
                *ret = (capability_set_default() & ~dropped) | added;
        return 0;
}

/** capability_set_to_json - a new array of names, NULL on ENOMEM. */
json_object *capability_set_to_json(CapabilitySet set) {
        _cleanup_json_ json_object *a = json_object_new_array();

        if (!a)
                return NULL;
        for (size_t i = 0; i < ELEMENTSOF(capability_names); i++)
                if ((set & (UINT64_C(1) << i)) && json_add_str(a, capability_names[i]) < 0)
                        return NULL;
        return TAKE_PTR(a);
}
