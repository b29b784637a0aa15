/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "upload.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>

#include "../basic/clock.h"
#include "human.h"

#define CHUNK (256 * 1024)

typedef struct Meter {
        usec_t started;
        usec_t shown;
        uint64_t sent;
        int64_t total; /* 0: unknown */
        bool terminal;
} Meter;

/* Quick work needs no meter: nothing is shown in the first second. */
static void meter_show(Meter *m, const char *what) {
        usec_t now = now_monotonic();
        char sent[HUMAN_MAX], total[HUMAN_MAX];

        if (!m->terminal || now - m->started < USEC_PER_SEC || now - m->shown < USEC_PER_SEC / 5)
                return;
        m->shown = now;
        human_size((int64_t) m->sent, 3, sent);
        human_size(m->total, 3, total);
        fprintf(stderr, "\r\033[2K%s: %s%s%s", what, sent, m->total > 0 ? " of " : "",
                m->total > 0 ? total : "");
}

static void meter_clear(const Meter *m) {
        if (m->shown > 0)
                fprintf(stderr, "\r\033[2K");
}

/* An answer before the end of the data is an error answer: the rest would be sent in vain. */
static bool answered(const Connection *conn) {
        struct pollfd p = { .fd = conn->fd, .events = POLLIN };

        return poll(&p, 1, 0) > 0;
}

static int send_body(Client *c, Connection *conn, int fd, const char *what, bool *ret_cut) {
        _cleanup_free_ char *data = malloc(CHUNK);
        Meter m = { .started = now_monotonic(), .terminal = isatty(STDERR_FILENO) };
        struct stat st;
        int r = data ? 0 : client_fail(c, -ENOMEM, "out of memory");

        if (fstat(fd, &st) >= 0 && S_ISREG(st.st_mode))
                m.total = st.st_size;
        while (r >= 0) {
                ssize_t n = read(fd, data, CHUNK);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0) {
                        r = client_fail(c, negative_errno(), "cannot read %s: %m", what);
                        break;
                }
                if (answered(conn)) {
                        *ret_cut = true;
                        break;
                }
                r = request_send_chunk(c, conn, data, (size_t) n);
                if (r == -EPIPE || r == -ECONNRESET) {
                        /* The reason is in the answer. */
                        *ret_cut = true;
                        r = 0;
                        break;
                }
                if (r < 0 || n == 0)
                        break;
                m.sent += (uint64_t) n;
                meter_show(&m, what);
        }
        meter_clear(&m);
        return r;
}

/**
 * upload - POST the bytes of @fd as a chunked body and show the engine's messages.
 * @what: names the source in errors and on the meter.
 */
int upload(Client *c, const char *target, int fd, const char *what, ProgressMode mode) {
        _cleanup_connection_ Connection conn = CONNECTION_INIT;
        Request rq = {
                .method = "POST", .target = target, .content_type = "application/x-tar", .chunked = true
        };
        bool cut = false;
        int r;

        r = connection_open(c, &conn);
        if (r >= 0)
                r = request_send(c, &conn, &rq);
        if (r >= 0)
                r = send_body(c, &conn, fd, what, &cut);
        return r < 0 ? r : progress_receive(c, &conn, mode, &cut);
}
