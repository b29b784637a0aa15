/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * spawn-timer ROUNDS PAUSE_MS CMD... [-- CMD...]: runs the commands in turns and prints one line for each:
 * median and smallest wall time (microseconds), largest resident set (KB; of it and all it waited for), exit
 * code.
 *
 * A small static program, because exec counts the resident set of who spawned a process to the process, and
 * because an interpreter's fork is slower than what is measured. The commands take turns, so that what else
 * the machine does hits all alike, and who begins changes, since some costs depend on who ran before (moving
 * a process to another cgroup is dear unless somebody has just done it).
 */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define COMMANDS_MAX 16
#define ROUNDS_MAX 10000

extern char **environ;

typedef struct Contestant {
        char **argv;
        long usec[ROUNDS_MAX];
        long rss_kb;
        int status;
} Contestant;

static Contestant contestants[COMMANDS_MAX];

static long now_usec(void) {
        struct timespec t;

        (void) clock_gettime(CLOCK_MONOTONIC, &t);
        return t.tv_sec * 1000000L + t.tv_nsec / 1000;
}

/* A negative round warms caches and is not counted. */
static int run_once(Contestant *c, int round) {
        posix_spawn_file_actions_t actions;
        struct rusage usage;
        long start;
        pid_t pid;
        int r;

        (void) posix_spawn_file_actions_init(&actions);
        (void) posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
        (void) posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
        start = now_usec();
        r = posix_spawnp(&pid, c->argv[0], &actions, NULL, c->argv, environ);
        (void) posix_spawn_file_actions_destroy(&actions);
        if (r != 0)
                return -r;
        while (wait4(pid, &c->status, 0, &usage) < 0)
                if (errno != EINTR)
                        return -errno;
        if (round < 0)
                return 0;
        c->usec[round] = now_usec() - start;
        if (usage.ru_maxrss > c->rss_kb)
                c->rss_kb = usage.ru_maxrss;
        return 0;
}

static int compare(const void *a, const void *b) {
        const long *x = a, *y = b;

        return (*x > *y) - (*x < *y);
}

int main(int argc, char **argv) {
        int rounds, pause_ms, n = 0;

        if (argc < 4) {
                (void) fprintf(stderr, "usage: spawn-timer ROUNDS PAUSE_MS CMD... [-- CMD...]\n");
                return 2;
        }
        rounds = (int) strtoul(argv[1], NULL, 10);
        pause_ms = (int) strtoul(argv[2], NULL, 10);
        if (rounds < 1 || rounds > ROUNDS_MAX)
                return 2;
        contestants[n++].argv = argv + 3;
        for (int i = 3; i < argc; i++)
                if (strcmp(argv[i], "--") == 0) {
                        argv[i] = NULL;
                        if (n == COMMANDS_MAX || i + 1 == argc)
                                return 2;
                        contestants[n++].argv = argv + i + 1;
                }
        for (int round = -1; round < rounds; round++)
                for (int k = 0; k < n; k++) {
                        int i = (k + round + 1) % n, r = run_once(&contestants[i], round);

                        if (r < 0 || contestants[i].status != 0) {
                                (void) fprintf(stderr, "spawn-timer: %s: %s, status %d\n",
                                               contestants[i].argv[0], strerror(-r), contestants[i].status);
                                return 1;
                        }
                        if (pause_ms > 0)
                                (void) nanosleep(&(struct timespec){ pause_ms / 1000,
                                                                     pause_ms % 1000 * 1000000L },
                                                 NULL);
                }
        for (int i = 0; i < n; i++) {
                qsort(contestants[i].usec, (size_t) rounds, sizeof(long), compare);
                (void) printf("%ld %ld %ld\n", contestants[i].usec[rounds / 2], contestants[i].usec[0],
                              contestants[i].rss_kb);
        }
        return 0;
}
