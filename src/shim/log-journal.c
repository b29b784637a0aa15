/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "log-journal.h"

#include <endian.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>

#include "../basic/clock.h"
#include "../basic/fd.h"
#include "../basic/str.h"
#include "../shared/journal-fields.h"
#include "../shared/unit-name.h"
#include "log-lines.h"
#include "shim.h"

/*
 * The journal's native protocol: one datagram per entry, FIELD=value lines (a value with a newline in it as
 * FIELD, newline, little-endian length, bytes). Lines are sent from where they were read, up to BATCH at a
 * time by one sendmmsg(). When the journal's queue is full the rest stays there and s->journal_blocked stops
 * the reading until EPOLLOUT.
 */
#define BATCH 32
#define EVENT_WAIT_MS 2000
#define JOURNAL_SOCKET "/run/systemd/journal/socket"

/* What is the same in every entry of a stream; rebuilt after a rename. */
static Buffer fixed[2];
static bool fixed_valid;

static void on_journal_writable(Source *source, uint32_t revents) {
        Shim *s = CONTAINER_OF(source, Shim, journal);

        (void) source_watch(&s->loop, source, 0);
        s->journal_blocked = false;
        stdio_set_flush_journal(&s->stdio);
        stdio_set_update(&s->stdio);
        if (s->status == SHIM_EXITING)
                shim_check_drained(s);
}

/** journal_open - a connected non-blocking socket. Return: 0 or -errno. */
int journal_open(Shim *s) {
        struct sockaddr_un sa = { .sun_family = AF_UNIX, .sun_path = JOURNAL_SOCKET };
        int size = 8 * 1024 * 1024;
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        if (fd < 0)
                return negative_errno();
        (void) setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
        if (connect(fd, (struct sockaddr *) &sa, sizeof(sa)) < 0)
                return negative_errno();
        s->journal = (Source){ .fd = TAKE_FD(fd), .callback = on_journal_writable };
        return 0;
}

static int reopen(Shim *s) {
        source_close(&s->loop, &s->journal);
        return journal_open(s);
}

/** journal_put - append one field; a value with newlines takes the binary form. Return: 0 or -errno of the
 * buffer. */
int journal_put(Buffer *b, const char *field, const char *value) {
        uint64_t size = htole64(strlen(value));
        int r = buffer_append_str(b, field);

        if (!strchr(value, '\n')) {
                if (r >= 0)
                        r = buffer_append(b, "=", 1);
        } else {
                if (r >= 0)
                        r = buffer_append(b, "\n", 1);
                if (r >= 0)
                        r = buffer_append(b, &size, sizeof(size));
        }
        if (r >= 0)
                r = buffer_append_str(b, value);
        return r < 0 ? r : buffer_append(b, "\n", 1);
}

/** journal_put_identity - the fields that say which container. Return: 0 or -errno. */
int journal_put_identity(Buffer *b, const char *id, const char *name, const char *tag, const char *image) {
        char short_id[CONTAINER_SHORT_ID_LENGTH + 1], unit[UNIT_NAME_SIZE];
        int r;

        (void) snprintf(short_id, sizeof(short_id), "%.*s", CONTAINER_SHORT_ID_LENGTH, id);
        unit_name_scope(id, unit);
        r = journal_put(b, "CONTAINER_ID", short_id);
        if (r >= 0)
                r = journal_put(b, "CONTAINER_ID_FULL", id);
        if (r >= 0)
                r = journal_put(b, "CONTAINER_NAME", name);
        if (r >= 0)
                r = journal_put(b, "CONTAINER_TAG", isempty(tag) ? short_id : tag);
        if (r >= 0)
                r = journal_put(b, "SYSLOG_IDENTIFIER", isempty(tag) ? short_id : tag);
        if (r >= 0)
                r = journal_put(b, "IMAGE_NAME", image);
        return r < 0 ? r : journal_put(b, "OBJECT_SYSTEMD_UNIT", unit);
}

static int build_fixed(Shim *s) {
        for (unsigned i = 0; i < 2; i++) {
                Buffer *b = &fixed[i];
                int r;

                buffer_done(b);
                *b = BUFFER_INIT(64 * 1024);
                r = journal_put_identity(b, s->id, s->memory->name, s->config.tag, s->config.image);
                if (r >= 0)
                        r = buffer_appendf(b,
                                           "CONTAINER_LOG_EPOCH=%" PRIu64
                                           "\nCONTAINER_STREAM=%s\nPRIORITY=%d\n",
                                           s->memory->epoch, i == 0 ? "stdout" : "stderr",
                                           i == 0 ? LOG_INFO : LOG_ERR);
                if (r < 0)
                        return r;
        }
        fixed_valid = true;
        return 0;
}

static int format_variable(char *p, size_t room, const LogLine *line, uint64_t ordinal, const char *time,
                           const char *partial_id) {
        int n = snprintf(p, room, "SYSLOG_TIMESTAMP=%s\nCONTAINER_LOG_ORDINAL=%" PRIu64 "\n", time, ordinal);

        if (line->partial > 0)
                n += snprintf(p + n, room - (size_t) n,
                              "CONTAINER_PARTIAL_MESSAGE=true\nCONTAINER_PARTIAL_ID=%s\n"
                              "CONTAINER_PARTIAL_ORDINAL=%u\n"
                              "CONTAINER_PARTIAL_LAST=%s\n%s",
                              partial_id, line->partial, line->last ? "true" : "false",
                              line->open ? "CONTAINER_LINE_OPEN=1\n" : "");
        n += snprintf(p + n, room - (size_t) n, "MESSAGE=");
        return n;
}

typedef struct Batch {
        LogLine lines[BATCH];
        char variable[BATCH][384];
        struct iovec iov[BATCH][4];
        struct mmsghdr messages[BATCH];
        unsigned n;
} Batch;

static void batch_fill(Batch *b, Shim *s, unsigned stream, const char *data, size_t size) {
        StreamMemory *st = &s->memory->streams[stream];
        unsigned partial = st->partial;
        char time[RFC3339_MAX];

        format_rfc3339(now_realtime(), time);
        for (b->n = 0; b->n < BATCH; b->n++) {
                unsigned i = b->n;
                LogLine *line = &b->lines[i];
                int n;

                if (!log_line_next(data, size, st->closed, partial, line))
                        break;
                /* A new partial line gets its id before its first piece is sent, and only one can begin in a
                 * batch unseen. */
                if (line->partial == 1) {
                        if (i > 0)
                                break;
                        if (random_hex(16, st->partial_id) < 0)
                                st->partial_id[0] = 0;
                }
                n = format_variable(b->variable[i], sizeof(b->variable[i]), line, s->memory->ordinal + i + 1,
                                    time, st->partial_id);
                b->iov[i][0] = (struct iovec){ fixed[stream].data, fixed[stream].size };
                b->iov[i][1] = (struct iovec){ b->variable[i], (size_t) n };
                b->iov[i][2] = (struct iovec){ (char *) line->data, line->size };
                b->iov[i][3] = (struct iovec){ (char *) "\n", 1 };
                b->messages[i] = (struct mmsghdr){ .msg_hdr = { .msg_iov = b->iov[i], .msg_iovlen = 4 } };
                partial = log_line_partial_after(line);
                data += line->consumed;
                size -= line->consumed;
        }
}

static void block(Shim *s) {
        s->journal_blocked = true;
        (void) source_watch(&s->loop, &s->journal, EPOLLOUT);
}

/* All of a batch is counted in one step that a kill cannot halve: see stream_memory_commit(). */
static void batch_commit(Batch *b, Shim *s, unsigned stream, unsigned sent) {
        size_t size = 0;

        if (sent == 0)
                return;
        for (unsigned i = 0; i < sent; i++)
                size += b->lines[i].consumed;
        stream_memory_commit(s->memory, stream, size, log_line_partial_after(&b->lines[sent - 1]), sent);
}

/** journal_flush_stream - send whole lines (at the end of the stream: all) until done or the journal takes
 * no more. */
void journal_flush_stream(Shim *s, unsigned stream) {
        bool reopened = false;

        if (!fixed_valid && build_fixed(s) < 0)
                return;
        for (;;) {
                Batch b;
                size_t size;
                const char *data = stream_memory_data(s->memory, stream, &size);
                int n;

                b.n = 0;
                if (size > 0)
                        batch_fill(&b, s, stream, data, size);
                if (b.n == 0)
                        return;
                n = sendmmsg(s->journal.fd, b.messages, b.n, MSG_NOSIGNAL | MSG_DONTWAIT);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0 && (errno == EAGAIN || errno == ENOBUFS)) {
                        block(s);
                        return;
                }
                if (n < 0) {
                        /* The journal's socket was made anew, or there is none: the container matters more
                         * than its log, so the line is counted as lost. */
                        if (!reopened) {
                                reopened = true;
                                if (reopen(s) >= 0)
                                        continue;
                        }
                        n = 1;
                } else
                        reopened = false;
                batch_commit(&b, s, stream, (unsigned) n);
        }
}

/** journal_identity_changed - the name or the epoch is another now. */
void journal_identity_changed(void) {
        fixed_valid = false;
}

/** journal_has_all - nothing is left to send. */
bool journal_has_all(const Shim *s) {
        size_t a, b;

        (void) stream_memory_data(s->memory, 0, &a);
        (void) stream_memory_data(s->memory, 1, &b);
        return a == 0 && b == 0;
}

/* The end marker must not be lost; journald reads on, or is gone for good after the time-out. Return: 0 or
 * -errno. */
static int send_patiently(Shim *s, const Buffer *b) {
        for (;;) {
                struct pollfd p = { .fd = s->journal.fd, .events = POLLOUT };
                ssize_t n = -ENOTCONN;

                if (p.fd >= 0)
                        n = send_with_fds(p.fd, b->data, b->size, NULL, 0, MSG_DONTWAIT);
                if (n != -EAGAIN)
                        return n < 0 ? (int) n : 0;
                if (poll(&p, 1, EVENT_WAIT_MS) <= 0)
                        return -EAGAIN;
        }
}

/** journal_event - one entry about the container itself; waits a moment if the journal is busy. */
void journal_event(Shim *s, const char *message_id, int priority, const char *event, const char *message,
                   const Buffer *extra) {
        _cleanup_buffer_ Buffer b = BUFFER_INIT(256 * 1024);
        int r;

        r = journal_put_identity(&b, s->id, s->memory->name, s->config.tag, s->config.image);
        if (r >= 0)
                r = journal_put(&b, "MESSAGE_ID", message_id);
        if (r >= 0)
                r = journal_put(&b, "CONTAINER_EVENT", event);
        if (r >= 0)
                r = journal_put(&b, "MESSAGE", message);
        if (r >= 0)
                r = buffer_appendf(&b,
                                   "PRIORITY=%d\nCONTAINER_LOG_EPOCH=%" PRIu64
                                   "\nCONTAINER_LOG_LAST_ORDINAL=%" PRIu64 "\n",
                                   priority, s->memory->epoch, s->memory->ordinal);
        if (r >= 0 && extra)
                r = buffer_append(&b, extra->data, extra->size);
        if (r < 0)
                return;
        r = send_patiently(s, &b);
        if (r < 0 && r != -EAGAIN && reopen(s) >= 0)
                (void) send_patiently(s, &b);
}
