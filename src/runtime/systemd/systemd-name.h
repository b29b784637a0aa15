/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "../../basic/macro.h"

/* Where the systemd cgroup driver puts a container; both strings are owned. */
typedef struct ScopeName {
        char *slice, *unit;
} ScopeName;

int scope_name_parse(const char *cgroups_path, const char *id, bool user, ScopeName *ret);
int scope_name_cgroup(const char *slice, const char *unit, char **ret);
void scope_name_done(ScopeName *n);
#define _cleanup_scope_name_ _cleanup_(scope_name_done)
