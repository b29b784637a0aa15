/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "../basic/macro.h"

/*
 * What an API caller is told. `code` is a positive errno, `message` the text for the user. The HTTP status
 * follows from the errno by the one table in error.c unless `status` is set.
 */
typedef struct EngineError {
        int code;
        unsigned status;
        char *message;
} EngineError;

void engine_error_done(EngineError *e);
#define _cleanup_error_ _cleanup_(engine_error_done)

/* Both return -|error|, so that `return error_set(reterr, -ENOENT, "No such container: %s", name)` reads as
 * one step. */
int error_set(EngineError *e, int error, const char *fmt, ...) _printf_(3, 4);
int error_set_status(EngineError *e, int error, unsigned status, const char *fmt, ...) _printf_(4, 5);
/* For options that exist in the API but not here: EOPNOTSUPP / 501 with the option's name. */
int error_unsupported(EngineError *e, const char *option);
/* Fills in strerror text when nothing was set for @error. */
int error_fill(EngineError *e, int error);
void error_move(EngineError *to, EngineError *from);
unsigned error_http_status(const EngineError *e);
const char *error_dbus_name(const EngineError *e);
