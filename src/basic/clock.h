/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>

#include "macro.h"

usec_t now_realtime(void);
usec_t now_monotonic(void);

/* "2026-11-22T04:01:28.123456000Z" plus NUL. */
#define RFC3339_MAX 80
void format_rfc3339(usec_t realtime, char ret[RFC3339_MAX]);
int parse_rfc3339(const char *s, usec_t *ret);
int parse_unix_time(const char *s, usec_t *ret);
