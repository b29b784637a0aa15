/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <systemd/sd-bus.h>

#include "../../shared/fields.h"

/* The calls to systemd's manager. Each fills error_text with words for the user when it fails. */
typedef struct ScopeBus {
        sd_bus *bus;
        int open_error;
        char *unit;       /* whose job is awaited; borrowed by the filter */
        char *job;        /* its object path, once the method has answered */
        char *job_gone;   /* of the last JobRemoved of that unit: may come before the answer */
        char *job_result; /* of the same */
        int error;        /* of the method */
        bool exists;      /* the error was that the unit exists */
        bool bare;        /* optional properties are left out */
        bool unknown;     /* the error was that there is no such unit */
        char *error_text;
} ScopeBus;

void scope_bus_open(ScopeBus *b, bool user);
void scope_bus_done(ScopeBus *b);
int scope_bus_start(ScopeBus *b, const Fields *request);
int scope_bus_set(ScopeBus *b, const Fields *request);
int scope_bus_attach(ScopeBus *b, const Fields *request);
int scope_bus_stop(ScopeBus *b, const Fields *request);
