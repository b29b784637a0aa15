/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdarg.h>
#include <syslog.h>

#include "macro.h"

/*
 * Log lines go to stderr; under systemd (JOURNAL_STREAM is set) with the <N> prefix that the journal takes
 * as priority. log_X_errno() returns its error, so that `return log_error_errno(r, "...: %m")` reads as one
 * step.
 */
void log_set_max_level(int level);
void log_set_identifier(const char *identifier);
int log_full_errno(int level, int error, const char *fmt, ...) _printf_(3, 4);

#define log_full(level, ...) (void) log_full_errno((level), 0, __VA_ARGS__)
#define log_error(...) log_full(LOG_ERR, __VA_ARGS__)
#define log_warning(...) log_full(LOG_WARNING, __VA_ARGS__)
#define log_notice(...) log_full(LOG_NOTICE, __VA_ARGS__)
#define log_info(...) log_full(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_full(LOG_DEBUG, __VA_ARGS__)
#define log_error_errno(e, ...) log_full_errno(LOG_ERR, (e), __VA_ARGS__)
#define log_warning_errno(e, ...) log_full_errno(LOG_WARNING, (e), __VA_ARGS__)
#define log_debug_errno(e, ...) log_full_errno(LOG_DEBUG, (e), __VA_ARGS__)
#define log_oom() log_full_errno(LOG_ERR, -ENOMEM, "Out of memory.")
