/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The directories of a checkpoint. criu believes all that it reads there, follows links, and works as root:
 * so whoever can change what is in them can do anything to the host, and they have to be root's alone. What
 * is in them may still come from elsewhere (an unpacked archive): no image may lead out of the directory,
 * and a file that criu would write over must not be a way to another one.
 */
#include "image-dir.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../basic/clock.h"
#include "../../basic/fd.h"
#include "../../basic/file.h"
#include "../../basic/str.h"
#include "../error.h"

#define STDIO_SIZE_MAX (64 * 1024)
#define PAGES_SOCKET "lazy-pages.socket"
#define PAGES_WAIT_USEC (10 * USEC_PER_SEC)

/** image_dir_done - close what is open. */
void image_dir_done(ImageDir *d) {
        d->fd = safe_close(d->fd);
        d->work_fd = safe_close(d->work_fd);
}

/* @sticky: others may put files beside ours, as in /tmp. */
static int open_directory(const char *path, bool sticky, int *ret) {
        _cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        struct stat st;

        if (fd < 0 || fstat(fd, &st) < 0)
                return fail_errno(errno, "open %s", path);
        if (st.st_uid != geteuid() && st.st_uid != 0)
                return fail_text(EPERM, "%s belongs to user %u, who could change what runs as root", path,
                                 (unsigned) st.st_uid);
        if (((st.st_mode & S_IWOTH) || ((st.st_mode & S_IWGRP) && st.st_gid != 0)) &&
            !(sticky && (st.st_mode & S_ISVTX)))
                return fail_text(EPERM, "%s: others may write there and could change what runs as root",
                                 path);
        *ret = TAKE_FD(fd);
        return 0;
}

static bool is_own_file(int dir_fd, const char *name) {
        struct stat st;

        return fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) >= 0 && S_ISREG(st.st_mode) &&
               st.st_nlink == 1 && st.st_uid == geteuid();
}

/* criu opens these for writing, and follows links. */
static int remove_strangers(const ImageDir *d, const char *log) {
        const char *const names[] = { log, "stats-dump", "stats-restore" };

        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                if (!is_own_file(d->work_fd, names[i]) && unlinkat(d->work_fd, names[i], 0) < 0 &&
                    errno != ENOENT)
                        return fail_errno(errno, "remove %s/%s, which is no file of ours", d->work_path,
                                          names[i]);
        return 0;
}

static int check_image(const ImageDir *d, const char *name) {
        struct stat st;

        if (!endswith(name, ".img"))
                return 0;
        if (fstatat(d->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return fail_errno(errno, "stat %s/%s", d->path, name);
        return S_ISREG(st.st_mode) ? 0 : fail_text(ELOOP, "%s/%s is no regular file", d->path, name);
}

static DIR *list(int dir_fd) {
        int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *dir = fd < 0 ? NULL : fdopendir(fd);

        if (!dir && fd >= 0)
                (void) close(fd);
        return dir;
}

static int check_images(const ImageDir *d) {
        DIR *dir = list(d->fd);
        struct dirent *de;
        int r = 0;

        if (!dir)
                return fail_errno(errno, "read %s", d->path);
        while (r >= 0 && (errno = 0, de = readdir(dir)))
                r = check_image(d, de->d_name);
        if (r >= 0 && errno != 0)
                r = fail_errno(errno, "read %s", d->path);
        (void) closedir(dir);
        return r;
}

static int open_both(const char *path, const char *work_path, const char *log, ImageDir *ret) {
        int r;

        ret->path = path;
        ret->work_path = work_path ? work_path : path;
        r = open_directory(path, false, &ret->fd);
        if (r >= 0 && work_path) {
                r = mkdir_parents(work_path, 0700);
                if (r < 0)
                        return fail_errno(r, "create %s", work_path);
        }
        if (r >= 0)
                r = open_directory(ret->work_path, work_path, &ret->work_fd);
        if (r >= 0)
                r = check_images(ret);
        return r < 0 ? r : remove_strangers(ret, log);
}

/**
 * image_dir_make - the directory for a new checkpoint, made if it is missing.
 * @work_path: may be NULL; made if it is missing.
 * @log: the name of criu's log.
 * @ret: release with image_dir_done(), also after a failure, when image_dir_discard() may be called too.
 *
 * Return: 0, or -errno with a message; -EPERM if it is not root's alone, -ELOOP for images that are no
 * files.
 */
int image_dir_make(const char *path, const char *work_path, const char *log, ImageDir *ret) {
        struct stat st;

        if (stat(path, &st) < 0 && errno == ENOENT) {
                int r = mkdir_parents(path, 0700);

                if (r < 0)
                        return fail_errno(r, "create %s", path);
                ret->made = true;
        }
        return open_both(path, work_path, log, ret);
}

/**
 * image_dir_check_parent - whether the images that a new one is to build on are there.
 * @parent: relative to the image directory.
 *
 * Return: 0, or -errno with a message.
 */
int image_dir_check_parent(const ImageDir *d, const char *parent) {
        _cleanup_close_ int fd = openat(d->fd, parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        if (fd < 0)
                return fail_errno(errno, "--parent-path %s (relative to %s)", parent, d->path);
        if (faccessat(fd, CRIU_INVENTORY, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
                return fail_text(ENOENT, "--parent-path %s: there is no " CRIU_INVENTORY, parent);
        return 0;
}

/** image_dir_open - the directory of a checkpoint. Return: as image_dir_make(); -ENOENT if there is none. */
int image_dir_open(const char *path, const char *work_path, const char *log, ImageDir *ret) {
        _cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        if (fd < 0)
                return fail_errno(errno, "open %s", path);
        if (faccessat(fd, CRIU_INVENTORY, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
                return fail_text(ENOENT, "%s has no checkpoint: there is no " CRIU_INVENTORY, path);
        return open_both(path, work_path, log, ret);
}

/**
 * image_dir_discard - after a failed checkpoint: a directory that we made for nothing goes, unless criu's
 * log is in it; in one that was there before, only what would make it look like a checkpoint.
 */
void image_dir_discard(ImageDir *d) {
        struct dirent *de;
        DIR *dir;

        if (d->fd < 0)
                return;
        if (d->touched) {
                (void) unlinkat(d->fd, CRIU_INVENTORY, 0);
                (void) unlinkat(d->fd, CRIU_STDIO_FILE, 0);
        }
        if (!d->made)
                return;
        if (!streq(d->path, strempty(d->work_path))) {
                (void) remove_tree_at(AT_FDCWD, d->path);
                return;
        }
        dir = list(d->fd);
        while (dir && (de = readdir(dir)))
                if (endswith(de->d_name, ".img"))
                        (void) unlinkat(d->fd, de->d_name, 0);
        if (dir)
                (void) closedir(dir);
        /* Fails if the log is in it. */
        (void) rmdir(d->path);
}

/* Return: 1 if it is there, 0, -errno with a message. */
static int have_pages_socket(const ImageDir *d) {
        struct stat st;

        if (fstatat(d->work_fd, PAGES_SOCKET, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return errno == ENOENT ? 0 : fail_errno(errno, "stat %s/" PAGES_SOCKET, d->work_path);
        if (!S_ISSOCK(st.st_mode) || st.st_uid != geteuid())
                return fail_text(EPERM, "%s/" PAGES_SOCKET " is no socket of ours", d->work_path);
        return 1;
}

/**
 * image_dir_await_pages - wait until `criu lazy-pages` listens in the work directory; who starts both at
 * once cannot know which is faster. It takes one connection, so it is not tried here.
 *
 * Return: 0, or -errno with a message.
 */
int image_dir_await_pages(const ImageDir *d) {
        _cleanup_close_ int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
        usec_t until = now_monotonic() + PAGES_WAIT_USEC;
        char path[64], events[4096];
        int r;

        (void) snprintf(path, sizeof(path), "/proc/self/fd/%d", d->work_fd);
        if (fd < 0 || inotify_add_watch(fd, path, IN_CREATE | IN_MOVED_TO) < 0)
                return fail_errno(errno, "watch %s", d->work_path);
        while ((r = have_pages_socket(d)) == 0) {
                struct pollfd p = { .fd = fd, .events = POLLIN };
                usec_t now = now_monotonic();

                if (now >= until)
                        return fail_text(
                                        ENOENT,
                                        "restore: --lazy-pages: `criu lazy-pages` has to run with %s as its work "
                                        "directory; there is no " PAGES_SOCKET,
                                        d->work_path);
                if (poll(&p, 1, (int) ((until - now) / USEC_PER_MSEC) + 1) < 0 && errno != EINTR)
                        return fail_errno(errno, "watch %s", d->work_path);
                while (read(fd, events, sizeof(events)) > 0)
                        ;
        }
        return r < 0 ? r : 0;
}

/** stdio_names_done - release the names. */
void stdio_names_done(StdioNames *n) {
        for (size_t i = 0; i < STDIO_NAMES; i++)
                free(n->names[i]);
}

/* criu's names of what can be given again: pipe:[INODE], socket:[INODE], file[MOUNT:INODE],
 * tty[NUMBER:DEVICE].
 */
static bool is_foreign(const char *name) {
        return startswith(name, "pipe:[") || startswith(name, "socket:[") || startswith(name, "file[") ||
               startswith(name, "tty[");
}

/**
 * stdio_names_parse - a descriptors.json: a list of the three descriptors' names.
 * @ret: owned by the caller; NULL for a descriptor that does not have to be given from outside.
 *
 * Return: 0, -EBADMSG, -ENOMEM.
 */
int stdio_names_parse(const char *text, size_t size, StdioNames *ret) {
        _cleanup_stdio_names_ StdioNames n = {};
        _cleanup_json_ json_object *o = NULL;
        int r = json_parse(text, size, &o);

        if (r < 0)
                return r == -ENOMEM ? r : -EBADMSG;
        if (!json_object_is_type(o, json_type_array) || json_object_array_length(o) != STDIO_NAMES)
                return -EBADMSG;
        for (size_t i = 0; i < STDIO_NAMES; i++) {
                json_object *v = json_object_array_get_idx(o, i);
                const char *name;
                size_t length;

                if (!json_object_is_type(v, json_type_string))
                        return -EBADMSG;
                name = json_object_get_string(v);
                length = (size_t) json_object_get_string_len(v);
                if (length > STDIO_NAME_MAX || strlen(name) != length)
                        return -EBADMSG;
                if (!is_foreign(name))
                        continue;
                n.names[i] = strdup(name);
                if (!n.names[i])
                        return -ENOMEM;
        }
        *ret = n;
        n = (StdioNames) {};
        return 0;
}

/** stdio_names_load - those of a checkpoint. Return: 0, or -errno with a message. */
int stdio_names_load(const ImageDir *d, StdioNames *ret) {
        _cleanup_close_ int fd = openat(d->fd, CRIU_STDIO_FILE,
                                        O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW);
        _cleanup_free_ char *text = NULL;
        struct stat st;
        size_t size;
        int r;

        if (fd < 0 || fstat(fd, &st) < 0)
                return fail_errno(errno, "read %s/" CRIU_STDIO_FILE, d->path);
        if (!S_ISREG(st.st_mode))
                return fail_text(EBADMSG, "%s/" CRIU_STDIO_FILE " is no regular file", d->path);
        r = read_fd(fd, STDIO_SIZE_MAX, &text, &size);
        if (r >= 0)
                r = stdio_names_parse(text, size, ret);
        return r < 0 ? fail_errno(r, "read %s/" CRIU_STDIO_FILE, d->path) : 0;
}
