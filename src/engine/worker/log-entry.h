/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <systemd/sd-journal.h>

#include "../../basic/buffer.h"
#include "../../basic/clock.h"
#include "../../basic/macro.h"

typedef enum LogEntryKind {
        LOG_ENTRY_OTHER, /* not of the container, or of no interest here */
        LOG_ENTRY_LINE,
        LOG_ENTRY_STARTED,
        LOG_ENTRY_EXITED,
} LogEntryKind;

/* One journal entry of a container, see docs/contracts.md section 6. The message lies in the @storage of the
 * read. */
typedef struct LogEntry {
        LogEntryKind kind;
        const char *message;
        size_t message_size;
        bool is_stderr;
        bool continues;  /* a later entry holds the rest of the line */
        bool line_open;  /* the line had no newline */
        uint64_t epoch;  /* 0: not said */
        uint64_t ordinal; /* LOG_ENTRY_EXITED: of the last line of the epoch */
        usec_t at;
        char timestamp[RFC3339_MAX];
} LogEntry;

int log_entry_read(sd_journal *j, Buffer *storage, LogEntry *ret);
