/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which mounts criu saves and makes again by itself (proc, tmpfs with its content, devpts, ...), and which
 * are the host's: binds, masks and the cgroup. The latter are "external": named at the checkpoint by the
 * path that config.json has, and given a source of the host again at the restore. Nothing but config.json
 * decides about sources, so a container cannot have another file of the host mounted by what it did.
 */
#include "criu-mounts.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#include "../../basic/fd.h"
#include "../../basic/file.h"
#include "../../basic/str.h"
#include "../error.h"
#include "../kernel-call.h"
#include "../mounts/root-path.h"

#define MOUNTINFO_MAX (16 * 1024 * 1024)

enum { FIELD_DEVICE = 2, FIELD_POINT = 4 };

/* Those that every container has. They are bound where nodes may not be made, as in a user namespace. */
static const char *const default_devices[] = { "/dev/null",    "/dev/zero", "/dev/full", "/dev/random",
                                             "/dev/urandom", "/dev/tty" };

static bool is_cgroup(const SpecMount *m) {
        return !m->bind && (streq(m->type, "cgroup") || streq(m->type, "cgroup2"));
}

/** criu_mounts_check - what could not be made again as it was is refused. Return: 0, or -EOPNOTSUPP. */
int criu_mounts_check(const Spec *s) {
        if (!spec_has_new(s, NS_MOUNT))
                return fail_text(
                                EOPNOTSUPP,
                                "checkpoint: a container without a mount namespace of its own is not supported");
        for (size_t i = 0; i < s->n_mounts; i++) {
                const SpecMount *m = &s->mounts[i];

                if (m->idmap)
                        return fail_text(EOPNOTSUPP, "checkpoint: the id-mapped mount %s is not supported",
                                         m->destination);
                if (m->remount || m->copy_symlink)
                        return fail_text(EOPNOTSUPP, "checkpoint: the option %s of %s is not supported",
                                         m->remount ? "remount" : "copy-symlink", m->destination);
        }
        return 0;
}

/* Return: what @path has behind @directory, from a slash on; NULL if it is not below it. */
static const char *below(const char *path, const char *directory) {
        size_t n = strlen(directory);

        while (n > 0 && directory[n - 1] == '/')
                n--;
        return strncmp(path, directory, n) == 0 && path[n] == '/' && path[n + 1] ? path + n : NULL;
}

/* The line of mount @id, at its number. */
static const char *find_line(const char *mountinfo, uint64_t id) {
        for (const char *p = mountinfo; *p;) {
                const char *end = strchrnul(p, '\n');

                if (strtoull(p, NULL, 10) == id)
                        return p;
                p = *end ? end + 1 : end;
        }
        return NULL;
}

/** criu_mounts_have - whether mount @id is in a mountinfo text. */
bool criu_mounts_have(const char *mountinfo, uint64_t id) {
        return find_line(mountinfo, id);
}

/* Field @n (from 0) of a line, with the kernel's \ooo undone; owned by the caller; NULL if there is none. */
static char *field_of(const char *line, unsigned n) {
        const char *p = line, *end;
        char *field, *q;

        for (; n > 0; n--) {
                p += strcspn(p, " \n");
                if (*p != ' ')
                        return NULL;
                p++;
        }
        end = p + strcspn(p, " \n");
        field = q = malloc((size_t) (end - p) + 1);
        if (!field)
                return NULL;
        while (p < end)
                if (p[0] == '\\' && end - p >= 4) {
                        *q++ = (char) ((p[1] - '0') << 6 | (p[2] - '0') << 3 | (p[3] - '0'));
                        p += 4;
                } else
                        *q++ = *p++;
        *q = 0;
        return field;
}

/* Whether something of the file system @device is mounted on @point. */
static bool has_mount(const char *mountinfo, const char *point, const char *device) {
        for (const char *p = mountinfo; *p;) {
                _cleanup_free_ char *its_point = field_of(p, FIELD_POINT),
                                    *its_device = field_of(p, FIELD_DEVICE);
                const char *end = strchrnul(p, '\n');

                if (its_point && its_device && streq(its_point, point) && streq(its_device, device))
                        return true;
                p = *end ? end + 1 : end;
        }
        return false;
}

/*
 * A recursive bind has brought the mounts below its source along: each is external too, under the path that
 * it has in the container. @container, @point: at the checkpoint, the container's mountinfo and where the
 * bind is in it; only what is really there counts, the container may have unmounted some.
 */
static int add_submounts(CriuCall *c, const SpecMount *m, const char *source, const char *host,
                         const char *container, const char *point) {
        char resolved[PATH_MAX];

        if (!m->recursive)
                return 0;
        if (!realpath(source, resolved))
                return fail_errno(errno, "mount %s on %s", source, m->destination);
        for (const char *p = host; *p;) {
                _cleanup_free_ char *place = field_of(p, FIELD_POINT), *device = field_of(p, FIELD_DEVICE);
                const char *end = strchrnul(p, '\n'), *rest = place ? below(place, resolved) : NULL;

                if (rest && !container)
                        criu_add_external(c, "mnt[%s%s]:%s", m->destination, rest, place);
                else if (rest && device) {
                        _cleanup_free_ char *inside = str_concat(point, rest);

                        if (!inside)
                                return -ENOMEM;
                        if (has_mount(container, inside, device))
                                criu_add_external(c, "mnt[%s]:%s%s", inside, m->destination, rest);
                }
                p = *end ? end + 1 : end;
        }
        return 0;
}

/* Return: where the host has what is bound; owned by the caller; NULL on ENOMEM. */
static char *source_of(const SpecMount *m, const State *st) {
        return m->source[0] == '/' ? strdup(m->source) : str_concat(st->bundle, "/", m->source);
}

static int read_mountinfo(const char *path, char **ret) {
        int r = read_file_at(AT_FDCWD, path, MOUNTINFO_MAX, ret, NULL);

        return r < 0 ? fail_errno(r, "read %s", path) : 0;
}

/* Return: 1 with the place of the mount that @path of the container is the root of, 0 if it is none (any
 * more), -errno. */
static int find_mount(int root_fd, const char *mountinfo, const char *path, bool *ret_device,
                      char **ret_point) {
        _cleanup_close_ int fd = root_path_open(root_fd, path, 0);
        const char *line;
        struct statx sx;
        char *point;

        if (fd == -ENOENT || fd == -ENOTDIR)
                return 0;
        if (fd < 0 || statx(fd, "", AT_EMPTY_PATH, STATX_TYPE | STATX_MNT_ID, &sx) < 0)
                return fail_errno(fd < 0 ? fd : errno, "checkpoint: mount %s", path);
        if (!(sx.stx_mask & STATX_MNT_ID) || !(sx.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT))
                return fail_text(EOPNOTSUPP, "checkpoint: this kernel does not tell about mounts");
        line = find_line(mountinfo, sx.stx_mnt_id);
        if (!(sx.stx_attributes & STATX_ATTR_MOUNT_ROOT) || !line)
                return 0;
        point = field_of(line, FIELD_POINT);
        if (!point)
                return -ENOMEM;
        *ret_device = S_ISCHR(sx.stx_mode) || S_ISBLK(sx.stx_mode);
        *ret_point = point;
        return 1;
}

typedef struct Dump {
        CriuCall *call;
        int root_fd;
        const char *mountinfo, *host;
} Dump;

/*
 * @only_device: a mask or a device that is bound; what a container has put in its place is part of it.
 * @m: the bind that it is, or NULL.
 */
static int add_mount(const Dump *d, const char *path, bool only_device, const SpecMount *m,
                     const State *st) {
        _cleanup_free_ char *point = NULL, *source = NULL;
        bool device = false;
        int r;

        r = find_mount(d->root_fd, d->mountinfo, path, &device, &point);
        if (r <= 0 || (only_device && !device))
                return r < 0 ? r : 0;
        criu_add_external(d->call, "mnt[%s]:%s", point, path);
        if (!m)
                return 0;
        source = source_of(m, st);
        return source ? add_submounts(d->call, m, source, d->host, d->mountinfo, point) : -ENOMEM;
}

/** criu_mounts_dump - name the mounts of a running container that are the host's. */
int criu_mounts_dump(CriuCall *c, const Spec *s, const State *st) {
        _cleanup_free_ char *mountinfo = NULL, *host = NULL;
        _cleanup_close_ int root_fd = -EBADF;
        Dump d = { .call = c };
        char path[64];
        int r;

        (void) snprintf(path, sizeof(path), "/proc/%d/mountinfo", (int) st->pid);
        r = read_mountinfo(path, &mountinfo);
        if (r >= 0)
                r = read_mountinfo("/proc/self/mountinfo", &host);
        if (r < 0)
                return r;
        (void) snprintf(path, sizeof(path), "/proc/%d/root", (int) st->pid);
        root_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (root_fd < 0)
                return fail_errno(errno, "open %s", path);
        d.root_fd = root_fd;
        d.mountinfo = mountinfo;
        d.host = host;
        for (size_t i = 0; i < s->n_mounts; i++)
                if (s->mounts[i].bind || is_cgroup(&s->mounts[i])) {
                        r = add_mount(&d, s->mounts[i].destination, false,
                                      s->mounts[i].bind ? &s->mounts[i] : NULL, st);
                        if (r < 0)
                                return r;
                }
        for (const char **p = s->masked; p && *p; p++) {
                r = add_mount(&d, *p, true, NULL, st);
                if (r < 0)
                        return r;
        }
        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(default_devices); i++)
                r = add_mount(&d, default_devices[i], true, NULL, st);
        for (size_t i = 0; r >= 0 && i < s->n_devices; i++)
                r = add_mount(&d, s->devices[i].path, true, NULL, st);
        return r;
}

/* The innermost mount that the place of mount @i is in, by its path; NULL: the root file system. */
static const SpecMount *mount_around(const Spec *s, size_t i) {
        const SpecMount *around = NULL;

        for (size_t j = 0; j < s->n_mounts; j++)
                if (j != i && below(s->mounts[i].destination, s->mounts[j].destination) &&
                    (!around || !below(around->destination, s->mounts[j].destination)))
                        around = &s->mounts[j];
        return around;
}

/* A fresh copy of the root file system, and what was bound, may lack the places of mounts. A file system
 * that criu makes has them. */
static int make_place(const Spec *s, const State *st, int root_fd, size_t i, bool directory) {
        const SpecMount *m = &s->mounts[i], *around = mount_around(s, i);
        _cleanup_close_ int fd = -EBADF, source_fd = -EBADF;

        if (around && around->bind) {
                _cleanup_free_ char *source = source_of(around, st);

                if (!source)
                        return -ENOMEM;
                source_fd = open(source, O_PATH | O_DIRECTORY | O_CLOEXEC);
                if (source_fd < 0)
                        return fail_errno(errno, "restore: mount %s: open %s", m->destination, source);
                fd = root_path_ensure(source_fd, below(m->destination, around->destination), directory, 0);
        } else if (!around)
                fd = root_path_ensure(root_fd, m->destination, directory, 0);
        else
                return 0;
        return fd < 0 ? fail_errno(fd, "restore: mount %s: destination", m->destination) : 0;
}

/**
 * criu_mounts_restore_cgroup - give the mounts of cgroups their source, once the container's cgroup is
 * known: no more than that one for a container that has a cgroup namespace.
 */
void criu_mounts_restore_cgroup(CriuCall *c, const Spec *s, const State *st, const char *cgroup_mount) {
        for (size_t i = 0; i < s->n_mounts; i++)
                if (is_cgroup(&s->mounts[i]))
                        criu_add_external(c, "mnt[%s]:%s%s", s->mounts[i].destination, cgroup_mount,
                                          s->ns[NS_CGROUP].present ? st->cgroup : "");
}

/** criu_mounts_restore - give the host's mounts (but cgroups) their sources again and make places to mount
 * on. */
int criu_mounts_restore(CriuCall *c, const Spec *s, const State *st) {
        _cleanup_close_ int root_fd = open(st->rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC);
        _cleanup_free_ char *host = NULL;
        int r;

        if (root_fd < 0)
                return fail_errno(errno, "root file system %s", st->rootfs);
        r = read_mountinfo("/proc/self/mountinfo", &host);
        for (size_t i = 0; r >= 0 && i < s->n_mounts; i++) {
                const SpecMount *m = &s->mounts[i];
                _cleanup_free_ char *source = NULL;
                struct stat sb = { .st_mode = S_IFDIR };

                if (m->bind) {
                        source = source_of(m, st);
                        if (!source)
                                return -ENOMEM;
                        if (stat(source, &sb) < 0)
                                return fail_errno(errno, "mount %s on %s", source, m->destination);
                        criu_add_external(c, "mnt[%s]:%s", m->destination, source);
                        r = add_submounts(c, m, source, host, NULL, NULL);
                }
                if (r >= 0)
                        r = make_place(s, st, root_fd, i, S_ISDIR(sb.st_mode));
        }
        for (const char **p = s->masked; r >= 0 && p && *p; p++)
                criu_add_external(c, "mnt[%s]:/dev/null", *p);
        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(default_devices); i++)
                criu_add_external(c, "mnt[%s]:%s", default_devices[i], default_devices[i]);
        for (size_t i = 0; r >= 0 && i < s->n_devices; i++)
                criu_add_external(c, "mnt[%s]:%s", s->devices[i].path, s->devices[i].path);
        return r;
}
