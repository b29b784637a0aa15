/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "../basic/macro.h"

/* The --log file: callers read their error text from its last line. */
int runtime_log_open(const char *path, bool json, bool debug);
void runtime_log_errors_only(void);
int runtime_log_descriptor(void);
bool runtime_debugging(void);
void runtime_log(const char *level, const char *fmt, ...) _printf_(2, 3);
#define runtime_error(...) runtime_log("error", __VA_ARGS__)
#define runtime_warning(...) runtime_log("warning", __VA_ARGS__)
#define runtime_debug(...) runtime_log("debug", __VA_ARGS__)
