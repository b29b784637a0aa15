/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mount(2), for where the descriptor calls are filtered away (a runtime inside another container), for
 * option values that fsconfig() does not take, and for flags that only it knows. Source and target are still
 * descriptors, named through /proc/self/fd.
 */
#include "mounts-legacy.h"

#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>

#include "../../basic/fd.h"
#include "../../basic/str.h"
#include "../error.h"
#include "../kernel-call.h"
#include "../spec/mount-options.h"
#include "copy-up.h"
#include "mount-label.h"
#include "root-path.h"

#ifndef PROC_SUPER_MAGIC
#define PROC_SUPER_MAGIC 0x9fa0
#endif

typedef char FdPath[32];

static unsigned long attr_to_flags(uint64_t attr) {
        unsigned long flags = 0;

        flags |= attr & MOUNT_ATTR_RDONLY ? MS_RDONLY : 0;
        flags |= attr & MOUNT_ATTR_NOSUID ? MS_NOSUID : 0;
        flags |= attr & MOUNT_ATTR_NODEV ? MS_NODEV : 0;
        flags |= attr & MOUNT_ATTR_NOEXEC ? MS_NOEXEC : 0;
        flags |= attr & MOUNT_ATTR_NODIRATIME ? MS_NODIRATIME : 0;
        flags |= attr & MOUNT_ATTR_NOSYMFOLLOW ? MS_NOSYMFOLLOW : 0;
        if ((attr & MOUNT_ATTR__ATIME) == MOUNT_ATTR_NOATIME)
                flags |= MS_NOATIME;
        if ((attr & MOUNT_ATTR__ATIME) == MOUNT_ATTR_STRICTATIME)
                flags |= MS_STRICTATIME;
        return flags;
}

/* A remount replaces all flags, so those that are to stay must be given again. */
static int current_flags(int fd, unsigned long *ret) {
        static const struct {
                unsigned long have, flag;
        } map[] = {
                { ST_RDONLY, MS_RDONLY },     { ST_NOSUID, MS_NOSUID },   { ST_NODEV, MS_NODEV },
                { ST_NOEXEC, MS_NOEXEC },     { ST_NOATIME, MS_NOATIME }, { ST_NODIRATIME, MS_NODIRATIME },
                { ST_RELATIME, MS_RELATIME },
        };
        struct statvfs fs;

        if (fstatvfs(fd, &fs) < 0)
                return negative_errno();
        *ret = 0;
        for (size_t i = 0; i < ELEMENTSOF(map); i++)
                *ret |= fs.f_flag & map[i].have ? map[i].flag : 0;
        return 0;
}

/* The path of a descriptor can be trusted only if /proc is procfs. */
static int descriptor_path(int fd, FdPath ret) {
        struct statfs fs;

        if (statfs("/proc", &fs) < 0)
                return negative_errno();
        if (fs.f_type != PROC_SUPER_MAGIC)
                return -ENODEV;
        (void) snprintf(ret, sizeof(FdPath), "/proc/self/fd/%d", fd);
        return 0;
}

/** legacy_bind - bind what @source_fd names on what @target_fd names. Return: 0 or -errno. */
int legacy_bind(int source_fd, int target_fd, bool recursive) {
        FdPath source, target;
        int r;

        if ((r = descriptor_path(source_fd, source)) < 0 || (r = descriptor_path(target_fd, target)) < 0)
                return r;
        if (sys_mount(source, target, NULL, MS_BIND | (recursive ? MS_REC : 0), NULL) < 0)
                return negative_errno();
        return 0;
}

/** legacy_new_fs - mount a new file system on what @target_fd names. Return: 0 or -errno. */
int legacy_new_fs(const char *type, const char *source, const char *data, uint64_t attr,
                  unsigned long sb_flags, int target_fd) {
        FdPath target;
        int r = descriptor_path(target_fd, target);

        if (r < 0)
                return r;
        return sys_mount(source, target, type, attr_to_flags(attr) | sb_flags, data) < 0 ? negative_errno()
                                                                                         : 0;
}

/** legacy_set_attr - change flags of the mount whose root @fd names (opened after it was mounted). Return: 0
 * or -errno. */
int legacy_set_attr(int fd, uint64_t set, uint64_t clear) {
        unsigned long flags;
        FdPath path;
        int r;

        if ((r = current_flags(fd, &flags)) < 0 || (r = descriptor_path(fd, path)) < 0)
                return r;
        if (clear & MOUNT_ATTR__ATIME)
                flags &= ~(unsigned long) (MS_NOATIME | MS_RELATIME | MS_STRICTATIME);
        flags = (flags & ~attr_to_flags(clear & ~(uint64_t) MOUNT_ATTR__ATIME)) | attr_to_flags(set);
        if (sys_mount(NULL, path, NULL, MS_REMOUNT | MS_BIND | flags, NULL) < 0)
                return negative_errno();
        return 0;
}

/** legacy_set_propagation - of the mount whose root @fd names. Return: 0 or -errno. */
int legacy_set_propagation(int fd, uint64_t propagation, bool recursive) {
        FdPath path;
        int r = descriptor_path(fd, path);

        if (r < 0)
                return r;
        if (sys_mount(NULL, path, NULL, (unsigned long) propagation | (recursive ? MS_REC : 0), NULL) < 0)
                return negative_errno();
        return 0;
}

static int finish(const MountContext *c, const SpecMount *m, int fd) {
        int r = 0;

        if (c->spec->rootfs_propagation == MS_SHARED && m->propagation == 0 && !m->remount)
                r = legacy_set_propagation(fd, MS_SLAVE, true);
        if (r < 0)
                return fail_errno(r, "propagation of %s", m->destination);
        r = mount_finish(m, fd);
        if (r != -ENOSYS)
                return r;
        if (m->rec_attr_set != 0 || m->rec_attr_clear != 0)
                return fail_text(EOPNOTSUPP, "mount on %s: recursive flags need mount_setattr()",
                                 m->destination);
        r = m->propagation == 0 ? 0 : legacy_set_propagation(fd, m->propagation, m->propagation_recursive);
        return r < 0 ? fail_errno(r, "propagation of %s", m->destination) : 0;
}

/* What is behind the mount now, and what is left to be done there. */
static int complete(const MountContext *c, const SpecMount *m, int covered_fd) {
        _cleanup_close_ int mounted = mount_open_target(c, m, false);
        int r = 0;

        if (mounted < 0)
                return fail_errno(mounted, "mount on %s", m->destination);
        if (mount_labels_queues(c->spec, m))
                r = mount_label_queues(c->spec, mounted);
        if (m->copy_up)
                r = copy_up(covered_fd, mounted, m->data, m->destination);
        if (r < 0)
                return r;
        if (m->bind && (m->attr_set != 0 || m->attr_clear != 0)) {
                r = legacy_set_attr(mounted, m->attr_set, m->attr_clear);
                if (r < 0)
                        return fail_errno(r, "mount flags of %s", m->destination);
        }
        r = finish(c, m, mounted);
        return r < 0 ? r : late_readonly_add(c->late, m, mounted);
}

static int open_bind_source(const MountContext *c, const SpecMount *m) {
        _cleanup_free_ char *path = m->source[0] == '/' ? strdup(m->source) :
                                                          str_concat(c->bundle, "/", m->source);
        int fd;

        if (!path)
                return -ENOMEM;
        fd = open(path, O_PATH | O_CLOEXEC | (m->source_nofollow ? O_NOFOLLOW : 0));
        return fd < 0 ? fail_errno(errno, "mount %s on %s", path, m->destination) : fd;
}

/** mount_legacy - one mount of the spec by mount(2). Return: 0, or -errno with a message. */
int mount_legacy(const MountContext *c, const SpecMount *m) {
        bool cgroup = !m->bind && startswith(m->type, "cgroup"), bind = m->bind;
        _cleanup_close_ int source = -EBADF, target = -EBADF;
        _cleanup_free_ char *data = NULL, *labeled = NULL;
        struct stat st = { .st_mode = S_IFDIR };
        int r;

        if (m->idmap)
                return fail_text(EOPNOTSUPP, "mount on %s: idmap needs the new mount interface",
                                 m->destination);
        if (m->bind)
                source = open_bind_source(c, m);
        else if (cgroup && !c->spec->ns[NS_CGROUP].present) {
                bind = true;
                source = open(c->cgroup_mount, O_PATH | O_DIRECTORY | O_CLOEXEC);
        }
        if (bind && (source < 0 || fstat(source, &st) < 0))
                return source < -1 ? source : fail_errno(errno, "mount on %s: source", m->destination);
        /* Before the destination is made: it looks at what is there. */
        r = mount_data(c, m, &data);
        if (r < 0)
                return r;
        if (!m->bind && !cgroup) {
                labeled = mount_data_with_label(data, mount_label_of(c, m), c->spec->mount_context);
                if (!labeled)
                        return -ENOMEM;
        }
        target = mount_open_target(c, m, true);
        if (target == -ENOENT)
                target = root_path_ensure(c->root_fd, m->destination, S_ISDIR(st.st_mode), 0);
        if (target < 0)
                return fail_errno(target, "mount %s: destination", m->destination);
        r = bind ? legacy_bind(source, target, m->recursive || cgroup) :
                   legacy_new_fs(cgroup ? "cgroup2" : m->type, m->source ?: m->type, labeled,
                                 late_readonly_attr(m), m->sb_flags, target);
        if (r < 0)
                return fail_errno(r, "mount on %s", m->destination);
        if (bind && cgroup) {
                SpecMount as_bind = *m;

                as_bind.bind = true;
                return complete(c, &as_bind, target);
        }
        return complete(c, m, target);
}

/**
 * mount_again - the option "remount": change the mount that is at the destination already, with "bind" its
 * own flags only.
 *
 * Return: 0, or -errno with a message.
 */
int mount_again(const MountContext *c, const SpecMount *m) {
        _cleanup_close_ int fd = mount_open_target(c, m, false);
        FdPath path;
        int r;

        if (fd < 0)
                return fail_errno(fd, "remount %s", m->destination);
        if (m->bind) {
                r = mount_set_attr(fd, m->attr_set, m->attr_clear, false);
                if (r == -ENOSYS)
                        r = legacy_set_attr(fd, m->attr_set, m->attr_clear);
        } else {
                r = descriptor_path(fd, path);
                if (r >= 0 && sys_mount(isempty(m->source) ? NULL : m->source, path, NULL,
                                        MS_REMOUNT | attr_to_flags(m->attr_set) | m->sb_flags, m->data) < 0)
                        r = negative_errno();
        }
        return r < 0 ? fail_errno(r, "remount %s", m->destination) : finish(c, m, fd);
}
