/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <seccomp.h>

#include "seccomp-filter.h"

/* One system call by one group of linux.seccomp.syscalls. */
typedef struct SeccompRule {
        const char *name; /* borrowed; libseccomp knows it */
        uint32_t action;  /* SECCOMP_RET_*; not the default one */
        struct scmp_arg_cmp cmp[6]; /* all must hold; no argument twice */
        unsigned n;
} SeccompRule;

typedef struct SeccompArch {
        uint32_t arch, audit; /* SCMP_ARCH_*, AUDIT_ARCH_* */
        int highest;          /* number named by the profile; -1: none */
} SeccompArch;

typedef struct SeccompTree {
        const SeccompRule *rules;
        size_t n_rules;
        const SeccompArch *arches; /* the native one first */
        size_t n_arches;
        uint32_t default_action;
        bool newer_is_enosys; /* what is newer than the newest named call answers ENOSYS */
} SeccompTree;

int seccomp_number(uint32_t arch, const char *name);
int seccomp_tree_build(const SeccompTree *t, struct sock_filter **ret, size_t *ret_n);
