/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sysctl.h"

#include "../basic/str.h"
#include "error.h"
#include "private-proc.h"

static const char *const ipc_keys[] = { "kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem",
                                        "kernel.shmall", "kernel.shmmax", "kernel.shmmni",
                                        "kernel.shm_rmid_forced" };

static int check_key(const Spec *s, const char *key) {
        NamespaceKind needs = _NS_INVALID;

        if (streq(key, "kernel.hostname"))
                return fail_text(EINVAL, "config.json: linux.sysctl: \"%s\" conflicts with hostname", key);
        if (strstr(key, "..") || strchr(key, '/') == key)
                return fail_text(EINVAL, "config.json: linux.sysctl: \"%s\" is not a name", key);
        for (size_t i = 0; i < ELEMENTSOF(ipc_keys); i++)
                if (streq(ipc_keys[i], key))
                        needs = NS_IPC;
        if (startswith(key, "fs.mqueue."))
                needs = NS_IPC;
        else if (startswith(key, "net.") || startswith(key, "net/"))
                needs = NS_NET;
        else if (streq(key, "kernel.domainname"))
                needs = NS_UTS;
        else if (startswith(key, "user."))
                needs = NS_USER;
        if (needs == _NS_INVALID)
                return fail_text(EINVAL,
                                 "config.json: linux.sysctl: \"%s\" is not in a separate kernel namespace",
                                 key);
        if (!s->ns[needs].present)
                return fail_text(EINVAL, "config.json: linux.sysctl: \"%s\" needs a %s namespace of its own",
                                 key, namespace_names[needs]);
        return 0;
}

/** sysctl_check - refuse what would change the host. Return: 0, or -EINVAL with the key in the message. */
int sysctl_check(const Spec *s) {
        if (!s->sysctl)
                return 0;
        json_object_object_foreach(s->sysctl, key, value) {
                int r = check_key(s, key);

                if (r < 0)
                        return r;
                if (!json_object_is_type(value, json_type_string))
                        return fail_text(EINVAL, "config.json: linux.sysctl: \"%s\": expected a string",
                                         key);
        }
        return 0;
}

/* "net.ipv4.conf.eth0/1.x": dots separate unless slashes do, as for sysctl(8). */
static char *key_to_path(const char *key) {
        char *path = str_concat("sys/", key);
        size_t first = strcspn(key, "./");

        if (path && key[first] == '.')
                for (char *p = path + strlen("sys/"); *p; p++)
                        *p = *p == '.' ? '/' : *p == '/' ? '.' : *p;
        return path;
}

/** sysctl_apply - write the keys, from inside the namespaces. Return: 0, or -errno with a message. */
int sysctl_apply(const Spec *s) {
        if (!s->sysctl)
                return 0;
        json_object_object_foreach(s->sysctl, key, value) {
                _cleanup_free_ char *path = key_to_path(key);
                int r;

                if (!path)
                        return -ENOMEM;
                r = private_proc_write(path, json_object_get_string(value));
                if (r == -EINVAL && strstr(key, "ping_group_range") && s->ns[NS_USER].present)
                        return fail_text(
                                        r,
                                        "set sysctl %s to \"%s\": not a range of groups that are mapped in the user namespace",
                                        key, json_object_get_string(value));
                if (r < 0)
                        return fail_errno(r, "set sysctl %s", key);
        }
        return 0;
}
