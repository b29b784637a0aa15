/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kick.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "../basic/clock.h"
#include "../basic/fd.h"
#include "../basic/file.h"
#include "../basic/macro.h"
#include "../basic/str.h"

/* A kick that is younger than this still helps. */
#define KICK_INTERVAL (5 * USEC_PER_MSEC)

struct Kick {
        pthread_t thread;
        int event_fd;
        int procs_fd; /* cgroup.procs of our own cgroup: writing ourselves there takes the lock and moves
                         nothing */
        usec_t last;
};

static void *kick_thread(void *userdata) {
        const Kick *k = userdata;
        uint64_t n;

        while (read(k->event_fd, &n, sizeof(n)) == sizeof(n) && n < UINT32_MAX)
                (void) !write(k->procs_fd, "0", 1);
        return NULL;
}

static int open_own_procs(void) {
        _cleanup_free_ char *text = NULL, *path = NULL;
        static const char *const mounts[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };
        char *line, *end;
        int fd = -ENOENT, r;

        r = read_file_at(AT_FDCWD, "/proc/self/cgroup", 64 * 1024, &text, NULL);
        if (r < 0)
                return r;
        line = strstr(text, "0::/");
        if (!line)
                return -ENOENT;
        end = strchrnul(line, '\n');
        *end = 0;
        for (size_t i = 0; i < ELEMENTSOF(mounts) && fd < 0; i++) {
                free(path);
                path = str_concat(mounts[i], line + 3, "/cgroup.procs");
                if (!path)
                        return -ENOMEM;
                fd = open(path, O_WRONLY | O_CLOEXEC);
                if (fd < 0)
                        fd = negative_errno();
        }
        return fd;
}

/** kick_new - start the thread. Return: 0, or -errno when our cgroup cannot be written. */
int kick_new(Kick **ret) {
        pthread_attr_t attr;
        Kick *k = new0(Kick, 1);
        int r;

        if (!k)
                return -ENOMEM;
        k->event_fd = eventfd(0, EFD_CLOEXEC);
        k->procs_fd = open_own_procs();
        r = k->event_fd < 0 ? negative_errno() : k->procs_fd < 0 ? k->procs_fd : 0;
        if (r >= 0) {
                (void) pthread_attr_init(&attr);
                (void) pthread_attr_setstacksize(&attr, 64 * 1024);
                r = -pthread_create(&k->thread, &attr, kick_thread, k);
                (void) pthread_attr_destroy(&attr);
        }
        if (r < 0) {
                (void) safe_close(k->event_fd);
                (void) safe_close(k->procs_fd);
                free(k);
                return r;
        }
        *ret = k;
        return 0;
}

/** kick_free - end the thread. Return: NULL. */
Kick *kick_free(Kick *k) {
        uint64_t quit = UINT32_MAX;

        if (!k)
                return NULL;
        (void) !write(k->event_fd, &quit, sizeof(quit));
        (void) pthread_join(k->thread, NULL);
        (void) safe_close(k->event_fd);
        (void) safe_close(k->procs_fd);
        free(k);
        return NULL;
}

/** kick_now - see kick.h. */
void kick_now(Kick *k) {
        uint64_t one = 1;
        usec_t now;

        if (!k)
                return;
        now = now_monotonic();
        if (now - k->last < KICK_INTERVAL)
                return;
        k->last = now;
        (void) !write(k->event_fd, &one, sizeof(one));
}
