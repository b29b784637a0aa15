/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "../cgroup/resources.h"
#include "../spec/spec.h"
#include "../state.h"
#include "scope-helper.h"

/* The systemd cgroup driver during a create. */
typedef struct SystemdScope {
        ScopeHelper helper;
        bool used; /* this driver is asked for */
        bool user; /* the user's manager, not the system's */
        bool keep; /* the helper, for the end of the container */
        bool made; /* systemd was asked for the scope and may have made it */
        char *slice;
} SystemdScope;

int systemd_scope_prepare(void);
int systemd_scope_begin(SystemdScope *x, bool keep);
int systemd_scope_name(SystemdScope *x, const Spec *s, State *st);
int systemd_scope_request(SystemdScope *x, const Spec *s, const State *st, pid_t pid);
int systemd_scope_enter(SystemdScope *x, const Spec *s, State *st, pid_t pid);
void systemd_scope_undo(SystemdScope *x, const State *st);
void systemd_scope_done(SystemdScope *x);

int systemd_scope_open_inner(const State *st);
int systemd_scope_prepare_attach(const State *st, ScopeHelper *ret);
int systemd_scope_attach(ScopeHelper *h, const State *st, pid_t pid);
int systemd_scope_remove(const State *st);
int systemd_scope_update(const State *st, const Resources *r, json_object *devices);
