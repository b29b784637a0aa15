/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <systemd/sd-journal.h>

#include "../basic/clock.h"
#include "../basic/str.h"
#include "../shared/journal-fields.h"
#include "../shared/unit-name.h"
#include "setup.h"

/*
 * Did somebody stop the payload's scope? PID 1 has no memory of that once the scope is gone, and no
 * dependency does the job: PropagatesStopTo= also fires when the payload ends by itself, PartOf= keeps the
 * dead scope loaded and its name taken. But PID 1 logs `Stopping ...` before it sends a signal, so before
 * the payload's end, so before the shim's own `exited` entry on the same socket: when that one can be read,
 * the answer can.
 */
#define MESSAGE_ID_UNIT_STOPPING "de5b426a63be47a7b6ac3eaac82e2f6f"
#define WAIT_MAX (2 * USEC_PER_SEC)

static int match(sd_journal *j, const char *field, const char *value) {
        _cleanup_free_ char *text = str_concat(field, "=", value);

        return text ? sd_journal_add_match(j, text, 0) : -ENOMEM;
}

static int add_matches(sd_journal *j, const char *id) {
        char scope[UNIT_NAME_SIZE];
        int r;

        unit_name_scope(id, scope);
        r = match(j, "MESSAGE_ID", MESSAGE_ID_UNIT_STOPPING);
        if (r >= 0)
                r = match(j, "UNIT", scope);
        if (r >= 0)
                r = match(j, "_PID", "1");
        if (r >= 0)
                r = sd_journal_add_disjunction(j);
        if (r >= 0)
                r = match(j, "MESSAGE_ID", MESSAGE_ID_CONTAINER_EXITED);
        return r < 0 ? r : match(j, "CONTAINER_ID_FULL", id);
}

/* Return: 1 stopped, 0 not, -EAGAIN while the shim's entry is not there. */
static int scan(sd_journal *j, usec_t since) {
        bool ended = false, stopped = false;
        int r;

        r = sd_journal_seek_realtime_usec(j, since);
        while (r >= 0 && (r = sd_journal_next(j)) > 0) {
                const void *data;
                uint64_t at;
                size_t n;

                r = sd_journal_get_realtime_usec(j, &at);
                if (r < 0 || at < since)
                        continue;
                r = sd_journal_get_data(j, "MESSAGE_ID", &data, &n);
                if (r < 0)
                        continue;
                if (memmem(data, n, MESSAGE_ID_UNIT_STOPPING, strlen(MESSAGE_ID_UNIT_STOPPING)))
                        stopped = true;
                else
                        ended = true;
        }
        return r < 0 ? r : stopped ? 1 : ended ? 0 : -EAGAIN;
}

/** scope_was_stopped - by a job, not by the end of the payload. Return: 1, 0, -errno when the journal cannot
 * tell. */
int scope_was_stopped(const char *id, const char *since_text) {
        usec_t end = now_monotonic() + WAIT_MAX;
        sd_journal *j = NULL;
        uint64_t since;
        int r;

        r = parse_u64(since_text, UINT64_MAX, &since);
        if (r >= 0)
                r = sd_journal_open(&j, SD_JOURNAL_LOCAL_ONLY | SD_JOURNAL_SYSTEM);
        if (r >= 0)
                r = add_matches(j, id);
        while (r >= 0) {
                usec_t now = now_monotonic();

                r = scan(j, since);
                if (r != -EAGAIN || now >= end)
                        break;
                r = sd_journal_wait(j, end - now);
        }
        sd_journal_close(j);
        return r;
}
