/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "../../basic/fd.h"
#include "../../basic/file.h"
#include "../../basic/str.h"
#include "layer-writer-internal.h"

/*
 * Every member is made by a call relative to the open directory it belongs into, and that directory was
 * opened by openat2 with RESOLVE_BENEATH: the kernel, not our reading of the name, decides whether a path
 * stays inside. The last directory is kept open, since members of one directory follow each other.
 */
#define CHECK_EVERY (32ULL * 1024 * 1024)
/* What a layer may not eat of the disk's last space: the host and running containers live from it. */
#define RESERVE_MAX  (64ULL * 1024 * 1024)
#define RESERVE_PART 50
#define DIRS_MAX     (4 * 1024 * 1024)

/** layer_writer_init - start with an empty directory. Return: 0 or -ENOMEM. */
int layer_writer_init(LayerWriter *w, int root_fd) {
        *w = (LayerWriter){ .root_fd = root_fd, .parent_fd = -EBADF };
        return 0;
}

static void forget_parent(LayerWriter *w) {
        w->parent_fd = safe_close(w->parent_fd);
        w->parent = mfree(w->parent);
}

/** layer_writer_done - free; safe on an initialised writer. */
void layer_writer_done(LayerWriter *w) {
        forget_parent(w);
        for (size_t i = 0; i < w->n_dirs; i++)
                free(w->dirs[i].path);
        w->dirs = mfree(w->dirs);
        w->n_dirs = 0;
}

/** member_fail - see layer-writer-internal.h. */
int member_fail(LayerWriter *w, const Member *m, int error, const char *fmt, ...) {
        const char *name = m->entry ? archive_entry_pathname(m->entry) : NULL;
        char what[PATH_MAX + 256];
        va_list ap;

        va_start(ap, fmt);
        (void) vsnprintf(what, sizeof(what), fmt, ap);
        va_end(ap);
        if (error == -ENOSPC || error == -EDQUOT)
                (void) snprintf(w->error, sizeof(w->error), "member \"%.1024s\": no space left on device",
                                strempty(name));
        else if (error == -EBADMSG)
                (void) snprintf(w->error, sizeof(w->error), "member \"%.1024s\": %.3000s", strempty(name),
                                what);
        else
                (void) snprintf(w->error, sizeof(w->error), "member \"%.1024s\": %.3000s: %.200s",
                                strempty(name), what, strerror(-error));
        return error;
}

static int open_beneath(int root_fd, const char *path) {
        struct open_how how = { .flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
                                .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS };
        long fd;

        do
                fd = syscall(SYS_openat2, root_fd, *path ? path : ".", &how, sizeof(how));
        while (fd < 0 && errno == EAGAIN);
        return fd < 0 ? negative_errno() : (int) fd;
}

/* Opens directory @path, making what is missing if @make. */
static int open_dir(LayerWriter *w, const char *path, bool make) {
        _cleanup_free_ char *above = NULL;
        _cleanup_close_ int above_fd = -EBADF;
        const char *slash;
        int fd;

        fd = open_beneath(w->root_fd, path);
        if (fd != -ENOENT || !make || !*path)
                return fd;
        slash = strrchr(path, '/');
        above = strndup(path, slash ? (size_t) (slash - path) : 0);
        if (!above)
                return -ENOMEM;
        above_fd = open_dir(w, above, true);
        if (above_fd < 0)
                return above_fd;
        if (mkdirat(above_fd, slash ? slash + 1 : path, 0755) < 0)
                /* There but not found: a symlink to nowhere. */
                return errno == EEXIST ? -ENOENT : negative_errno();
        return open_beneath(w->root_fd, path);
}

static int parent_error(LayerWriter *w, const Member *m, int error) {
        switch (error) {
        case -EXDEV: return member_fail(w, m, -EBADMSG, "its path leaves the layer through a symlink");
        case -ELOOP: return member_fail(w, m, -EBADMSG, "its path runs through a loop of symlinks");
        case -ENOTDIR: return member_fail(w, m, -EBADMSG, "a component of its path is not a directory");
        case -ENOENT: return member_fail(w, m, -EBADMSG, "its path runs through a symlink to nowhere");
        default: return member_fail(w, m, error, "cannot open its directory");
        }
}

/** writer_open_parent - see layer-writer-internal.h. Return: fd (borrowed from the writer), -ENOENT without
 * @make, -errno. */
int writer_open_parent(LayerWriter *w, const Member *m, const char *path, bool make, const char **ret_name) {
        const char *slash = strrchr(path, '/');
        size_t n = slash ? (size_t) (slash - path) : 0;
        char *copy;
        int fd;

        *ret_name = slash ? slash + 1 : path;
        if (w->parent_fd >= 0 && strlen(w->parent) == n && memcmp(w->parent, path, n) == 0)
                return w->parent_fd;
        copy = strndup(path, n);
        if (!copy)
                return member_fail(w, m, -ENOMEM, "cannot open its directory");
        fd = open_dir(w, copy, make);
        if (fd < 0) {
                free(copy);
                return fd == -ENOENT && !make ? -ENOENT : parent_error(w, m, fd);
        }
        forget_parent(w);
        w->parent = copy;
        w->parent_fd = fd;
        return fd;
}

/** writer_make_room - see layer-writer-internal.h. */
int writer_make_room(LayerWriter *w, const Member *m, bool keep_dir) {
        struct stat st;
        bool whiteout;
        int r;

        if (fstatat(m->parent_fd, m->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return errno == ENOENT ? 0
                                       : member_fail(w, m, negative_errno(), "cannot look at what is there");
        if (S_ISDIR(st.st_mode) && keep_dir)
                return 1;
        whiteout = S_ISCHR(st.st_mode) && st.st_rdev == makedev(0, 0);
        if (S_ISREG(st.st_mode) && st.st_nlink == 1)
                w->size -= MIN(w->size, (uint64_t) st.st_size);
        r = remove_tree_at(m->parent_fd, m->name);
        if (r < 0)
                return member_fail(w, m, r, "cannot replace what is there");
        return whiteout ? 2 : 0;
}

static int check_space(LayerWriter *w, const Member *m, uint64_t more) {
        struct statvfs v;
        uint64_t reserve;

        if (more < w->until_check) {
                w->until_check -= more;
                return 0;
        }
        if (fstatvfs(w->root_fd, &v) < 0)
                return member_fail(w, m, negative_errno(), "cannot ask for the free space");
        reserve = MIN(RESERVE_MAX, (uint64_t) v.f_blocks * v.f_frsize / RESERVE_PART);
        if ((uint64_t) v.f_bavail * v.f_frsize < reserve + more)
                return member_fail(w, m, -ENOSPC, "cannot write");
        w->until_check = CHECK_EVERY;
        return 0;
}

static int write_at(int fd, const char *data, size_t size, int64_t offset) {
        while (size > 0) {
                ssize_t n = pwrite(fd, data, size, offset);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return negative_errno();
                data += n;
                size -= (size_t) n;
                offset += n;
        }
        return 0;
}

static int write_data(LayerWriter *w, const Member *m, TarStream *t, int fd) {
        int64_t offset = 0, size = archive_entry_size(m->entry);
        const void *data;
        size_t n;
        int r;

        if (size < 0)
                return member_fail(w, m, -EBADMSG, "its size is negative");
        while ((r = tar_stream_data(t, &data, &n, &offset)) > 0) {
                r = check_space(w, m, n);
                if (r < 0)
                        return r;
                r = write_at(fd, data, n, offset);
                if (r < 0)
                        return member_fail(w, m, r, "cannot write");
        }
        if (r == -EBADMSG)
                return member_fail(w, m, r, "%s", tar_stream_error(t));
        if (r < 0)
                return member_fail(w, m, r, "cannot read");
        /* Sparse files may end in a hole. */
        if (ftruncate(fd, size) < 0)
                return member_fail(w, m, negative_errno(), "cannot set the size to %lld", (long long) size);
        w->size += (uint64_t) size;
        return 0;
}

static int add_file(LayerWriter *w, const Member *m, TarStream *t) {
        _cleanup_close_ int fd = -EBADF;
        int r;

        fd = openat(m->parent_fd, m->name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0)
                return member_fail(w, m, negative_errno(), "cannot make the file");
        r = write_data(w, m, t, fd);
        return r < 0 ? r : metadata_apply_fd(w, m, fd, true);
}

static int remember_dir(LayerWriter *w, const Member *m) {
        DirTime *d;

        if (w->n_dirs == w->allocated_dirs) {
                size_t want = MAX(w->allocated_dirs * 2, (size_t) 256);

                if (want > DIRS_MAX)
                        return member_fail(w, m, -EBADMSG, "the layer has too many directories");
                d = reallocarray(w->dirs, want, sizeof(*d));
                if (!d)
                        return member_fail(w, m, -ENOMEM, "cannot remember the directory");
                w->dirs = d;
                w->allocated_dirs = want;
        }
        d = &w->dirs[w->n_dirs];
        *d = (DirTime){ strdup(m->path),
                        { archive_entry_mtime(m->entry), archive_entry_mtime_nsec(m->entry) } };
        if (!d->path)
                return member_fail(w, m, -ENOMEM, "cannot remember the directory");
        w->n_dirs++;
        return 0;
}

static int add_dir(LayerWriter *w, const Member *m, int room) {
        _cleanup_close_ int fd = -EBADF;
        int r;

        if (room != 1 && *m->path && mkdirat(m->parent_fd, m->name, 0700) < 0)
                return member_fail(w, m, negative_errno(), "cannot make the directory");
        fd = openat(m->parent_fd, *m->path ? m->name : ".", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
                return member_fail(w, m, negative_errno(), "cannot open the directory");
        r = metadata_apply_fd(w, m, fd, false);
        if (r >= 0 && room == 2)
                r = whiteout_set_opaque(w, m, fd);
        return r < 0 ? r : remember_dir(w, m);
}

static int add_hardlink(LayerWriter *w, const Member *m) {
        _cleanup_free_ char *target = NULL;
        _cleanup_close_ int dir_fd = -EBADF;
        const char *link = archive_entry_hardlink(m->entry), *name;
        NameFault fault;
        int r;

        r = member_name_clean(strempty(link), &target, &fault);
        if (r == -EINVAL)
                return member_fail(w, m, -EBADMSG, "hard link target \"%s\" %s", strempty(link),
                                   name_fault_text(fault));
        if (r < 0)
                return member_fail(w, m, r, "cannot make the hard link");
        if (!*target)
                return member_fail(w, m, -EBADMSG, "hard link to the layer's root");
        /* Both directories are needed at once, so the writer's open one is left as it is. */
        name = strrchr(target, '/');
        if (name) {
                target[name - target] = 0;
                dir_fd = open_beneath(w->root_fd, target);
                target[name - target] = '/';
                name++;
        } else {
                dir_fd = open_beneath(w->root_fd, "");
                name = target;
        }
        if (dir_fd == -EXDEV)
                return member_fail(w, m, -EBADMSG,
                                   "hard link target \"%s\" leaves the layer through a symlink", link);
        if (dir_fd >= 0 && linkat(dir_fd, name, m->parent_fd, m->name, 0) >= 0)
                return 0;
        r = dir_fd < 0 ? dir_fd : negative_errno();
        if (r == -ENOENT || r == -ENOTDIR || r == -ELOOP)
                return member_fail(w, m, -EBADMSG, "hard link target \"%s\" is not in the layer", link);
        return r == -EPERM ? member_fail(w, m, -EBADMSG, "hard link target \"%s\" is a directory", link)
                           : member_fail(w, m, r, "cannot make the hard link to \"%s\"", link);
}

static int add_symlink(LayerWriter *w, const Member *m) {
        const char *target = strempty(archive_entry_symlink(m->entry));

        if (!*target || strlen(target) >= PATH_MAX)
                return member_fail(w, m, -EBADMSG, "the symlink's target is %s",
                                   *target ? "too long" : "empty");
        if (symlinkat(target, m->parent_fd, m->name) < 0)
                return member_fail(w, m, negative_errno(), "cannot make the symlink");
        return metadata_apply_at(w, m, false);
}

static int add_node(LayerWriter *w, const Member *m, mode_t type) {
        dev_t dev = S_ISCHR(type) || S_ISBLK(type) ? makedev((unsigned) archive_entry_rdevmajor(m->entry),
                                                             (unsigned) archive_entry_rdevminor(m->entry))
                                                   : 0;

        if (mknodat(m->parent_fd, m->name, type | 0600, dev) < 0)
                return member_fail(w, m, negative_errno(), "cannot make the %s",
                                   S_ISFIFO(type) ? "fifo" : "device node");
        return metadata_apply_at(w, m, true);
}

static int add_named(LayerWriter *w, Member *m, TarStream *t) {
        bool hardlink = archive_entry_hardlink(m->entry) != NULL;
        mode_t type = archive_entry_filetype(m->entry);
        int room;

        /* A name that links to itself would lose its file before the link is made. */
        if (hardlink && streq(archive_entry_hardlink(m->entry), archive_entry_pathname(m->entry)))
                return member_fail(w, m, -EBADMSG, "hard link to itself");
        room = writer_make_room(w, m, !hardlink && S_ISDIR(type));
        if (room < 0)
                return room;
        if (hardlink)
                return add_hardlink(w, m);
        switch (type) {
        case S_IFREG: return add_file(w, m, t);
        case S_IFDIR: return add_dir(w, m, room);
        case S_IFLNK: return add_symlink(w, m);
        case S_IFCHR:
        case S_IFBLK:
        case S_IFIFO: return add_node(w, m, type);
        case S_IFSOCK:
                /* A socket file without its process is nothing; other engines leave them out as well. */
                return 0;
        default: return member_fail(w, m, -EBADMSG, "unknown type of member");
        }
}

/** layer_writer_add - see layer-writer.h. */
int layer_writer_add(LayerWriter *w, TarStream *t, struct archive_entry *e) {
        const char *name = archive_entry_pathname(e);
        Member m = { .entry = e, .parent_fd = -EBADF };
        _cleanup_free_ char *path = NULL;
        NameFault fault;
        int r;

        if (!name)
                return member_fail(w, &m, -EBADMSG, "a member has no readable name");
        r = member_name_clean(name, &path, &fault);
        if (r == -EINVAL)
                return member_fail(w, &m, -EBADMSG, "the name %s", name_fault_text(fault));
        if (r < 0)
                return member_fail(w, &m, r, "cannot read the name");
        m.path = path;
        if (!*path) {
                if (archive_entry_filetype(e) != S_IFDIR || archive_entry_hardlink(e))
                        return member_fail(w, &m, -EBADMSG, "the layer's root is not a directory");
                m.parent_fd = w->root_fd;
                return add_dir(w, &m, 1);
        }
        m.parent_fd = writer_open_parent(w, &m, path, true, &m.name);
        if (m.parent_fd < 0)
                return m.parent_fd;
        /* An inode per member: many small ones fill a disk as well. */
        r = check_space(w, &m, 4096);
        if (r >= 0)
                r = whiteout_add(w, &m);
        if (r != 0)
                return r < 0 ? r : 0;
        return add_named(w, &m, t);
}

/** layer_writer_finish - set the directories' times. Return: 0 or -errno. */
int layer_writer_finish(LayerWriter *w) {
        for (size_t i = 0; i < w->n_dirs; i++) {
                struct timespec ts[2] = { w->dirs[i].mtime, w->dirs[i].mtime };
                Member m = { .path = w->dirs[i].path };
                struct stat st;
                int fd;

                fd = writer_open_parent(w, &m, m.path, false, &m.name);
                /* A later member put something else in its place. */
                if (fd == -ENOENT)
                        continue;
                if (fd < 0)
                        return fd;
                if (!*m.path)
                        m.name = ".";
                if (fstatat(fd, m.name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(st.st_mode))
                        continue;
                if (utimensat(fd, m.name, ts, AT_SYMLINK_NOFOLLOW) < 0)
                        return member_fail(w, &m, negative_errno(), "cannot set the times of directory %s",
                                           m.path);
        }
        return 0;
}
