/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "caps.h"

#include <linux/capability.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../error.h"
#include "../runtime-log.h"

static const char *const names[] = {
        [CAP_CHOWN] = "CAP_CHOWN",
        [CAP_DAC_OVERRIDE] = "CAP_DAC_OVERRIDE",
        [CAP_DAC_READ_SEARCH] = "CAP_DAC_READ_SEARCH",
        [CAP_FOWNER] = "CAP_FOWNER",
        [CAP_FSETID] = "CAP_FSETID",
        [CAP_KILL] = "CAP_KILL",
        [CAP_SETGID] = "CAP_SETGID",
        [CAP_SETUID] = "CAP_SETUID",
        [CAP_SETPCAP] = "CAP_SETPCAP",
        [CAP_LINUX_IMMUTABLE] = "CAP_LINUX_IMMUTABLE",
        [CAP_NET_BIND_SERVICE] = "CAP_NET_BIND_SERVICE",
        [CAP_NET_BROADCAST] = "CAP_NET_BROADCAST",
        [CAP_NET_ADMIN] = "CAP_NET_ADMIN",
        [CAP_NET_RAW] = "CAP_NET_RAW",
        [CAP_IPC_LOCK] = "CAP_IPC_LOCK",
        [CAP_IPC_OWNER] = "CAP_IPC_OWNER",
        [CAP_SYS_MODULE] = "CAP_SYS_MODULE",
        [CAP_SYS_RAWIO] = "CAP_SYS_RAWIO",
        [CAP_SYS_CHROOT] = "CAP_SYS_CHROOT",
        [CAP_SYS_PTRACE] = "CAP_SYS_PTRACE",
        [CAP_SYS_PACCT] = "CAP_SYS_PACCT",
        [CAP_SYS_ADMIN] = "CAP_SYS_ADMIN",
        [CAP_SYS_BOOT] = "CAP_SYS_BOOT",
        [CAP_SYS_NICE] = "CAP_SYS_NICE",
        [CAP_SYS_RESOURCE] = "CAP_SYS_RESOURCE",
        [CAP_SYS_TIME] = "CAP_SYS_TIME",
        [CAP_SYS_TTY_CONFIG] = "CAP_SYS_TTY_CONFIG",
        [CAP_MKNOD] = "CAP_MKNOD",
        [CAP_LEASE] = "CAP_LEASE",
        [CAP_AUDIT_WRITE] = "CAP_AUDIT_WRITE",
        [CAP_AUDIT_CONTROL] = "CAP_AUDIT_CONTROL",
        [CAP_SETFCAP] = "CAP_SETFCAP",
        [CAP_MAC_OVERRIDE] = "CAP_MAC_OVERRIDE",
        [CAP_MAC_ADMIN] = "CAP_MAC_ADMIN",
        [CAP_SYSLOG] = "CAP_SYSLOG",
        [CAP_WAKE_ALARM] = "CAP_WAKE_ALARM",
        [CAP_BLOCK_SUSPEND] = "CAP_BLOCK_SUSPEND",
        [CAP_AUDIT_READ] = "CAP_AUDIT_READ",
        [CAP_PERFMON] = "CAP_PERFMON",
        [CAP_BPF] = "CAP_BPF",
        [CAP_CHECKPOINT_RESTORE] = "CAP_CHECKPOINT_RESTORE",
};

/** caps_name - "CAP_..." or NULL. */
const char *caps_name(unsigned cap) {
        return cap < ELEMENTSOF(names) ? names[cap] : NULL;
}

/** caps_last - one past the highest capability this build has a name for. */
unsigned caps_last(void) {
        return ELEMENTSOF(names);
}

/** caps_add - add a capability by name, with or without CAP_. The spec wants unknown ones warned about and
 * left out. */
void caps_add(uint64_t *set, const char *name) {
        const char *bare = strncasecmp(name, "CAP_", 4) == 0 ? name + 4 : name;

        for (unsigned i = 0; i < ELEMENTSOF(names); i++)
                if (strcasecmp(names[i] + 4, bare) == 0) {
                        *set |= UINT64_C(1) << i;
                        return;
                }
        runtime_warning("ignoring unknown capability \"%s\"", name);
}

/** caps_any - whether this thread holds, or could pass on, any capability at all. */
bool caps_any(void) {
        struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
        struct __user_cap_data_struct d[2] = {};

        return syscall(SYS_capget, &header, d) < 0 ||
               (d[0].permitted | d[1].permitted | d[0].inheritable | d[1].inheritable) != 0;
}

/** caps_have - whether @cap is in the effective set of this thread. */
bool caps_have(unsigned cap) {
        struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
        struct __user_cap_data_struct data[2] = {};

        return syscall(SYS_capget, &header, data) >= 0 && (data[cap / 32].effective & (1U << (cap % 32)));
}

/** caps_raise - have those of @set in the effective set that are in the permitted one. */
int caps_raise(uint64_t set) {
        struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
        struct __user_cap_data_struct data[2] = {};

        if (syscall(SYS_capget, &header, data) < 0)
                return fail_errno(errno, "capget");
        for (unsigned i = 0; i < 2; i++)
                data[i].effective |= data[i].permitted & (uint32_t) (set >> (32 * i));
        return syscall(SYS_capset, &header, data) < 0 ? fail_errno(errno, "capset") : 0;
}

/**
 * caps_drop_bounding - take everything that is not in the bounding set out of it. Needs CAP_SETPCAP, so it
 * comes before anything else is dropped.
 */
int caps_drop_bounding(const uint64_t caps[_CAP_SET_MAX]) {
        for (unsigned i = 0; i < 64; i++) {
                if (caps[CAP_SET_BOUNDING] & (UINT64_C(1) << i))
                        continue;
                if (prctl(PR_CAPBSET_DROP, i, 0, 0, 0) >= 0)
                        continue;
                if (errno == EINVAL) /* past the kernel's last capability */
                        break;
                return fail_errno(errno, "drop capability %u from the bounding set", i);
        }
        return 0;
}

static int get_permitted(uint64_t *ret) {
        struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
        struct __user_cap_data_struct data[2] = {};

        if (syscall(SYS_capget, &header, data) < 0)
                return fail_errno(errno, "capget");
        *ret = (uint64_t) data[1].permitted << 32 | data[0].permitted;
        return 0;
}

/* @possible: the kernel refuses all others. */
static int raise_ambient(uint64_t wanted, uint64_t possible) {
        for (unsigned i = 0; i < 64; i++) {
                if (!(wanted & (UINT64_C(1) << i)))
                        continue;
                if (!(possible & (UINT64_C(1) << i)))
                        runtime_warning("can't raise ambient capability %s: not permitted and inheritable",
                                        strempty(caps_name(i)));
                else if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, i, 0, 0) < 0)
                        return fail_errno(errno, "raise ambient capability %u", i);
        }
        return 0;
}

/**
 * caps_apply - set permitted, effective, inheritable, then ambient. What the caller itself does not hold
 * cannot be given (a host without CAP_SYS_RESOURCE, say): it is left out with a warning, as asking for less
 * is safe.
 * @kept: capabilities to hold on to until execve(), which takes away whatever the other sets do not give.
 */
int caps_apply(const uint64_t caps[_CAP_SET_MAX], uint64_t kept) {
        struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
        struct __user_cap_data_struct data[2] = {};
        uint64_t held = 0, permitted, effective, inheritable, missing;
        int r;

        r = get_permitted(&held);
        if (r < 0)
                return r;
        permitted = caps[CAP_SET_PERMITTED] & held;
        effective = caps[CAP_SET_EFFECTIVE] & permitted;
        inheritable = caps[CAP_SET_INHERITABLE] & (held | permitted);
        missing = (caps[CAP_SET_PERMITTED] & ~permitted) | (caps[CAP_SET_EFFECTIVE] & ~effective);
        if (missing != 0)
                runtime_warning("capabilities %#llx cannot be granted and are left out",
                                (unsigned long long) missing);
        kept &= held;
        for (unsigned i = 0; i < 2; i++) {
                data[i].permitted = (uint32_t) ((permitted | kept) >> (32 * i));
                data[i].effective = (uint32_t) ((effective | kept) >> (32 * i));
                data[i].inheritable = (uint32_t) (inheritable >> (32 * i));
        }
        if (syscall(SYS_capset, &header, data) < 0)
                return fail_errno(errno, "capset");
        if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
                return fail_errno(errno, "clear ambient capabilities");
        return raise_ambient(caps[CAP_SET_AMBIENT], permitted & inheritable);
}
