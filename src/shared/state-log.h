/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "fields.h"

/* Append-only, checksummed records of one object; docs/contracts.md section 3. */
#define STATE_LOG_NAME "state.log"
#define STATE_LOG_MAX (4 * 1024 * 1024)
#define STATE_LOG_COMPACT (256 * 1024)
#define STATE_LOG_RESERVED (4 * 1024)

typedef enum StateLogFlags {
        STATE_LOG_SYNC = 1 << 0,    /* fdatasync after the record */
        STATE_LOG_CREATE = 1 << 1,  /* the file must not exist yet */
        STATE_LOG_RESERVE = 1 << 2, /* take room on the disk for the records that will follow */
} StateLogFlags;

/* Starts a record in @b: type and time. Add fields with fields_put(b, '\t', ...), then append it. */
int state_record_begin(Buffer *b, const char *type);
int state_log_append(int dir_fd, const Buffer *record, StateLogFlags flags);

/* Calls @handler for each valid record, oldest first; a negative result ends and is returned. */
typedef int (*StateRecordHandler)(const Fields *record, void *userdata);
int state_log_read(int dir_fd, StateRecordHandler handler, void *userdata);
