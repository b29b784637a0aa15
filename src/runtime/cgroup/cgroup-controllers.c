/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which controllers work in a cgroup is written into the cgroups above it. A cgroup with processes of its
 * own is never touched: for a controller as memory the kernel answers EBUSY, but one as pids it would switch
 * on, make the cgroup the root of a threaded tree by it, and the container's cgroup below it could not be
 * entered.
 */
#include "cgroup-controllers.h"

#include <fcntl.h>
#include <unistd.h>

#include "../../basic/buffer.h"
#include "../../basic/fd.h"
#include "../../basic/file.h"
#include "../../basic/str.h"
#include "../error.h"
#include "../runtime-log.h"
#include "cgroup.h"

#define LIST_MAX 4096

/* The real root, which has no type, may have processes and children with controllers. */
static bool has_processes(int fd) {
        _cleanup_close_ int procs = -EBADF;
        char c;

        if (faccessat(fd, "cgroup.type", F_OK, 0) < 0)
                return false;
        procs = openat(fd, "cgroup.procs", O_RDONLY | O_CLOEXEC);
        return procs < 0 || read(procs, &c, 1) != 0;
}

static bool has_word(const char *list, const char *word, size_t n) {
        for (const char *p = list; (p = strstr(p, word)); p += n)
                if ((p == list || p[-1] == ' ') && (!p[n] || p[n] == ' ' || p[n] == '\n'))
                        return true;
        return false;
}

static bool file_has_word(int fd, const char *file, const char *word) {
        _cleanup_free_ char *list = NULL;

        return read_file_at(fd, file, LIST_MAX, &list, NULL) >= 0 && has_word(list, word, strlen(word));
}

/* All at once, or else (a controller may refuse: cpu does with real-time processes) one by one. */
static void enable_words(int fd, const char *words) {
        _cleanup_strv_ char **list = NULL;

        if (write_string_at(fd, "cgroup.subtree_control", words) >= 0 || strv_split(words, ' ', &list) < 0)
                return;
        for (char **w = list; *w; w++)
                if (write_string_at(fd, "cgroup.subtree_control", *w) < 0)
                        runtime_debug("cgroup.subtree_control: %s is refused", *w);
}

/**
 * cgroup_enable_available - let all controllers that work in @parent_fd also work in what is made in it, so
 * that a container is counted from its first process on. As far as that is possible: who asks for a limit
 * will hear.
 */
void cgroup_enable_available(int parent_fd) {
        _cleanup_free_ char *have = NULL, *enabled = NULL;
        _cleanup_buffer_ Buffer b = BUFFER_INIT(LIST_MAX);

        if (read_file_at(parent_fd, "cgroup.controllers", LIST_MAX, &have, NULL) < 0 ||
            read_file_at(parent_fd, "cgroup.subtree_control", LIST_MAX, &enabled, NULL) < 0)
                return;
        for (const char *p = have + strspn(have, " \n"); *p;) {
                size_t n = strcspn(p, " \n");
                char word[64];

                if (n < sizeof(word)) {
                        memcpy(word, p, n);
                        word[n] = 0;
                        if (!has_word(enabled, word, n) &&
                            buffer_appendf(&b, "%s+%s", b.size > 0 ? " " : "", word) < 0)
                                return;
                }
                p += n + strspn(p + n, " \n");
        }
        if (b.size > 0 && !has_processes(parent_fd))
                enable_words(parent_fd, b.data);
}

typedef int (*LevelFunction)(int fd, const char *path, const char *controller);

/* Calls @f for every cgroup above @path, from the root down, until it returns another value than 0. */
static int for_each_above(const char *path, const char *controller, LevelFunction f) {
        _cleanup_close_ int fd = cgroup_open_mount();
        _cleanup_free_ char *copy = strdup(path), *above = strdup("/");
        int r;

        if (fd < 0)
                return fd;
        if (!copy || !above)
                return -ENOMEM;
        for (char *p = copy + strspn(copy, "/"); *p;) {
                char *end = p + strcspn(p, "/"), *next = end + strspn(end, "/");
                int child;

                r = f(fd, above, controller);
                if (r != 0 || !*next)
                        return r;
                *end = 0;
                child = openat(fd, p, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
                if (child < 0)
                        return negative_errno();
                (void) safe_close(fd);
                fd = child;
                free(above);
                above = strndup(path, (size_t) (end - copy));
                if (!above)
                        return -ENOMEM;
                p = next;
        }
        return 0;
}

static int enable_level(int fd, const char *path, const char *controller) {
        _cleanup_free_ char *word = NULL;

        if (file_has_word(fd, "cgroup.subtree_control", controller))
                return 0;
        if (has_processes(fd))
                return -EBUSY;
        word = str_concat("+", controller);
        return word ? write_string_at(fd, "cgroup.subtree_control", word) : -ENOMEM;
}

static char *controller_of(const char *file) {
        return strndup(file, strcspn(file, "."));
}

/**
 * cgroup_enable_controllers - let the controller of @file ("memory.max") work in @path, by subtree_control
 * of every level above it.
 *
 * Return: 0, or -errno without a message: cgroup_explain_missing() has one.
 */
int cgroup_enable_controllers(const char *path, const char *file) {
        _cleanup_free_ char *controller = controller_of(file);

        return controller ? for_each_above(path, controller, enable_level) : -ENOMEM;
}

static int explain_level(int fd, const char *path, const char *controller) {
        if (!file_has_word(fd, "cgroup.controllers", controller))
                return fail_text(EOPNOTSUPP,
                                 "the requested cgroup controller `%s` is not available in cgroup %s",
                                 controller, path);
        if (file_has_word(fd, "cgroup.subtree_control", controller))
                return 0;
        if (has_processes(fd))
                return fail_text(EBUSY,
                                 "controller \"%s\" cannot be enabled below cgroup %s, which has processes "
                                 "of its own",
                                 controller, path);
        return fail_text(EOPNOTSUPP, "controller \"%s\" cannot be enabled below cgroup %s", controller,
                         path);
}

/**
 * cgroup_explain_missing - why @path has no @file.
 *
 * Return: -EOPNOTSUPP, -EBUSY when a cgroup above has processes, or another -errno; with a message.
 */
int cgroup_explain_missing(const char *path, const char *file) {
        _cleanup_free_ char *controller = controller_of(file), *why = NULL;
        int r;

        if (!controller)
                return -ENOMEM;
        r = for_each_above(path, controller, explain_level);
        if (r < 0) {
                why = strdup(fail_message());
                return why ? fail_text(r, "cgroup %s: can't set \"%s\": %s", path, file, why) : -ENOMEM;
        }
        return fail_text(EOPNOTSUPP,
                         "cgroup %s: can't set \"%s\": controller \"%s\" has no such file here: %s", path,
                         file, controller, strerror(ENOENT));
}

/**
 * cgroup_explain_entry - why a process could not be put into a cgroup.
 * @error: what the kernel said.
 *
 * Return: -|error| with a message when the state of the cgroup is the reason, else 0 and the last message
 * stays.
 */
int cgroup_explain_entry(int cgroup_fd, const char *path, int error) {
        _cleanup_free_ char *type = NULL, *enabled = NULL;

        if ((error != -EOPNOTSUPP && error != -EBUSY) || cgroup_fd < 0)
                return 0;
        if (read_file_at(cgroup_fd, "cgroup.type", LIST_MAX, &type, NULL) >= 0 && !streq(type, "domain\n")) {
                type[strcspn(type, "\n")] = 0;
                return fail_text(error,
                                 "cannot enter cgroup %s: its type is \"%s\", for a cgroup above it is in "
                                 "threaded mode",
                                 path, type);
        }
        if (error == -EBUSY &&
            read_file_at(cgroup_fd, "cgroup.subtree_control", LIST_MAX, &enabled, NULL) >= 0 && enabled[0])
                return fail_text(
                                error,
                                "cannot enter cgroup %s: controllers are enabled for the cgroups below it: %.*s",
                                path, (int) strcspn(enabled, "\n"), enabled);
        return 0;
}
