/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * SELinux contexts of what is mounted: linux.mountLabel, and options that name a context themselves. What is
 * bound keeps the labels that it has, the kernel's views (proc, sysfs, cgroup2) have those of the policy.
 */
#include "mount-label.h"

#include <fcntl.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "../../basic/fd.h"
#include "../../basic/str.h"
#include "../error.h"

#define LABEL_XATTR "security.selinux"

/** mount_label_of - linux.mountLabel for a new file system, or NULL: the kernel's own views have labels of
 * their own, and the instance of mqueue was made with its namespace (mount_label_queues()). */
const char *mount_label_of(const MountContext *c, const SpecMount *m) {
        if (isempty(c->spec->mount_label) || streq(m->type, "proc") || streq(m->type, "sysfs") ||
            streq(m->type, "mqueue") || (m->data && strstr(m->data, "context=")))
                return NULL;
        return c->spec->mount_label;
}

/** mount_data_with_label - for mount(2): @data and, if @label is not NULL, the context, in quotes because it
 * may have commas. */
char *mount_data_with_label(const char *data, const char *label, const char *label_option) {
        if (!label)
                return strdup(strempty(data));
        return str_printf("%s%s%s=\"%s\"", strempty(data), isempty(data) ? "" : ",", label_option, label);
}

/** mount_labels_queues - whether @m is message queues that are to have linux.mountLabel. Those of the host's
 * namespace are not ours to label. */
bool mount_labels_queues(const Spec *s, const SpecMount *m) {
        return !isempty(s->mount_label) && !m->bind && streq(m->type, "mqueue") && s->ns[NS_IPC].present &&
               !s->ipc_is_hosts;
}

/**
 * mount_label_queues - label the directory of message queues. The kernel takes no context for this file
 * system, which was mounted when its namespace was made; queues have the label that the policy gives them.
 * @mount_fd: a mount that is not read-only.
 *
 * Return: 0, or -errno with a message.
 */
int mount_label_queues(const Spec *s, int mount_fd) {
        _cleanup_close_ int fd = openat(mount_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        /* With the zero byte, as libselinux writes it. */
        if (fd < 0 || fsetxattr(fd, LABEL_XATTR, s->mount_label, strlen(s->mount_label) + 1, 0) < 0)
                return fail_errno(errno, "config.json: linux.mountLabel: \"%s\": mount of type mqueue",
                                  s->mount_label);
        return 0;
}

/* Where the option at @s ends: a comma in double quotes is part of it. */
static const char *option_end(const char *s) {
        bool quoted = false;

        for (; *s && (quoted || *s != ','); s++)
                quoted = quoted != (*s == '"');
        return s;
}

/* fsconfig() wants the bare value of what mount(2) wants in quotes. */
static char *option_copy(const char *s, size_t n) {
        const char *value = memchr(s, '=', n);

        if (value && (size_t) (value - s) + 3 <= n && value[1] == '"' && s[n - 1] == '"')
                return str_printf("%.*s%.*s", (int) (value - s + 1), s, (int) (s + n - 1 - (value + 2)),
                                  value + 2);
        return strndup(s, n);
}

/** mount_data_split - the single options of @data, without quotes. @ret: owned by the caller. */
int mount_data_split(const char *data, char ***ret) {
        _cleanup_strv_ char **l = NULL;
        int r = 0;

        if (!strchr(data, '"'))
                return strv_split(data, ',', ret);
        for (const char *s = data; r >= 0 && *s;) {
                const char *end = option_end(s);

                if (end > s)
                        r = strv_consume(&l, option_copy(s, (size_t) (end - s)));
                s = *end ? end + 1 : end;
        }
        if (r >= 0)
                *ret = TAKE_PTR(l);
        return r;
}
