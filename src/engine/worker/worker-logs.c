/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "worker-logs.h"

#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <systemd/sd-journal.h>

#include "../../basic/log.h"
#include "../../basic/str.h"
#include "../../shared/journal-fields.h"
#include "../../shared/unit-name.h"
#include "journal-sync.h"
#include "log-entry.h"

/*
 * `logs`: the lines of one container out of the journal, as Docker's API streams them: framed by stream, or
 * bare for a terminal. A line may lie in several entries; each is passed on at once, so memory does not
 * depend on the line. Entries carry ordinals that grow by one in each epoch (run) of the container: a gap is
 * a loss and is said where it is.
 *
 * Following ends with the entry that says that the container exited, or when the client leaves.
 */
#define SYNCHRONIZE_TIMEOUT (2 * USEC_PER_SEC)
/* Entries are ordered by arrival in the journal; a line taken at T arrives a little later. */
#define ARRIVAL_SLACK USEC_PER_SEC
#define OUT_MAX (128 * 1024)
#define OUT_FLUSH (32 * 1024)
#define TAIL_ALL UINT64_MAX

enum { STDOUT, STDERR, _STREAMS };

typedef struct LogOptions {
        const char *id;
        bool tty, follow, timestamps;
        bool wanted[_STREAMS];
        uint64_t epoch, tail;
        usec_t since, until;
} LogOptions;

typedef struct LogReader {
        LogOptions options;
        WorkerHttp *http;
        sd_journal *journal;
        Buffer message, out;
        uint64_t epoch, ordinal; /* of the last line seen; ordinal 0: none */
        bool in_line[_STREAMS];
        bool ended;
} LogReader;

static void log_reader_done(LogReader *l) {
        sd_journal_close(l->journal);
        buffer_done(&l->message);
        buffer_done(&l->out);
}

static int flush(LogReader *l) {
        int r = 0;

        if (l->out.size > 0)
                r = worker_http_write(l->http, l->out.data, l->out.size);
        buffer_consume(&l->out, l->out.size);
        return r;
}

/* One frame: the head first, its length when the payload is in. */
static int put_frame(LogReader *l, int stream, const LogEntry *e, const char *prefix) {
        size_t n = strlen(prefix) + (*prefix ? 1 : 0) + e->message_size +
                   (e->continues || e->line_open ? 0 : 1);
        unsigned char head[8] = { (unsigned char) (stream + 1),
                                  0,
                                  0,
                                  0,
                                  (unsigned char) (n >> 24),
                                  (unsigned char) (n >> 16),
                                  (unsigned char) (n >> 8),
                                  (unsigned char) n };
        int r = 0;

        if (!l->options.tty)
                r = buffer_append(&l->out, head, sizeof(head));
        if (r >= 0 && *prefix)
                r = buffer_appendf(&l->out, "%s ", prefix);
        if (r >= 0)
                r = buffer_append(&l->out, e->message, e->message_size);
        if (r >= 0 && !e->continues && !e->line_open)
                r = buffer_append(&l->out, "\n", 1);
        return r < 0 || l->out.size < OUT_FLUSH ? r : flush(l);
}

static int put_loss(LogReader *l, uint64_t n) {
        _cleanup_free_ char *text = str_printf("berth: %" PRIu64 " lines lost", n);
        LogEntry notice = { .message = text };

        if (!text)
                return -ENOMEM;
        notice.message_size = strlen(text);
        return put_frame(l, STDERR, &notice, "");
}

/* Ordinals before the first entry that is still in the journal were rotated away, not lost. */
static int check_ordinal(LogReader *l, const LogEntry *e) {
        uint64_t expected = e->epoch == l->epoch ? l->ordinal + 1 : 1;
        bool known = l->ordinal > 0;

        if (e->ordinal == 0)
                return 0;
        l->epoch = e->epoch;
        l->ordinal = e->ordinal;
        return known && e->ordinal > expected ? put_loss(l, e->ordinal - expected) : 0;
}

/* A shim that was killed between sending and noting down sends again; the first is the one that counts. */
static bool is_repeated(const LogReader *l, const LogEntry *e) {
        return e->ordinal > 0 && e->epoch == l->epoch && e->ordinal <= l->ordinal;
}

static int put_line(LogReader *l, const LogEntry *e) {
        int stream = e->is_stderr && !l->options.tty ? STDERR : STDOUT, r;
        bool starts = !l->in_line[stream];

        if (is_repeated(l, e))
                return 0;
        r = check_ordinal(l, e);
        if (r < 0)
                return r;
        if (l->options.until > 0 && e->at > l->options.until + ARRIVAL_SLACK)
                l->ended = true;
        if (e->at < l->options.since || (l->options.until > 0 && e->at > l->options.until))
                return 0;
        if (!l->options.tty && !l->options.wanted[stream])
                return 0;
        l->in_line[stream] = e->continues;
        return put_frame(l, stream, e, l->options.timestamps && starts ? e->timestamp : "");
}

static int take_entry(LogReader *l) {
        LogEntry e;
        int r;

        r = log_entry_read(l->journal, &l->message, &e);
        if (r == -EBADMSG || r == -E2BIG) {
                log_warning("Skipping a damaged journal entry of container %s.", l->options.id);
                return 0;
        }
        if (r < 0)
                return r;
        if (e.kind == LOG_ENTRY_LINE)
                return put_line(l, &e);
        if (e.kind == LOG_ENTRY_EXITED && e.epoch == l->epoch && l->ordinal > 0 && e.ordinal > l->ordinal) {
                r = put_loss(l, e.ordinal - l->ordinal);
                if (r < 0)
                        return r;
        }
        /* A later start means that the end of this run was never written (power loss). */
        if (l->options.follow && ((e.kind == LOG_ENTRY_EXITED && e.epoch >= l->options.epoch) ||
                                  (e.kind == LOG_ENTRY_STARTED && e.epoch > l->options.epoch)))
                l->ended = true;
        return 0;
}

/* Everything that is in the journal now. */
static int drain(LogReader *l) {
        int r;

        while (!l->ended && (r = sd_journal_next(l->journal)) != 0) {
                if (r < 0)
                        return log_error_errno(r, "Cannot read the journal: %m");
                r = take_entry(l);
                if (r < 0)
                        return r;
        }
        return flush(l);
}

/* Go back from the end until the @tail lines asked for lie ahead. Partial entries belong to the line they
 * end in. */
static int seek_tail(LogReader *l) {
        uint64_t lines = 0, epoch = 0, lowest = 0;
        int r;

        r = sd_journal_seek_tail(l->journal);
        while (r >= 0) {
                LogEntry e;
                int stream;

                r = sd_journal_previous(l->journal);
                if (r <= 0)
                        return r < 0 ? r : sd_journal_seek_head(l->journal);
                r = log_entry_read(l->journal, &l->message, &e);
                if (r == -EBADMSG || r == -E2BIG) {
                        r = 0;
                        continue;
                }
                if (r < 0 || e.kind != LOG_ENTRY_LINE)
                        continue;
                /* Sent twice, see is_repeated(): one line. */
                if (e.ordinal > 0 && e.epoch == epoch && e.ordinal >= lowest)
                        continue;
                if (e.ordinal > 0) {
                        epoch = e.epoch;
                        lowest = e.ordinal;
                }
                stream = e.is_stderr ? STDERR : STDOUT;
                if ((!l->options.tty && !l->options.wanted[stream]) || e.continues ||
                    (l->options.until > 0 && e.at > l->options.until))
                        continue;
                if (lines++ == l->options.tail || e.at < l->options.since)
                        return 0; /* the next step forward is the first entry wanted */
        }
        return r;
}

static int seek_start(LogReader *l) {
        if (l->options.tail != TAIL_ALL)
                return seek_tail(l);
        return l->options.since > 0 ? sd_journal_seek_realtime_usec(l->journal, l->options.since)
                                    : sd_journal_seek_head(l->journal);
}

static int open_journal(LogReader *l) {
        _cleanup_free_ char *match = str_concat("CONTAINER_ID_FULL=", l->options.id);
        int r;

        if (!match)
                return -ENOMEM;
        r = sd_journal_open(&l->journal, SD_JOURNAL_LOCAL_ONLY | SD_JOURNAL_SYSTEM);
        if (r >= 0)
                r = sd_journal_add_match(l->journal, match, 0);
        if (r >= 0)
                r = sd_journal_set_data_threshold(l->journal, 0);
        /* Watching starts before reading: what comes in between wakes us. */
        if (r >= 0 && l->options.follow)
                r = sd_journal_get_fd(l->journal);
        return r;
}

static int poll_timeout(LogReader *l) {
        uint64_t until = 0;
        usec_t now = now_monotonic(), end = USEC_INFINITY;

        if (sd_journal_get_timeout(l->journal, &until) > 0)
                end = until;
        if (l->options.until > 0) {
                usec_t real = now_realtime(), last = l->options.until + ARRIVAL_SLACK;

                end = MIN(end, now + (last > real ? last - real : 0));
        }
        if (end == USEC_INFINITY)
                return -1;
        return end <= now ? 0 : (int) MIN((end - now) / USEC_PER_MSEC + 1, (usec_t) INT32_MAX);
}

static int follow(LogReader *l) {
        struct pollfd fds[] = {
                { .fd = sd_journal_get_fd(l->journal), .events = (short) sd_journal_get_events(l->journal) },
                { .fd = l->http->fd }, /* only that the client left: a half-close is none */
        };
        int r;

        while (!l->ended) {
                if (poll(fds, ELEMENTSOF(fds), poll_timeout(l)) < 0 && errno != EINTR)
                        return negative_errno();
                if (fds[1].revents & (POLLHUP | POLLERR))
                        return -EPIPE;
                r = sd_journal_process(l->journal);
                if (r < 0)
                        return log_error_errno(r, "Cannot follow the journal: %m");
                r = drain(l);
                if (r < 0)
                        return r;
                if (l->options.until > 0 && now_realtime() > l->options.until + ARRIVAL_SLACK)
                        return 0;
        }
        return 0;
}

static int parse_options(int argc, char *argv[], LogOptions *ret) {
        static const struct option options[] = {
                { "id", required_argument, NULL, 'i' },     { "epoch", required_argument, NULL, 'e' },
                { "tail", required_argument, NULL, 'n' },   { "since", required_argument, NULL, 's' },
                { "until", required_argument, NULL, 'u' },  { "tty", no_argument, NULL, 't' },
                { "follow", no_argument, NULL, 'f' },       { "timestamps", no_argument, NULL, 'T' },
                { "stdout", no_argument, NULL, '1' },       { "stderr", no_argument, NULL, '2' },
                {},
        };
        LogOptions o = { .tail = TAIL_ALL };
        int c, r = 0;

        while (r >= 0 && (c = getopt_long(argc, argv, "", options, NULL)) >= 0)
                switch (c) {
                case 'i':
                        o.id = optarg;
                        break;
                case 'e':
                        r = parse_u64(optarg, UINT64_MAX, &o.epoch);
                        break;
                case 'n':
                        r = parse_u64(optarg, UINT32_MAX, &o.tail);
                        break;
                case 's':
                        r = parse_u64(optarg, UINT64_MAX / 2, &o.since);
                        break;
                case 'u':
                        r = parse_u64(optarg, UINT64_MAX / 2, &o.until);
                        break;
                case 't':
                        o.tty = true;
                        break;
                case 'f':
                        o.follow = true;
                        break;
                case 'T':
                        o.timestamps = true;
                        break;
                case '1':
                case '2':
                        o.wanted[c - '1'] = true;
                        break;
                default:
                        r = -EINVAL;
                }
        if (r < 0 || !o.id || !container_id_is_valid(o.id))
                return -EINVAL;
        *ret = o;
        return 0;
}

static int stream_logs(LogReader *l) {
        int r;

        /* A follower learns at once that it is connected; the others must not wait for more than they need
         * either. */
        r = worker_http_begin(l->http, 200,
                              l->options.tty || l->http->api < 42
                                              ? "application/vnd.docker.raw-stream"
                                              : "application/vnd.docker.multiplexed-stream");
        if (r < 0)
                return r;
        r = journal_synchronize(SYNCHRONIZE_TIMEOUT);
        if (r < 0)
                (void) log_debug_errno(r,
                                       "journald did not synchronize, the newest lines may be missing: %m");
        r = seek_start(l);
        if (r >= 0)
                r = drain(l);
        if (r >= 0 && l->options.follow)
                r = follow(l);
        return r < 0 ? r : worker_http_end(l->http);
}

/** worker_logs - the job. Return: 0, also when the client left, or -errno. */
int worker_logs(Worker *w, int argc, char *argv[]) {
        _cleanup_(log_reader_done) LogReader l = { .http = &w->http,
                                                   .message = BUFFER_INIT(OUT_MAX / 2),
                                                   .out = BUFFER_INIT(OUT_MAX) };
        int r;

        r = parse_options(argc, argv, &l.options);
        if (r < 0)
                return worker_http_error(&w->http, 400, "bad options for logs");
        r = open_journal(&l);
        if (r < 0) {
                (void) log_error_errno(r, "Cannot open the journal: %m");
                return worker_http_error(&w->http, 500, "cannot open the journal");
        }
        r = stream_logs(&l);
        /* Nothing but log lines may stand in the stream: a failure is a stream that does not end properly.
         */
        w->http.ended = true;
        return r == -EPIPE || r == -ECONNRESET ? 0 : r;
}
