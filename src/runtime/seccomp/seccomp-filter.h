/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <linux/filter.h>

#include "../../basic/json.h"
#include "../../basic/macro.h"

/* Whether a filter has SCMP_ACT_NOTIFY, and which call is left to hand over its listener. */
typedef enum SeccompNotify {
        SECCOMP_NOTIFY_NONE,
        SECCOMP_NOTIFY_SENDMSG,
        SECCOMP_NOTIFY_SENDMMSG,
        _SECCOMP_NOTIFY_MAX,
} SeccompNotify;

/* A compiled filter. Owned by whoever prepared it. */
typedef struct SeccompFilter {
        struct sock_filter *code;
        size_t n;
        unsigned flags; /* SECCOMP_FILTER_FLAG_* */
        SeccompNotify notify;
} SeccompFilter;

void seccomp_filter_done(SeccompFilter *f);
#define _cleanup_seccomp_ _cleanup_(seccomp_filter_done)

int seccomp_check_names(json_object *seccomp);
int seccomp_compile(json_object *seccomp, SeccompFilter *ret);
int seccomp_compile_reference(json_object *seccomp, SeccompFilter *ret);
typedef struct SeccompAgent SeccompAgent;
unsigned seccomp_filter_flags(const SeccompFilter *f);
int seccomp_filter_load(const SeccompFilter *f, const SeccompAgent *agent);
bool seccomp_flag_is_supported(const char *name);
size_t seccomp_flag_names(const char **ret, size_t max);
size_t seccomp_operator_names(const char **ret, size_t max);
size_t seccomp_action_names(const char **ret, size_t max);
size_t seccomp_arch_names(const char **ret, size_t max);
