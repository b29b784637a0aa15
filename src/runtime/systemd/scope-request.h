/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "../../basic/buffer.h"
#include "../../shared/fields.h"

/*
 * What berth-runtime asks of berth-runtime-scope, over a SEQPACKET socket (docs/contracts.md section 9):
 * fields text with the verb, the unit, and one line `property=NAME TYPE VALUE` for each property, or
 * `optional=` for those that this systemd may not know: all of them are left out then. TYPE is a D-Bus type
 * of the list in scope_type_is_known(); the items of an array are lines of VALUE, the members of a struct
 * are divided by the first space.
 */
#define SCOPE_HELPER_NAME "berth-runtime-scope"
#define SCOPE_HELPER_FD 3

#define SCOPE_VERB_START "start" /* unit, property...: StartTransientUnit, until its job is done */
#define SCOPE_VERB_SET "set"     /* unit, property...: SetUnitProperties, until PID 1 has written them */
#define SCOPE_VERB_STOP                                                                                 \
        "stop" /* unit [, description], reset: StopUnit, until its job is done; reset=1: and nothing is \
                  left */
#define SCOPE_VERB_ATTACH "attach" /* unit, subgroup, pid: AttachProcessesToUnit */

#define SCOPE_REQUEST_INIT BUFFER_INIT(FIELDS_TEXT_MAX)

typedef struct ScopeProperty {
        char *name, *type, *value; /* point into one copy, which is name */
} ScopeProperty;

bool scope_property_name_is_valid(const char *name);
bool scope_type_is_known(const char *type);
int scope_request_begin(Buffer *b, const char *verb, const char *unit);
int scope_request_put(Buffer *b, const char *name, const char *type, const char *value);
int scope_request_put_optional(Buffer *b, const char *name, const char *type, const char *value);
int scope_request_putf(Buffer *b, const char *name, const char *type, const char *fmt, ...) _printf_(4, 5);

int scope_property_parse(const char *text, ScopeProperty *ret);
void scope_property_done(ScopeProperty *p);
#define _cleanup_scope_property_ _cleanup_(scope_property_done)
