/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sysctl.h"

#include "../../basic/str.h"
#include "../error.h"
#include "../mounts/private-proc.h"
#include "../namespaces/namespaces.h"

static const char *const ipc_keys[] = { "kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem",
                                        "kernel.shmall", "kernel.shmmax", "kernel.shmmni",
                                        "kernel.shm_rmid_forced" };

/* "net/ipv4/conf/eth0.1" and "net.ipv4.conf.eth0/1" are the same, as for sysctl(8): the first one of the
 * two separates. */
static char *with_dots(const char *key) {
        char *name = strdup(key);

        if (name && key[strcspn(key, "./")] == '/')
                for (char *p = name; *p; p++)
                        *p = *p == '.' ? '/' : *p == '/' ? '.' : *p;
        return name;
}

static NamespaceKind namespace_of(const char *name) {
        for (size_t i = 0; i < ELEMENTSOF(ipc_keys); i++)
                if (streq(ipc_keys[i], name))
                        return NS_IPC;
        if (startswith(name, "fs.mqueue."))
                return NS_IPC;
        if (startswith(name, "net."))
                return NS_NET;
        if (streq(name, "kernel.domainname"))
                return NS_UTS;
        return startswith(name, "user.") ? NS_USER : _NS_INVALID;
}

/* Two fields, one name: which of them wins would be an accident. */
static int check_domainname(const Spec *s, const char *key, const char *value) {
        if (isempty(s->domainname) || streq(s->domainname, value))
                return 0;
        return fail_text(EINVAL, "config.json: linux.sysctl: \"%s\" conflicts with domainname", key);
}

static int check_key(const Spec *s, const char *key) {
        _cleanup_free_ char *name = with_dots(key);
        NamespaceKind needs;

        if (!name)
                return -ENOMEM;
        if (streq(name, "kernel.hostname"))
                return fail_text(EINVAL, "config.json: linux.sysctl: \"%s\" conflicts with hostname", key);
        if (strstr(name, "..") || name[0] == '.' || name[0] == '/' || strstr(name, "//"))
                return fail_text(EINVAL, "config.json: linux.sysctl: \"%s\" contains an invalid path", key);
        needs = namespace_of(name);
        if (needs == _NS_INVALID)
                return fail_text(EINVAL,
                                 "config.json: linux.sysctl: \"%s\" is not in a separate kernel namespace",
                                 key);
        if (!s->ns[needs].present || namespace_is_ours(s, needs))
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
                if (streq(key, "kernel.domainname") || streq(key, "kernel/domainname"))
                        r = check_domainname(s, key, json_object_get_string(value));
                if (r < 0)
                        return r;
        }
        return 0;
}

static char *key_to_path(const char *key) {
        _cleanup_free_ char *name = with_dots(key);
        char *path = name ? str_concat("sys/", name) : NULL;

        for (char *p = path ? path + strlen("sys/") : NULL; p && *p; p++)
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
