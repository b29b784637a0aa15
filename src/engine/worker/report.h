/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "../../shared/fields.h"

/*
 * What a sandboxed child tells its parent, one datagram each (fields text): `member` (kind name link index
 * size sha256), `progress` (bytes), and last `done` (diff-id size) or `failed` (status message).
 */
#define REPORT_MAX (64 * 1024 - 1)

int report_send(int fd, Buffer *b);
int report_failed(int fd, unsigned status, const char *message);
int report_progress(int fd, uint64_t bytes);
/* Return: 1 with a report, 0 when the child is gone, -errno. */
int report_receive(int fd, Fields *ret);
