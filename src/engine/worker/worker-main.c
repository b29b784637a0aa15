/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <locale.h>
#include <signal.h>

#include "../../basic/fd.h"
#include "../../basic/log.h"
#include "../../basic/str.h"
#include "../../shared/paths.h"
#include "worker-table.h"

/* berth-worker JOB [--framing=F] [--api=1.N] [--http=1.0] [--expect-continue] [--root=DIR] ARGS... : see
 * berth-worker(8). */
#define CLIENT_FD         3
#define EARLY_FD          4
#define API_MINOR_DEFAULT 50

static bool is_open(int fd) {
        return fcntl(fd, F_GETFD) >= 0;
}

typedef struct Options {
        const char *framing;
        const char *root;
} Options;

/* Return: 1 if @arg is one of the options that all jobs have, 0 if not, -EINVAL. */
static int take_option(Worker *w, Options *o, const char *arg) {
        const char *v;
        uint64_t minor;

        v = startswith(arg, "--framing=");
        if (v) {
                o->framing = v;
                return 1;
        }
        v = startswith(arg, "--root=");
        if (v) {
                o->root = v;
                return 1;
        }
        v = startswith(arg, "--api=1.");
        if (v) {
                if (parse_u64(v, 1000, &minor) < 0)
                        return -EINVAL;
                w->http.api = (unsigned) minor;
                return 1;
        }
        if (streq(arg, "--http=1.0"))
                w->http.http10 = true;
        else if (streq(arg, "--expect-continue"))
                w->http.expect_continue = true;
        else
                return 0;
        return 1;
}

static int run(Worker *w, const WorkerJobEntry *job, Options *o, int argc, char *argv[]) {
        int r;

        w->root = o->root;
        if (is_open(CLIENT_FD)) {
                (void) fd_set_cloexec(CLIENT_FD, true);
                r = worker_http_open(&w->http, CLIENT_FD, is_open(EARLY_FD) ? EARLY_FD : -EBADF, o->framing);
                if (r < 0)
                        return log_error_errno(r, "Cannot take the connection over: %m");
                if (is_open(EARLY_FD))
                        (void) close(EARLY_FD);
        }
        r = job->run(w, argc, argv);
        if (r < 0 && !w->http.ended && w->http.fd >= 0) {
                _cleanup_free_ char *text = str_printf("%s: %s", job->name, strerror(-r));

                (void) worker_http_error(&w->http, 500, text ?: "out of memory");
        }
        worker_http_done(&w->http);
        return r;
}

int main(int argc, char *argv[]) {
        Options o = { .framing = "none", .root = BERTH_STATE_DIR };
        Worker w = { .http = { .fd = -EBADF, .api = API_MINOR_DEFAULT } };
        const WorkerJobEntry *job;
        int i = 1, r = 1;
        char *name;

        log_set_identifier("berth-worker");
        (void) signal(SIGPIPE, SIG_IGN);
        /* libarchive turns names of members into the locale's charset; they are bytes to us. */
        (void) setlocale(LC_CTYPE, "C.UTF-8");
        while (i < argc && (r = take_option(&w, &o, argv[i])) > 0)
                i++;
        name = i < argc ? argv[i++] : NULL;
        while (r >= 0 && i < argc && (r = take_option(&w, &o, argv[i])) > 0)
                i++;
        job = name && r >= 0 ? worker_job_find(name) : NULL;
        if (!job) {
                log_error("Usage: berth-worker JOB [--framing=chunked|length:N|none] [--api=1.N] ...; see berth-worker(8)");
                return 2;
        }
        argv[--i] = name;
        return run(&w, job, &o, argc - i, argv + i) < 0 ? 1 : 0;
}
