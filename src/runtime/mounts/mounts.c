/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The mounts of config.json, by descriptors: each is made detached, gets its flags while nobody can see it,
 * and is then moved onto an O_PATH descriptor that was looked up inside the root. No path is used twice.
 */
#include "mounts.h"

#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>

#include "../../basic/fd.h"
#include "../../basic/str.h"
#include "../error.h"
#include "../kernel-call.h"
#include "../namespaces/idmap.h"
#include "../namespaces/rootless.h"
#include "../runtime-log.h"
#include "copy-up.h"
#include "mount-label.h"
#include "mounts-legacy.h"
#include "root-path.h"

/* fsconfig() takes at most 255 bytes of a value. */
#define FSCONFIG_VALUE_MAX 255

static int fs_option(int fs_fd, const char *option) {
        const char *eq = strchr(option, '=');
        _cleanup_free_ char *key = NULL;

        if (!eq)
                return sys_fsconfig(fs_fd, FSCONFIG_SET_FLAG, option, NULL, 0) < 0 ? negative_errno() : 0;
        if (strlen(eq + 1) > FSCONFIG_VALUE_MAX)
                return -E2BIG;
        key = strndup(option, (size_t) (eq - option));
        if (!key)
                return -ENOMEM;
        return sys_fsconfig(fs_fd, FSCONFIG_SET_STRING, key, eq + 1, 0) < 0 ? negative_errno() : 0;
}

/* The kernel explains itself in the log of the context: "e tmpfs: Bad value for 'size'". */
static int fs_failure(int fs_fd, int error, const char *type, const char *what) {
        char text[256];
        ssize_t n;

        n = read(fs_fd, text, sizeof(text) - 1);
        if (n <= 2)
                return fail_errno(error, "mount of type %s: %s", type, what);
        text[n] = 0;
        text[strcspn(text, "\n")] = 0;
        return fail_errno(error, "mount of type %s: %s", type, text + 2);
}

/**
 * mount_new_labeled - a new instance of file system @type, detached.
 * @source, @data: may be NULL; @data is a comma separated list.
 * @label: SELinux context of its files, or NULL.
 * @label_option: the option that takes it: "context" and the like.
 *
 * Return: a mount descriptor, -E2BIG for a value the new interface does not take, or -errno with a message.
 */
int mount_new_labeled(const char *type, const char *source, const char *data, const char *label,
                      const char *label_option, unsigned attr) {
        _cleanup_close_ int fs_fd = -EBADF;
        _cleanup_strv_ char **options = NULL;
        int fd, r;

        fs_fd = sys_fsopen(type, FSOPEN_CLOEXEC);
        if (fs_fd < 0)
                return fail_errno(errno, "mount of type %s", type);
        if (source && sys_fsconfig(fs_fd, FSCONFIG_SET_STRING, "source", source, 0) < 0)
                return fs_failure(fs_fd, errno, type, "source");
        if (data) {
                r = mount_data_split(data, &options);
                if (r < 0)
                        return r;
        }
        for (char **o = options; o && *o; o++) {
                r = fs_option(fs_fd, *o);
                if (r < 0)
                        return r == -E2BIG ? r : fs_failure(fs_fd, r, type, *o);
        }
        if (label && sys_fsconfig(fs_fd, FSCONFIG_SET_STRING, label_option, label, 0) < 0)
                return fail_errno(errno, "config.json: linux.mountLabel: \"%s\": mount of type %s", label,
                                  type);
        if (sys_fsconfig(fs_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
                return fs_failure(fs_fd, errno, type, "create");
        fd = sys_fsmount(fs_fd, FSMOUNT_CLOEXEC, attr);
        return fd < 0 ? fs_failure(fs_fd, errno, type, "fsmount") : fd;
}

/** mount_new_fs - as mount_new_labeled(), without a label. */
int mount_new_fs(const char *type, const char *source, const char *data, unsigned attr) {
        return mount_new_labeled(type, source, data, NULL, NULL, attr);
}

/** mount_clone - a detached bind mount of @path; @flags: AT_RECURSIVE, AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH.
 * Return: fd or -errno. */
int mount_clone(int dir_fd, const char *path, unsigned flags) {
        int fd = sys_open_tree(dir_fd, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | flags);

        return fd < 0 ? negative_errno() : fd;
}

/** mount_attach - put a detached mount on what @target_fd (O_PATH) names. Return: 0 or -errno. */
int mount_attach(int mount_fd, int target_fd) {
        if (sys_move_mount(mount_fd, "", target_fd, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) <
            0)
                return negative_errno();
        return 0;
}

/** mount_set_attr - change MOUNT_ATTR_ flags of the mount that @fd names. Return: 0 or -errno. */
int mount_set_attr(int fd, uint64_t set, uint64_t clear, bool recursive) {
        struct mount_attr attr = { .attr_set = set, .attr_clr = clear };

        if (set == 0 && clear == 0)
                return 0;
        if (sys_mount_setattr(fd, "", AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0), &attr) < 0)
                return negative_errno();
        return 0;
}

/** mount_set_propagation - 0 changes nothing. Return: 0 or -errno. */
int mount_set_propagation(int fd, uint64_t propagation, bool recursive) {
        struct mount_attr attr = { .propagation = propagation };

        if (propagation == 0)
                return 0;
        if (sys_mount_setattr(fd, "", AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0), &attr) < 0)
                return negative_errno();
        return 0;
}

/* Return: O_PATH of a symbolic link, -EINVAL for anything else that is there, or -errno. */
static int open_symlink(const char *path) {
        _cleanup_close_ int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        struct stat st;

        if (fd < 0 || fstat(fd, &st) < 0)
                return negative_errno();
        return S_ISLNK(st.st_mode) ? TAKE_FD(fd) : -EINVAL;
}

/* In a mount namespace by path symbolic links are whoever's lives there. */
static int open_foreign(const SpecMount *m, const char *source) {
        _cleanup_close_ int fd = root_path_open(AT_FDCWD, source, 0);
        int r = fd < 0 ? fd : mount_clone(fd, "", AT_EMPTY_PATH | (m->recursive ? AT_RECURSIVE : 0));

        return r < 0 ? fail_errno(r, "mount %s on %s", source, m->destination) : r;
}

static int open_source(const SpecMount *m, const char *bundle, bool foreign) {
        _cleanup_free_ char *joined = NULL;
        const char *source = m->source;
        int fd;

        if (source[0] != '/') {
                joined = str_concat(bundle, "/", source);
                if (!joined)
                        return -ENOMEM;
                source = joined;
        }
        if (m->copy_symlink) {
                fd = open_symlink(source);
                if (fd != -EINVAL)
                        return fd < 0 ? fail_errno(fd, "symbolic link %s", source) : fd;
        }
        if (foreign)
                return open_foreign(m, source);
        fd = mount_clone(AT_FDCWD, source,
                         (m->recursive ? AT_RECURSIVE : 0) | (m->source_nofollow ? AT_SYMLINK_NOFOLLOW : 0));
        if (fd == -ENOSYS)
                return fd;
        return fd < 0 ? fail_errno(fd, "mount %s on %s", source, m->destination) : fd;
}

/* An ordinary user may clone mounts inside its user namespace only, and in a mount namespace by path are
 * other files than here; but what is ours is here. */
static bool is_opened_early(const Spec *s, const SpecMount *m) {
        bool for_user_ns = s->ns[NS_USER].present && geteuid() == 0;

        if (!m->bind || m->remount || (m->inside_source && !m->idmap))
                return false;
        return m->idmap || (s->ns[NS_MOUNT].path ? m->source == s->notify_source : for_user_ns);
}

static int fail_idmap(const SpecMount *m) {
        return fail_text(EOPNOTSUPP, "mount on %s: idmap needs the new mount interface", m->destination);
}

/* Return: the source, id-mapped, or what it is to be id-mapped by; -ENOSYS without a message. */
static int open_early(const Spec *s, const SpecMount *m, const char *bundle) {
        _cleanup_close_ int fd = -EBADF, user_fd = -EBADF;
        int r;

        if (m->inside_source)
                return idmap_namespace(s, m);
        fd = open_source(m, bundle, false);
        if (fd == -ENOSYS && m->idmap)
                return fail_idmap(m);
        if (fd < 0 || !m->idmap)
                return TAKE_FD(fd);
        user_fd = idmap_namespace(s, m);
        r = user_fd < 0 ? user_fd : idmap_apply(m, fd, user_fd);
        return r < 0 ? r : TAKE_FD(fd);
}

/**
 * mounts_open_sources - open the sources that only the parent can: for a user namespace (the mapped root may
 * not reach them), and id-mapped ones.
 * @ret: array of spec->n_mounts descriptors, -EBADF where the child is to open it; owned by the caller; NULL
 * if none.
 */
int mounts_open_sources(const Spec *s, const char *bundle, int **ret) {
        _cleanup_free_ int *fds = NULL;
        bool any = false;
        int r;

        for (size_t i = 0; i < s->n_mounts; i++)
                any = any || is_opened_early(s, &s->mounts[i]);
        *ret = NULL;
        if (!any)
                return 0;
        fds = new(int, s->n_mounts);
        if (!fds)
                return -ENOMEM;
        for (size_t i = 0; i < s->n_mounts; i++) {
                const SpecMount *m = &s->mounts[i];

                fds[i] = -EBADF;
                if (!is_opened_early(s, m))
                        continue;
                fds[i] = r = open_early(s, m, bundle);
                if (r == -ENOSYS)
                        fds[i] = -EBADF; /* for mount_legacy() */
                else if (r < 0)
                        return r;
        }
        *ret = TAKE_PTR(fds);
        return 0;
}

static bool is_cgroup(const SpecMount *m) {
        return !m->bind && (streq(m->type, "cgroup") || streq(m->type, "cgroup2"));
}

/* The host's own mount of what may not be mounted anew; in a mount namespace by path it has to be looked at.
 */
static int clone_hosts(const MountContext *c, const char *path, unsigned long magic) {
        _cleanup_close_ int fd = -EBADF;
        struct statfs fs;

        if (!c->spec->ns[NS_MOUNT].path)
                return mount_clone(AT_FDCWD, path, AT_RECURSIVE);
        fd = root_path_open(AT_FDCWD, path, 0);
        if (fd < 0)
                return fd;
        if (fstatfs(fd, &fs) < 0)
                return negative_errno();
        return (unsigned long) fs.f_type == magic ? mount_clone(fd, "", AT_EMPTY_PATH | AT_RECURSIVE) :
                                                    -ENODEV;
}

/*
 * Mounting cgroup2 anew from the host's cgroup namespace would reset the flags of the host's own mount
 * (nsdelegate, ...), so there, and where a user namespace may not mount it, the host's mount is bound.
 */
static int make_cgroup(const MountContext *c, const SpecMount *m) {
        _cleanup_close_ int fd = -EBADF;
        int r;

        r = c->before_cgroup ? c->before_cgroup(c->userdata) : 0;
        if (r < 0)
                return r;
        if (c->spec->ns[NS_CGROUP].present) {
                fd = mount_new_fs("cgroup2", m->source ?: m->type, NULL, (unsigned) m->attr_set);
                if (fd >= 0 || !c->spec->ns[NS_USER].present)
                        return TAKE_FD(fd);
        }
        fd = clone_hosts(c, c->cgroup_mount, CGROUP2_SUPER_MAGIC);
        if (fd < 0)
                return fail_errno(fd, "mount %s on %s", c->cgroup_mount, m->destination);
        r = mount_set_attr(fd, m->attr_set, m->attr_clear, true);
        return r < 0 ? fail_errno(r, "mount flags of %s", m->destination) : TAKE_FD(fd);
}

static int append_option(char **data, const char *option) {
        char *joined = *data ? str_concat(*data, ",", option) : strdup(option);

        if (!joined)
                return -ENOMEM;
        free(*data);
        *data = joined;
        return 0;
}

/* A tmpfs without a mode of its own takes that of the directory it covers. */
static int take_mode(const MountContext *c, const SpecMount *m, char **data) {
        _cleanup_close_ int target = -EBADF;
        char mode[16];
        struct stat st;

        if (!streq(m->type, "tmpfs") || (m->data && strstr(m->data, "mode=")))
                return 0;
        target = root_path_open(c->root_fd, m->destination, 0);
        if (target < 0 || fstat(target, &st) < 0 || !S_ISDIR(st.st_mode))
                return 0;
        (void) snprintf(mode, sizeof(mode), "mode=%o", st.st_mode & 07777);
        return append_option(data, mode);
}

/**
 * mount_data - the options that are the file system's own.
 * @ret: comma separated, owned by the caller; NULL if none.
 */
int mount_data(const MountContext *c, const SpecMount *m, char **ret) {
        _cleanup_free_ char *data = NULL;
        int r;

        if (m->bind)
                return 0;
        data = m->data ? strdup(m->data) : NULL;
        if (m->data && !data)
                return -ENOMEM;
        r = take_mode(c, m, &data);
        if (r >= 0)
                *ret = TAKE_PTR(data);
        return r;
}

/* What fsconfig() has a word for. */
static const struct {
        unsigned long flag;
        const char *name;
} sb_words[] = { { MS_SYNCHRONOUS, "sync" },
                 { MS_DIRSYNC, "dirsync" },
                 { MS_LAZYTIME, "lazytime" },
                 { MS_MANDLOCK, "mand" } };

/* Return: 0, -E2BIG when only mount(2) can do it, -ENOMEM. */
static int append_sb_flags(const SpecMount *m, char **data) {
        unsigned long left = m->sb_flags;
        int r = 0;

        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(sb_words); i++) {
                if (!(left & sb_words[i].flag))
                        continue;
                left &= ~sb_words[i].flag;
                r = append_option(data, sb_words[i].name);
        }
        return r < 0 ? r : left != 0 ? -E2BIG : 0;
}

/* What is the same in every network namespace. */
static bool is_local(const char *type) {
        static const char *const types[] = { "proc", "tmpfs", "devpts", "mqueue" };

        for (size_t i = 0; i < ELEMENTSOF(types); i++)
                if (streq(types[i], type))
                        return true;
        return false;
}

/* A mount that is read-only takes no label. */
static int make_labeled_queues(const MountContext *c, const SpecMount *m, const char *data) {
        _cleanup_close_ int fd = -EBADF;
        int r;

        fd = mount_new_fs(m->type, m->source ?: m->type, data, (unsigned) m->attr_set & ~MOUNT_ATTR_RDONLY);
        if (fd < 0)
                return TAKE_FD(fd);
        r = mount_label_queues(c->spec, fd);
        if (r < 0)
                return r;
        r = mount_set_attr(fd, m->attr_set & MOUNT_ATTR_RDONLY, 0, false);
        return r < 0 ? fail_errno(r, "mount flags of %s", m->destination) : TAKE_FD(fd);
}

/* A user namespace that does not own the network or pid namespace may not mount these, but may see the
 * host's. Never in place of the container's own. */
static int make_kernel_fs(const MountContext *c, const SpecMount *m) {
        bool proc = streq(m->type, "proc");
        _cleanup_free_ char *data = NULL;
        int fd, r;

        r = mount_data(c, m, &data);
        if (r >= 0)
                r = append_sb_flags(m, &data);
        if (r >= 0 && c->before_network && !is_local(m->type))
                r = c->before_network(c->userdata);
        if (r < 0)
                return r;
        if (mount_labels_queues(c->spec, m))
                return make_labeled_queues(c, m, data);
        fd = mount_new_labeled(m->type, m->source ?: m->type, data, mount_label_of(c, m),
                               c->spec->mount_context, (unsigned) late_readonly_attr(m));
        if (fd != -EPERM || !(c->spec->ns[NS_USER].present || rootless_in_user_namespace()) ||
            !((proc && !c->spec->ns[NS_PID].present) ||
              (streq(m->type, "sysfs") && !c->spec->ns[NS_NET].present)))
                return fd;
        fd = clone_hosts(c, proc ? "/proc" : "/sys", proc ? PROC_SUPER_MAGIC : SYSFS_MAGIC);
        if (fd < 0)
                return fail_errno(fd, "mount of type %s on %s", m->type, m->destination);
        /* With what is mounted below: the host's writable cgroups are there. */
        r = mount_set_attr(fd, m->attr_set, 0, true);
        if (r < 0) {
                (void) safe_close(fd);
                return fail_errno(r, "mount flags of %s", m->destination);
        }
        return fd;
}

/* Something that the container has already, found as its processes would find it. @ns_fd: with its id
 * mappings. */
static int clone_inside(const MountContext *c, const SpecMount *m, int ns_fd) {
        _cleanup_close_ int source = root_path_open(c->root_fd, m->inside_source, 0), fd = -EBADF;
        int r = 0;

        if (source < 0)
                return fail_errno(source, "mount %s on %s", m->source, m->destination);
        fd = mount_clone(source, "", AT_EMPTY_PATH | (m->recursive ? AT_RECURSIVE : 0));
        if (fd == -ENOSYS)
                return m->idmap ? fail_idmap(m) : fd;
        if (fd < 0)
                return fail_errno(fd, "mount %s on %s", m->source, m->destination);
        if (m->idmap)
                r = idmap_apply(m, fd, ns_fd);
        return r < 0 ? r : TAKE_FD(fd);
}

/*
 * What a process of the user namespace clones for itself keeps the flags that the host's mounts have
 * (read-only, nosuid, ...), and what is mounted below, locked: no capability in the container takes them
 * away. The parent's clone has no such locks; it is for what only the parent can reach, for id mappings, and
 * where flags are asked for by "rrw" and the like.
 */
static int pick_source(const MountContext *c, size_t i) {
        const SpecMount *m = &c->spec->mounts[i];
        int fd, parents = c->source_fds ? c->source_fds[i] : -EBADF;

        if (m->inside_source)
                return clone_inside(c, m, parents);
        if (parents < 0)
                return open_source(m, c->bundle, c->spec->ns[NS_MOUNT].path);
        if (m->idmap || m->rec_attr_clear != 0 || c->spec->ns[NS_MOUNT].path)
                return parents;
        fd = open_source(m, c->bundle, c->spec->ns[NS_MOUNT].path);
        if (fd < 0)
                return parents;
        (void) close(parents);
        return fd;
}

/*
 * The flags of a bind mount. Those that the host's mount has locked cannot be taken off in a user namespace;
 * engines write "rw" whatever the source is, so this is told and is no error, as with crun.
 */
static int set_bind_flags(const SpecMount *m, int fd) {
        static const struct {
                unsigned long flag;
                uint64_t attr;
                const char *name;
        } locks[] = { { ST_RDONLY, MOUNT_ATTR_RDONLY, "read-only" },
                      { ST_NOSUID, MOUNT_ATTR_NOSUID, "nosuid" },
                      { ST_NODEV, MOUNT_ATTR_NODEV, "nodev" },
                      { ST_NOEXEC, MOUNT_ATTR_NOEXEC, "noexec" } };
        const uint64_t atime = MOUNT_ATTR__ATIME | MOUNT_ATTR_NODIRATIME;
        uint64_t clear = m->attr_clear & ~atime;
        struct statvfs vfs;
        int r;

        r = mount_set_attr(fd, m->attr_set, m->attr_clear, false);
        if (r != -EPERM || fstatvfs(fd, &vfs) < 0)
                return r;
        for (size_t i = 0; i < ELEMENTSOF(locks); i++)
                if ((clear & locks[i].attr) && (vfs.f_flag & locks[i].flag)) {
                        runtime_warning("mount on %s: the host's mount is %s, and stays so", m->destination,
                                        locks[i].name);
                        clear &= ~locks[i].attr;
                }
        r = mount_set_attr(fd, m->attr_set & ~atime, clear, false);
        /* The lock on times of access is on every mount of the host. */
        if (r >= 0 && mount_set_attr(fd, m->attr_set & atime, m->attr_clear & atime, false) < 0)
                runtime_warning("mount on %s: how the host's mount notes times of access stays",
                                m->destination);
        return r;
}

static int make_mount(const MountContext *c, size_t i, bool *ret_directory) {
        const SpecMount *m = &c->spec->mounts[i];
        struct stat st;
        int fd, r;

        *ret_directory = true;
        if (!m->bind)
                return is_cgroup(m) ? make_cgroup(c, m) : make_kernel_fs(c, m);
        fd = pick_source(c, i);
        if (fd < 0)
                return fd;
        if (fstat(fd, &st) < 0) {
                (void) safe_close(fd);
                return fail_errno(errno, "stat %s", m->source);
        }
        r = m->copy_symlink && S_ISLNK(st.st_mode) ? 0 :
                                                     set_bind_flags(m, fd);
        if (r < 0) {
                (void) safe_close(fd);
                return fail_errno(r, "mount flags of %s", m->destination);
        }
        *ret_directory = S_ISDIR(st.st_mode);
        return fd;
}

/** mount_finish - what concerns the whole tree below a mount: recursive flags, then propagation. Return: 0,
 * or -errno with a message. */
int mount_finish(const SpecMount *m, int fd) {
        int r;

        r = mount_set_attr(fd, m->rec_attr_set, m->rec_attr_clear, true);
        if (r < 0)
                return fail_errno(r, "recursive mount flags of %s", m->destination);
        r = mount_set_propagation(fd, m->propagation, m->propagation_recursive);
        return r < 0 ? fail_errno(r, "propagation of %s", m->destination) : 0;
}

/* A link in place of /proc or /sys would let the image decide where the kernel's files appear. */
static unsigned long long target_resolve(const SpecMount *m) {
        return !m->bind && !isempty(m->type) && (streq(m->type, "proc") || streq(m->type, "sysfs")) ?
                               RESOLVE_NO_SYMLINKS :
                               0;
}

/* The links of procfs are the kernel's words about processes: covered, they would be the image's. */
static int refuse_proc_link(int fd) {
        struct statfs fs;
        struct stat st;

        if (fstat(fd, &st) < 0 || fstatfs(fd, &fs) < 0)
                return negative_errno();
        return S_ISLNK(st.st_mode) && fs.f_type == PROC_SUPER_MAGIC ? -ELOOP : 0;
}

static int open_nofollow(const MountContext *c, const SpecMount *m, RootPathKind kind) {
        _cleanup_close_ int fd = root_path_ensure_last(c->root_fd, m->destination, kind);
        int r = fd < 0 ? fd : refuse_proc_link(fd);

        return r < 0 ? r : TAKE_FD(fd);
}

/**
 * mount_open_target - O_PATH of a destination that exists.
 * @covered: it is yet to be mounted on; a link at its end is to be covered itself with dest-nofollow.
 */
int mount_open_target(const MountContext *c, const SpecMount *m, bool covered) {
        if (m->dest_nofollow)
                return open_nofollow(c, m, ROOT_PATH_ANY);
        return root_path_open(c->root_fd, m->destination, covered ? target_resolve(m) : 0);
}

/* copy-symlink: the link is made anew at the destination. One that is there must be the same. */
static int place_symlink(const MountContext *c, const SpecMount *m, int link_fd) {
        char target[PATH_MAX], found[PATH_MAX];
        _cleanup_close_ int parent = -EBADF;
        _cleanup_free_ char *name = NULL;
        ssize_t n;

        n = readlinkat(link_fd, "", target, sizeof(target) - 1);
        if (n < 0)
                return fail_errno(errno, "read symbolic link %s", m->source);
        target[n] = 0;
        parent = root_path_ensure_parent(c->root_fd, m->destination, &name);
        if (parent < 0)
                return fail_errno(parent, "mount %s: destination", m->destination);
        if (symlinkat(target, parent, name) >= 0)
                return 0;
        n = errno == EEXIST ? readlinkat(parent, name, found, sizeof(found) - 1) : -1;
        if (n < 0)
                return fail_errno(errno == EINVAL ? EEXIST : errno, "symbolic link %s", m->destination);
        found[n] = 0;
        if (!streq(found, target))
                return fail_text(EEXIST, "symbolic link %s: one to %s is there already", m->destination,
                                 found);
        return 0;
}

static int open_target(const MountContext *c, const SpecMount *m, bool directory) {
        if (m->dest_nofollow)
                return open_nofollow(c, m, directory ? ROOT_PATH_DIRECTORY : ROOT_PATH_FILE);
        return root_path_ensure(c->root_fd, m->destination, directory, target_resolve(m));
}

static int setup_one(const MountContext *c, size_t i) {
        const SpecMount *m = &c->spec->mounts[i];
        _cleanup_close_ int fd = -EBADF, target = -EBADF;
        bool directory;
        struct stat st;
        int r;

        if (m->remount)
                return mount_again(c, m);
        fd = make_mount(c, i, &directory);
        if (fd == -ENOSYS || fd == -E2BIG)
                return mount_legacy(c, m);
        if (fd < 0)
                return fd;
        if (m->copy_symlink && fstat(fd, &st) >= 0 && S_ISLNK(st.st_mode))
                return place_symlink(c, m, fd);
        /* Peers of the host's mounts are made only on demand. */
        if (c->spec->rootfs_propagation == MS_SHARED && m->propagation == 0) {
                r = mount_set_propagation(fd, MS_SLAVE, true);
                if (r < 0)
                        return fail_errno(r, "propagation of %s", m->destination);
        }
        target = open_target(c, m, directory);
        if (target == -ELOOP && !m->dest_nofollow && target_resolve(m) != 0)
                return fail_errno(target, "mount %s: %s must be mounted on ordinary directory",
                                  m->destination, m->type);
        if (target < 0)
                return fail_errno(target, "mount %s: destination", m->destination);
        if (m->copy_up) {
                r = copy_up(target, fd, m->data, m->destination);
                if (r < 0)
                        return r;
        }
        r = mount_attach(fd, target);
        if (r < 0)
                return fail_errno(r, "mount on %s", m->destination);
        r = mount_finish(m, fd);
        if (r >= 0)
                r = late_readonly_add(c->late, m, fd);
        if (r < 0 || strspn(m->destination, "/") != strlen(m->destination))
                return r;
        /* A new root: what follows goes into it, not below it. */
        return dup3(fd, c->root_fd, O_CLOEXEC) < 0 ? fail_errno(errno, "mount on %s", m->destination) : 0;
}

/** mounts_setup - make all mounts of the spec below root_fd, in their order. Return: 0, or -errno with a
 * message. */
int mounts_setup(const MountContext *c) {
        for (size_t i = 0; i < c->spec->n_mounts; i++) {
                int r = setup_one(c, i);

                if (r < 0)
                        return r;
        }
        return 0;
}
