/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "../spec/spec.h"

typedef struct LateMount {
        int fd; /* its root, owned */
        const char *destination;
} LateMount;

typedef struct LateReadonly {
        LateMount *mounts;
        size_t n;
} LateReadonly;

uint64_t late_readonly_attr(const SpecMount *m);
int late_readonly_add(LateReadonly *l, const SpecMount *m, int fd);
int late_readonly_apply(const LateReadonly *l);
void late_readonly_done(LateReadonly *l);
#define _cleanup_late_readonly_ _cleanup_(late_readonly_done)
