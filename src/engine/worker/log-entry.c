/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "log-entry.h"

#include <stdio.h>

#include "../../basic/str.h"
#include "../../shared/journal-fields.h"

/* The number fields are short: a copy on the stack makes a string of the journal's bytes. */
static uint64_t number(const char *value, size_t size) {
        char text[32];
        uint64_t n = 0;

        if (size >= sizeof(text))
                return 0;
        memcpy(text, value, size);
        text[size] = 0;
        return parse_u64(text, UINT64_MAX, &n) < 0 ? 0 : n;
}

static bool is(const char *value, size_t size, const char *what) {
        return size == strlen(what) && memcmp(value, what, size) == 0;
}

typedef struct Raw {
        Buffer *message;
        bool from_root, has_stream, partial, partial_last;
} Raw;

static void take_timestamp(LogEntry *e, const char *value, size_t size) {
        if (size >= sizeof(e->timestamp))
                return;
        memcpy(e->timestamp, value, size);
        e->timestamp[size] = 0;
        if (parse_rfc3339(e->timestamp, &e->at) < 0)
                e->timestamp[0] = 0;
        else if (size != strlen("2026-11-22T04:01:28.123456789Z") || value[size - 1] != 'Z')
                format_rfc3339(e->at, e->timestamp);
}

static int take_field(LogEntry *e, Raw *raw, const char *data, size_t size) {
        const char *eq = memchr(data, '=', size), *value = eq + 1;
        size_t n;

        if (!eq)
                return 0;
        n = size - (size_t) (value - data);
#define FIELD(name) ((size_t) (eq - data) == sizeof(name) - 1 && memcmp(data, name, sizeof(name) - 1) == 0)
        /* The pointer is good for this one step only. */
        if (FIELD("MESSAGE")) {
                buffer_consume(raw->message, raw->message->size);
                return buffer_append(raw->message, value, n);
        }
        if (FIELD("CONTAINER_STREAM")) {
                raw->has_stream = true;
                e->is_stderr = is(value, n, "stderr");
        } else if (FIELD("CONTAINER_LOG_EPOCH"))
                e->epoch = number(value, n);
        else if (FIELD("CONTAINER_LOG_ORDINAL") || FIELD("CONTAINER_LOG_LAST_ORDINAL"))
                e->ordinal = number(value, n);
        else if (FIELD("CONTAINER_PARTIAL_MESSAGE"))
                raw->partial = is(value, n, "true");
        else if (FIELD("CONTAINER_PARTIAL_LAST"))
                raw->partial_last = is(value, n, "true");
        else if (FIELD("CONTAINER_LINE_OPEN"))
                e->line_open = is(value, n, "1");
        else if (FIELD("SYSLOG_TIMESTAMP"))
                take_timestamp(e, value, n);
        else if (FIELD("_UID"))
                raw->from_root = is(value, n, "0");
        else if (FIELD("MESSAGE_ID"))
                e->kind = is(value, n, MESSAGE_ID_CONTAINER_EXITED)    ? LOG_ENTRY_EXITED
                          : is(value, n, MESSAGE_ID_CONTAINER_STARTED) ? LOG_ENTRY_STARTED
                                                                       : LOG_ENTRY_OTHER;
#undef FIELD
        return 0;
}

/**
 * log_entry_read - the entry at which @j stands.
 *
 * Anybody may send an entry with a container's id. Only what came from root (journald takes _UID= from the
 * kernel) is believed: everything else is LOG_ENTRY_OTHER. @storage holds the message until the next read.
 *
 * Return: 0, -ENOMEM, -EBADMSG for an entry that cannot be read.
 */
int log_entry_read(sd_journal *j, Buffer *storage, LogEntry *ret) {
        Raw raw = { .message = storage };
        LogEntry e = {};
        const void *data;
        size_t size;
        int r;

        buffer_consume(storage, storage->size);
        sd_journal_restart_data(j);
        while ((r = sd_journal_enumerate_available_data(j, &data, &size)) > 0) {
                r = take_field(&e, &raw, data, size);
                if (r < 0)
                        return r;
        }
        if (r < 0)
                return r;
        e.message = strempty(storage->data);
        e.message_size = storage->size;
        if (raw.has_stream && e.kind == LOG_ENTRY_OTHER)
                e.kind = LOG_ENTRY_LINE;
        if (!raw.from_root)
                e.kind = LOG_ENTRY_OTHER;
        e.continues = raw.partial && !raw.partial_last;
        if (!e.timestamp[0]) {
                r = sd_journal_get_realtime_usec(j, &e.at);
                if (r < 0)
                        return r;
                format_rfc3339(e.at, e.timestamp);
        }
        *ret = e;
        return 0;
}
