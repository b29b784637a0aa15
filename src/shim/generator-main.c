/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <fcntl.h>
#include <mntent.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../basic/fd.h"
#include "../basic/file.h"
#include "../basic/log.h"
#include "../basic/str.h"
#include "../shared/unit-name.h"
#include "config.h"

/*
 * berth-generator: which containers start with the host, without the engine. Two forms, one rule:
 *
 * `berth-generator NORMAL EARLY LATE`, run by systemd before anything is mounted. If the containers can be
 * read already, multi-user.target gets a Wants= on each one's service. If /var (or a directory on the way)
 * is a file system of its own that is not there yet, it gets berth-autostart.service instead, which waits
 * for the mount and runs the other form:
 *
 * `berth-generator --start`, which asks systemd to start the same containers.
 */
#define TARGET "multi-user.target"
#define AUTOSTART "berth-autostart.service"
#define CONTAINERS_MAX 4096

typedef int (*ContainerHandler)(const char *id, void *userdata);

static bool is_due(int containers_fd, const char *id) {
        _cleanup_close_ int fd = openat(containers_fd, id, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
        History history;
        RestartPolicy policy;
        Config config;

        if (fd < 0 || config_load(fd, &config) < 0)
                return false;
        policy = config.restart;
        config_done(&config);
        if (policy != RESTART_ALWAYS && policy != RESTART_UNLESS_STOPPED)
                return false;
        if (history_load(fd, &history) < 0)
                return false;
        /* `always` comes back even if it was stopped (Docker's rule), but not one that was only ever
         * created. */
        return history.running_desired || (policy == RESTART_ALWAYS && history.epoch > 0);
}

static int for_each_due(ContainerHandler handler, void *userdata) {
        int fd = open(BERTH_CONTAINERS_DIR, O_DIRECTORY | O_RDONLY | O_CLOEXEC), r = 0;
        struct dirent *e;
        DIR *d;

        if (fd < 0)
                return negative_errno();
        d = fdopendir(fd);
        if (!d) {
                (void) safe_close(fd);
                return -ENOMEM;
        }
        while (r >= 0 && (e = readdir(d)))
                if (container_id_is_valid(e->d_name) && is_due(dirfd(d), e->d_name))
                        r = handler(e->d_name, userdata);
        (void) closedir(d);
        return r;
}

static int add_want(const char *dir, const char *unit, const char *source) {
        char path[512], target[512];

        (void) snprintf(path, sizeof(path), "%s/" TARGET ".wants", dir);
        if (mkdir(path, 0755) < 0 && errno != EEXIST)
                return negative_errno();
        (void) snprintf(path, sizeof(path), "%s/" TARGET ".wants/%s", dir, unit);
        (void) snprintf(target, sizeof(target), "%s/%s", BERTH_UNIT_DIR, source);
        return symlink(target, path) < 0 && errno != EEXIST ? negative_errno() : 0;
}

static int want_container(const char *id, void *userdata) {
        char unit[UNIT_NAME_SIZE];

        unit_name_shim(id, unit);
        return add_want(userdata, unit, "berth@.service");
}

static bool is_on_the_way(const char *mount_point) {
        size_t n = strlen(mount_point);

        return n > 1 && strncmp(BERTH_CONTAINERS_DIR, mount_point, n) == 0 &&
               (BERTH_CONTAINERS_DIR[n] == '/' || BERTH_CONTAINERS_DIR[n] == 0);
}

/* A file system that fstab puts on the way to the containers and that is not mounted yet. */
static bool comes_later(void) {
        struct stat root, st;
        struct mntent *m;
        bool later = false;
        FILE *f;

        f = setmntent("/etc/fstab", "re");
        if (!f)
                return access(BERTH_CONTAINERS_DIR, F_OK) < 0;
        while (!later && (m = getmntent(f)))
                later = is_on_the_way(m->mnt_dir) && stat("/", &root) == 0 &&
                        (stat(m->mnt_dir, &st) < 0 || st.st_dev == root.st_dev);
        (void) endmntent(f);
        /* A mount unit, or an image-based system: it is simply not there. */
        return later || access(BERTH_CONTAINERS_DIR, F_OK) < 0;
}

static int generate(const char *dir) {
        if (comes_later())
                return add_want(dir, AUTOSTART, AUTOSTART);
        return for_each_due(want_container, (void *) dir);
}

typedef struct StartList {
        char *argv[CONTAINERS_MAX + 5];
        size_t n;
} StartList;

static int collect(const char *id, void *userdata) {
        StartList *l = userdata;
        char unit[UNIT_NAME_SIZE];

        if (l->n >= CONTAINERS_MAX + 4)
                return -E2BIG;
        unit_name_shim(id, unit);
        l->argv[l->n] = strdup(unit);
        return l->argv[l->n++] ? 0 : -ENOMEM;
}

static int start_now(void) {
        StartList l = { .argv = { (char *) "systemctl", (char *) "start", (char *) "--no-block",
                                  (char *) "--" },
                        .n = 4 };
        int r = for_each_due(collect, &l);

        if (r == -E2BIG)
                log_warning("More than %d containers want to start with the host, the rest is left out.",
                            CONTAINERS_MAX);
        else if (r < 0 && r != -ENOENT)
                return r;
        if (l.n == 4)
                return 0;
        (void) execvp("systemctl", l.argv);
        return negative_errno();
}

static int usage(FILE *f) {
        (void) fprintf(f, "Usage: berth-generator NORMAL-DIR EARLY-DIR LATE-DIR | --start\n\n"
                          "Starts containers with the host; see berth-generator(8).\n");
        return f == stdout ? 0 : 2;
}

int main(int argc, char *argv[]) {
        int r;

        log_set_identifier("berth-generator");
        if (argc == 2 && streq(argv[1], "--help"))
                return usage(stdout);
        if (argc == 2 && streq(argv[1], "--start"))
                r = start_now();
        else if (argc == 4 && argv[1][0] == '/')
                r = generate(argv[1]);
        else
                return usage(stderr);
        if (r < 0)
                (void) log_error_errno(r, "Cannot arrange the start of containers: %m");
        return r < 0 ? 1 : 0;
}
