/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A container that sees its cgroup writable and as the root of all cgroups may make cgroups of its own below
 * it (systemd does), also as root of a user namespace: runtime-spec, config-linux, "cgroup ownership". Only
 * the files that the kernel names for delegation change hands, none that holds a limit.
 */
#include "cgroup-owner.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <unistd.h>

#include "../../basic/file.h"
#include "../../basic/str.h"
#include "../error.h"

#define DELEGATE "/sys/kernel/cgroup/delegate"

/* Return: whether a cgroup mount of its own is writable. */
static bool wants_owner(const Spec *s) {
        bool writable = false;

        if (!spec_has_new(s, NS_CGROUP))
                return false;
        for (size_t i = 0; i < s->n_mounts; i++) {
                const SpecMount *m = &s->mounts[i];

                if (!m->bind && (streq(m->type, "cgroup") || streq(m->type, "cgroup2")))
                        writable = !((m->attr_set | m->rec_attr_set) & MOUNT_ATTR_RDONLY);
        }
        return writable;
}

/* Return: 0 with the host's id of the payload's user, or -ENOENT when it is mapped by nobody we know. */
static int host_uid(const Spec *s, uid_t *ret) {
        uint32_t inside = s->process.uid;

        if (!s->ns[NS_USER].present) {
                *ret = inside;
                return 0;
        }
        for (size_t i = 0; i < s->n_uid_maps; i++) {
                const SpecIdMap *m = &s->uid_maps[i];

                if (inside >= m->inside && inside - m->inside < m->size) {
                        *ret = m->outside + (inside - m->inside);
                        return 0;
                }
        }
        return -ENOENT;
}

/* A kernel may not have all of the files. */
static int give(int cgroup_fd, const char *file, uid_t uid) {
        int flags = isempty(file) ? AT_EMPTY_PATH : AT_SYMLINK_NOFOLLOW;

        if (fchownat(cgroup_fd, file, uid, (gid_t) -1, flags) >= 0 || errno == ENOENT)
                return 0;
        /* What was delegated to an ordinary user is that user's to give to its own ids only. */
        if (errno == EPERM && geteuid() != 0)
                return 0;
        return fail_errno(errno, "give %s of the cgroup to user %u", isempty(file) ? "the directory" : file,
                          uid);
}

/**
 * cgroup_owner_apply - let the payload's user make cgroups in its own one, where it can see it writable.
 *
 * Return: 0 or -errno with a message.
 */
int cgroup_owner_apply(int cgroup_fd, const Spec *s) {
        _cleanup_free_ char *files = NULL;
        uid_t uid;
        int r;

        if (!wants_owner(s) || host_uid(s, &uid) < 0 || uid == geteuid())
                return 0;
        r = give(cgroup_fd, "", uid);
        if (r >= 0 && read_file_at(AT_FDCWD, DELEGATE, 64 * 1024, &files, NULL) < 0) {
                files = strdup("cgroup.procs\ncgroup.subtree_control\ncgroup.threads\n");
                if (!files)
                        return -ENOMEM;
        }
        for (char *p = files, *line; r >= 0 && (line = strsep(&p, "\n"));)
                if (*line && !strchr(line, '/'))
                        r = give(cgroup_fd, line, uid);
        return r;
}
