/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cgroup.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "../../basic/clock.h"
#include "../../basic/fd.h"
#include "../../basic/file.h"
#include "../../basic/str.h"
#include "../error.h"
#include "cgroup-controllers.h"

#ifndef CGROUP2_SUPER_MAGIC
#define CGROUP2_SUPER_MAGIC 0x63677270
#endif

#define CGROUP_DEPTH_MAX 64
#define WAIT_MAX_USEC (10 * USEC_PER_SEC)

/** cgroup_find_mount - where cgroup2 is mounted. @ret: static text. Return: 0, or -errno with a message. */
int cgroup_find_mount(const char **ret) {
        static const char *const places[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };
        static const char *found;

        for (size_t i = 0; !found && i < ELEMENTSOF(places); i++) {
                struct statfs fs;

                if (statfs(places[i], &fs) >= 0 && fs.f_type == CGROUP2_SUPER_MAGIC)
                        found = places[i];
        }
        if (!found)
                return fail_text(ENODEV, "cgroup v2 is not mounted on /sys/fs/cgroup");
        *ret = found;
        return 0;
}

static bool path_is_safe(const char *path) {
        for (const char *p = path; *p;) {
                size_t n;

                p += strspn(p, "/");
                n = strcspn(p, "/");
                if (n > 255 || (n == 2 && p[0] == '.' && p[1] == '.') || (n == 1 && p[0] == '.'))
                        return false;
                p += n;
        }
        return path[0] == '/';
}

/** cgroup_open_mount - a descriptor of the root of cgroup2. Return: it, or -errno with a message. */
int cgroup_open_mount(void) {
        const char *mount;
        int fd, r;

        r = cgroup_find_mount(&mount);
        if (r < 0)
                return r;
        fd = open(mount, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return fd < 0 ? fail_errno(errno, "open %s", mount) : fd;
}

/**
 * cgroup_create - make @path (below the cgroup2 mount) and what is missing above it.
 * @ret_made: how many levels were made, for cgroup_remove_made().
 *
 * Return: a descriptor of the directory, or -errno with a message.
 */
int cgroup_create(const char *path, unsigned *ret_made) {
        _cleanup_close_ int fd = cgroup_open_mount();
        _cleanup_free_ char *copy = strdup(path);
        unsigned made = 0;
        char *p;

        if (fd < 0)
                return fd;
        if (!copy)
                return -ENOMEM;
        if (!path_is_safe(path) || !path[strspn(path, "/")])
                return fail_text(EINVAL,
                                 "config.json: linux.cgroupsPath: \"%s\" is not a clean absolute path",
                                 path);
        /* Its end would be that of all processes of the host, or of the container that we are in. */
        if (!path[strspn(path, "/")])
                return fail_text(EINVAL, "config.json: linux.cgroupsPath: \"%s\" is the root cgroup", path);
        for (p = copy + strspn(copy, "/"); *p;) {
                char *end = p + strcspn(p, "/");
                bool last = !*end;
                int child;

                *end = 0;
                if (mkdirat(fd, p, 0755) >= 0) {
                        made++;
                        cgroup_enable_available(fd);
                } else if (errno != EEXIST) {
                        int r = fail_errno(errno, "create cgroup %s", path);

                        cgroup_remove_made(path, made);
                        return r;
                }
                child = openat(fd, p, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
                if (child < 0) {
                        int r = fail_errno(errno, "open cgroup %s", path);

                        cgroup_remove_made(path, made);
                        return r;
                }
                (void) safe_close(fd);
                fd = child;
                if (last)
                        break;
                p = end + 1 + strspn(end + 1, "/");
        }
        *ret_made = made;
        return TAKE_FD(fd);
}

/**
 * cgroup_check_unused - whether a cgroup that somebody else has made can become a container's, who will be
 * counted, limited and killed by it as a whole.
 *
 * Return: 0, -EBUSY when it has processes or is frozen, or -errno; with a message.
 */
int cgroup_check_unused(int cgroup_fd, const char *path) {
        int r = cgroup_is_populated(cgroup_fd);

        if (r < 0)
                return fail_errno(r, "cgroup %s: read cgroup.events", path);
        if (r > 0)
                return fail_text(EBUSY, "container's cgroup is not empty: %s", path);
        if (cgroup_is_frozen(cgroup_fd) > 0)
                return fail_text(EBUSY, "container's cgroup unexpectedly frozen: %s", path);
        return 0;
}

/**
 * cgroup_open - a descriptor of an existing cgroup.
 * @path: NULL for a rootless container that has none.
 *
 * Return: it, -ENOENT, -EOPNOTSUPP without a path, or -errno; with a message.
 */
int cgroup_open(const char *path) {
        _cleanup_close_ int mount = cgroup_open_mount();
        int fd;

        if (!path)
                return fail_text(EOPNOTSUPP, "the container has no cgroup: its user had none to make it in");
        if (mount < 0)
                return mount;
        if (!path_is_safe(path))
                return fail_text(EINVAL, "cgroup path \"%s\" is not clean", path);
        fd = openat(mount, path + strspn(path, "/"), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        return fd < 0 ? fail_errno(errno, "open cgroup %s", path) : fd;
}

/** cgroup_of_pid - the cgroup2 path of a process as our cgroup namespace sees it. */
int cgroup_of_pid(pid_t pid, char **ret) {
        _cleanup_free_ char *text = NULL;
        char path[64], *line, *end;
        int r;

        (void) snprintf(path, sizeof(path), "/proc/%d/cgroup", (int) pid);
        r = read_file_at(AT_FDCWD, path, 64 * 1024, &text, NULL);
        if (r < 0)
                return fail_errno(r, "read %s", path);
        line = startswith(text, "0::") ? text : strstr(text, "\n0::");
        if (!line)
                return fail_text(ENODEV, "%s: no cgroup v2 line", path);
        line = strchr(line, '/');
        if (!line)
                return fail_text(ENODEV, "%s: no cgroup v2 path", path);
        end = strchrnul(line, '\n');
        *ret = strndup(line, (size_t) (end - line));
        return *ret ? 0 : -ENOMEM;
}

/* Return: 1 when @key of cgroup.events has @value, else 0; -errno. */
static int event_is(int events_fd, const char *key, char value) {
        char text[256], *p;
        ssize_t n;

        n = pread(events_fd, text, sizeof(text) - 1, 0);
        if (n < 0)
                return negative_errno();
        text[n] = 0;
        p = strstr(text, key);
        return p && p[strlen(key)] == ' ' && p[strlen(key) + 1] == value;
}

/* The kernel reports changes of cgroup.events by POLLPRI. */
static int wait_event(int cgroup_fd, const char *key, char value) {
        usec_t until = now_monotonic() + WAIT_MAX_USEC;
        struct pollfd p = { .events = POLLPRI };
        _cleanup_close_ int fd = -EBADF;

        p.fd = fd = openat(cgroup_fd, "cgroup.events", O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return negative_errno();
        for (;;) {
                int r = event_is(fd, key, value);
                usec_t now = now_monotonic();

                if (r != 0)
                        return r < 0 ? r : 0;
                if (now >= until)
                        return -ETIMEDOUT;
                if (poll(&p, 1, (int) ((until - now) / USEC_PER_MSEC) + 1) < 0 && errno != EINTR)
                        return negative_errno();
        }
}

/* A process that was reaped may still be leaving its cgroup, and a hook outlive the process it ran for. */
static int remove_when_empty(int mount_fd, const char *path) {
        _cleanup_close_ int fd = -EBADF;
        int r;

        if (unlinkat(mount_fd, path, AT_REMOVEDIR) >= 0)
                return 0;
        if (errno != EBUSY)
                return negative_errno();
        fd = openat(mount_fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
                return negative_errno();
        (void) write_string_at(fd, "cgroup.kill", "1");
        r = wait_event(fd, "populated", '0');
        if (r < 0)
                return r;
        return unlinkat(mount_fd, path, AT_REMOVEDIR) < 0 ? negative_errno() : 0;
}

/** cgroup_remove_made - take the last @made levels of @path away again, with whatever runs in the last one,
 * as far as they are empty then. */
void cgroup_remove_made(const char *path, unsigned made) {
        _cleanup_close_ int fd = cgroup_open_mount();
        _cleanup_free_ char *copy = strdup(path);

        for (bool leaf = true; fd >= 0 && copy && made > 0; made--, leaf = false) {
                const char *relative = copy + strspn(copy, "/");
                char *slash = strrchr(copy, '/');

                /* Levels above may have got other children meanwhile, which stay. */
                if ((leaf ? remove_when_empty(fd, relative) : unlinkat(fd, relative, AT_REMOVEDIR)) < 0 ||
                    !slash)
                        return;
                *slash = 0;
        }
}

/** cgroup_freeze - freeze or thaw everything in the cgroup and wait until it is so. */
int cgroup_freeze(int cgroup_fd, bool freeze) {
        int r;

        r = write_string_at(cgroup_fd, "cgroup.freeze", freeze ? "1" : "0");
        if (r < 0)
                return fail_errno(r, "cgroup.freeze");
        r = wait_event(cgroup_fd, "frozen", freeze ? '1' : '0');
        return r < 0 ? fail_errno(r, "wait for the cgroup to %s", freeze ? "freeze" : "thaw") : 0;
}

/** cgroup_is_frozen - whether it was asked to be frozen. Return: 1, 0 or -errno. */
int cgroup_is_frozen(int cgroup_fd) {
        _cleanup_free_ char *text = NULL;
        int r = read_file_at(cgroup_fd, "cgroup.freeze", 64, &text, NULL);

        return r < 0 ? r : text[0] == '1';
}

/** cgroup_is_populated - whether there are processes in it or below. Return: 1, 0 or -errno. */
int cgroup_is_populated(int cgroup_fd) {
        _cleanup_free_ char *text = NULL;
        int r = read_file_at(cgroup_fd, "cgroup.events", 4096, &text, NULL);

        return r < 0 ? r : strstr(text, "populated 1") != NULL;
}

static int collect_pids(int cgroup_fd, unsigned depth, pid_t **list, size_t *n);

static int collect_children(int cgroup_fd, unsigned depth, pid_t **list, size_t *n) {
        struct dirent *de;
        int fd, r = 0;
        DIR *d;

        fd = openat(cgroup_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        d = fd >= 0 ? fdopendir(fd) : NULL;
        if (!d) {
                (void) safe_close(fd);
                return negative_errno();
        }
        while (r >= 0 && (de = readdir(d))) {
                _cleanup_close_ int child = -EBADF;

                if (de->d_type != DT_DIR || de->d_name[0] == '.')
                        continue;
                child = openat(cgroup_fd, de->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
                if (child >= 0)
                        r = collect_pids(child, depth + 1, list, n);
        }
        (void) closedir(d);
        return r;
}

static int collect_pids(int cgroup_fd, unsigned depth, pid_t **list, size_t *n) {
        _cleanup_free_ char *text = NULL;
        int r;

        if (depth > CGROUP_DEPTH_MAX)
                return -ELOOP;
        r = read_file_at(cgroup_fd, "cgroup.procs", 16 * 1024 * 1024, &text, NULL);
        /* Removed meanwhile, so it was empty. */
        if (r == -ENODEV || r == -ENOENT)
                return 0;
        /* A threaded cgroup has no process list of its own: its domain's shows them. */
        if (r < 0 && r != -EOPNOTSUPP)
                return r;
        for (char *p = text; p && *p;) {
                char *end;
                long pid = strtol(p, &end, 10);
                pid_t *grown;

                if (end == p)
                        break;
                grown = reallocarray(*list, *n + 1, sizeof(pid_t));
                if (!grown)
                        return -ENOMEM;
                *list = grown;
                (*list)[(*n)++] = (pid_t) pid;
                p = end + strspn(end, "\n");
        }
        return collect_children(cgroup_fd, depth, list, n);
}

/** cgroup_pids - all processes in the cgroup and below. @ret: owned by the caller. */
int cgroup_pids(int cgroup_fd, pid_t **ret, size_t *ret_n) {
        _cleanup_free_ pid_t *list = NULL;
        size_t n = 0;
        int r;

        r = collect_pids(cgroup_fd, 0, &list, &n);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(list);
        *ret_n = n;
        return 0;
}

/** cgroup_signal - send @sig to every process in the cgroup and below. */
int cgroup_signal(int cgroup_fd, int sig) {
        _cleanup_free_ pid_t *list = NULL;
        size_t n;
        int r;

        if (sig == SIGKILL)
                return cgroup_kill(cgroup_fd);
        r = cgroup_pids(cgroup_fd, &list, &n);
        if (r < 0)
                return fail_errno(r, "processes of the cgroup");
        for (size_t i = 0; i < n; i++)
                if (list[i] > 0 && kill(list[i], sig) < 0 && errno != ESRCH)
                        return fail_errno(errno, "kill %d", (int) list[i]);
        return 0;
}

/** cgroup_kill - SIGKILL everything, frozen or not. Kernels before 5.14 have no cgroup.kill. */
int cgroup_kill(int cgroup_fd) {
        _cleanup_free_ pid_t *list = NULL;
        size_t n;
        int r;

        r = write_string_at(cgroup_fd, "cgroup.kill", "1");
        if (r != -ENOENT)
                return r < 0 && r != -ENODEV ? fail_errno(r, "cgroup.kill") : 0;
        r = write_string_at(cgroup_fd, "cgroup.freeze", "1");
        /* Removed, so nobody is left in it: systemd is quick when the last process of a scope has died. */
        if (r == -ENOENT || r == -ENODEV)
                return 0;
        if (r >= 0)
                r = cgroup_pids(cgroup_fd, &list, &n);
        for (size_t i = 0; r >= 0 && i < n; i++)
                if (list[i] > 0)
                        (void) kill(list[i], SIGKILL);
        (void) write_string_at(cgroup_fd, "cgroup.freeze", "0");
        return r < 0 ? fail_errno(r, "kill the cgroup") : 0;
}

static int remove_below(int dir_fd, const char *name, unsigned depth) {
        struct dirent *de;
        int fd, r = 0;
        DIR *d;

        if (unlinkat(dir_fd, name, AT_REMOVEDIR) >= 0 || errno == ENOENT)
                return 0;
        if (depth > CGROUP_DEPTH_MAX)
                return -ELOOP;
        fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        d = fd >= 0 ? fdopendir(fd) : NULL;
        if (!d) {
                (void) safe_close(fd);
                return negative_errno();
        }
        while (r >= 0 && (de = readdir(d)))
                if (de->d_type == DT_DIR && de->d_name[0] != '.')
                        r = remove_below(dirfd(d), de->d_name, depth + 1);
        (void) closedir(d);
        if (r >= 0 && unlinkat(dir_fd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
                r = negative_errno();
        return r;
}

/**
 * cgroup_remove - remove a cgroup and what the payload made in it, waiting (bounded) for dying processes to
 * be gone.
 *
 * Return: 0 also when it does not exist, -EBUSY or -ETIMEDOUT when processes stay, or -errno; with a
 * message.
 */
int cgroup_remove(const char *path) {
        _cleanup_close_ int mount = cgroup_open_mount(), fd = -EBADF;
        const char *relative = path + strspn(path, "/");
        int r;

        if (mount < 0)
                return mount;
        if (!path_is_safe(path) || !*relative)
                return fail_text(EINVAL, "cgroup path \"%s\" is not clean", path);
        r = remove_below(mount, relative, 0);
        if (r != -EBUSY)
                return r < 0 ? fail_errno(r, "remove cgroup %s", path) : 0;
        fd = openat(mount, relative, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        r = fd < 0 ? negative_errno() : wait_event(fd, "populated", '0');
        if (r >= 0)
                r = remove_below(mount, relative, 0);
        return r < 0 && r != -ENOENT ? fail_errno(r, "remove cgroup %s", path) : 0;
}
