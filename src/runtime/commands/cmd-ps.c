/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ps: the processes of a container, by their pids on the host. The table is what ps(1) of the host prints,
 * less the lines of strangers; its options may be given after the id.
 */
#include <fcntl.h>
#include <getopt.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../basic/fd.h"
#include "../../basic/file.h"
#include "../../basic/str.h"
#include "../cgroup/cgroup.h"
#include "../error.h"
#include "../namespaces/pid-namespace.h"
#include "../runtime-log.h"
#include "../state.h"
#include "command.h"

#define PS_OUTPUT_MAX (64 * 1024 * 1024)
#define BLANK " \t"

typedef struct Pids {
        pid_t *list;
        size_t n;
} Pids;

static int compare_pids(const void *a, const void *b) {
        pid_t x = *(const pid_t *) a, y = *(const pid_t *) b;

        return x < y ? -1 : x > y;
}

/* A container that has ended has no processes; that is no error. */
static int find_pids(const State *s, Pids *ret) {
        _cleanup_close_ int cgroup = s->cgroup ? cgroup_open(s->cgroup) : -ENOENT;
        int r;

        *ret = (Pids) {};
        if (!s->cgroup) /* rootless */
                return state_status(s) == STATUS_STOPPED ? 0
                                                         : pid_namespace_pids(s->pid, &ret->list, &ret->n);
        if (cgroup == -ENOENT)
                return 0;
        if (cgroup < 0)
                return cgroup;
        r = cgroup_pids(cgroup, &ret->list, &ret->n);
        if (r < 0)
                return fail_errno(r, "processes of container \"%s\"", s->id);
        if (ret->n > 0)
                qsort(ret->list, ret->n, sizeof(pid_t), compare_pids);
        return 0;
}

/* Return: 0 with the output of ps, -ENOENT when there is no such program, or -errno with a message. */
static int run_ps(char *const *options, char **ret) {
        char *const defaults[] = { (char *) "ps", (char *) "-ef", NULL };
        posix_spawn_file_actions_t actions;
        _cleanup_close_ int out = -EBADF;
        int ends[2], r, status;
        pid_t pid;

        if (pipe2(ends, O_CLOEXEC) < 0)
                return fail_errno(errno, "pipe");
        out = ends[0];
        if (posix_spawn_file_actions_init(&actions) != 0) {
                (void) close(ends[1]);
                return -ENOMEM;
        }
        r = posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
        if (r == 0)
                r = posix_spawnp(&pid, "ps", &actions, NULL, options[1] ? options : defaults, environ);
        (void) posix_spawn_file_actions_destroy(&actions);
        (void) close(ends[1]);
        if (r != 0)
                return r == ENOENT ? -ENOENT : fail_errno(r, "start ps");
        r = read_fd(out, PS_OUTPUT_MAX, ret, NULL);
        out = safe_close(out);
        while (waitpid(pid, &status, 0) < 0)
                if (errno != EINTR)
                        return fail_errno(errno, "wait for ps");
        if (r < 0)
                return fail_errno(r, "output of ps");
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
                return fail_text(EINVAL, "ps failed with status %d",
                                 WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
        return 0;
}

/* The @i-th word of a line. */
static const char *word_at(const char *line, size_t i) {
        for (line += strspn(line, BLANK); i > 0; i--) {
                line += strcspn(line, BLANK "\n");
                line += strspn(line, BLANK);
        }
        return line;
}

static int find_pid_column(const char *header, size_t *ret) {
        for (size_t i = 0;; i++) {
                const char *w = word_at(header, i);

                if (!*w || *w == '\n')
                        return fail_text(EINVAL, "couldn't find PID field in ps output");
                if (startswith(w, "PID") && strchr(BLANK "\n", w[3])) {
                        *ret = i;
                        return 0;
                }
        }
}

/*
 * Numbers end below the end of their heading, also behind a column of many words. Where one was too wide,
 * the number of words before it counts.
 */
static pid_t pid_in(const char *line, size_t length, size_t heading_end, size_t column) {
        const char *w = line + MIN(heading_end, length);
        uint64_t pid = 0;
        char word[16];
        size_t n;

        while (w > line && !strchr(BLANK, w[-1]))
                w--;
        n = strcspn(w, BLANK "\n");
        if (n == 0 || n >= sizeof(word) || strspn(w, "0123456789") != n) {
                w = word_at(line, column);
                n = strcspn(w, BLANK "\n");
        }
        (void) snprintf(word, sizeof(word), "%.*s", (int) MIN(n, sizeof(word) - 1), w);
        return parse_u64(word, INT32_MAX, &pid) < 0 ? 0 : (pid_t) pid;
}

static int print_table(const char *text, const Pids *pids) {
        size_t column = 0, heading_end;
        int r;

        r = find_pid_column(text, &column);
        if (r < 0)
                return r;
        heading_end = (size_t) (word_at(text, column) - text) + 3;
        for (const char *line = text; *line;) {
                const char *end = strchrnul(line, '\n');
                pid_t pid = pid_in(line, (size_t) (end - line), heading_end, column);

                if (line == text ||
                    (pids->n > 0 && bsearch(&pid, pids->list, pids->n, sizeof(pid), compare_pids)))
                        (void) printf("%.*s\n", (int) (end - line), line);
                line = *end ? end + 1 : end;
        }
        return 0;
}

static void print_pids(const Pids *pids, const char *head, const char *separator, const char *tail) {
        (void) fputs(head, stdout);
        for (size_t i = 0; i < pids->n; i++)
                (void) printf("%s%d", i > 0 ? separator : "", (int) pids->list[i]);
        (void) fputs(tail, stdout);
}

static int show_table(const Pids *pids, char *const *options) {
        _cleanup_free_ char *text = NULL;
        int r;

        r = run_ps(options, &text);
        if (r == -ENOENT && !options[1]) {
                runtime_warning("there is no ps(1): pids alone");
                print_pids(pids, pids->n > 0 ? "PID\n" : "PID", "\n", "\n");
                return 0;
        }
        if (r == -ENOENT)
                return fail_errno(r, "start ps");
        return r < 0 ? r : print_table(text, pids);
}

/** cmd_ps - berth-runtime ps [--format table|json] ID [OPTIONS OF PS]. */
int cmd_ps(const Globals *g, int argc, char **argv) {
        static const struct option options[] = { { "format", required_argument, NULL, 'f' }, {} };
        _cleanup_state_ State s = STATE_INIT;
        bool json = false;
        Pids pids;
        int c, r;

        optind = 0;
        while ((c = getopt_long(argc, argv, "+f:", options, NULL)) >= 0) {
                if (c != 'f')
                        return command_bad_option(argv);
                if (!streq(optarg, "json") && !streq(optarg, "table"))
                        return fail_text(EINVAL, "--format \"%s\": expected table or json", optarg);
                json = streq(optarg, "json");
        }
        if (optind >= argc)
                return command_usage(argv[0], "expected a container id");
        if (json && optind + 1 < argc)
                return fail_text(EINVAL, "ps: options of ps(1) do not go with --format json");
        r = state_load(g->root, argv[optind], false, &s);
        if (r >= 0)
                r = find_pids(&s, &pids);
        if (r < 0)
                return r;
        if (json)
                print_pids(&pids, "[", ",", "]\n");
        else {
                /* The options follow the id, in whose place goes the name of the program. */
                argv[optind] = (char *) "ps";
                r = show_table(&pids, argv + optind);
        }
        free(pids.list);
        return r;
}
