/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <linux/filter.h>

#include "../basic/json.h"
#include "../basic/macro.h"

/* A compiled filter. Owned by whoever prepared it. */
typedef struct SeccompFilter {
        struct sock_filter *code;
        size_t n;
        unsigned flags; /* SECCOMP_FILTER_FLAG_* */
} SeccompFilter;

void seccomp_filter_done(SeccompFilter *f);
#define _cleanup_seccomp_ _cleanup_(seccomp_filter_done)

int seccomp_compile(json_object *seccomp, SeccompFilter *ret);
int seccomp_filter_load(const SeccompFilter *f);
size_t seccomp_action_names(const char **ret, size_t max);
size_t seccomp_arch_names(const char **ret, size_t max);
