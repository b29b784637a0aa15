/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/seccomp/seccomp-filter.h"

/* Classic BPF as the kernel runs it on struct seccomp_data. */
static inline uint32_t seccomp_verdict(const SeccompFilter *f, const struct seccomp_data *data) {
        uint32_t a = 0;

        for (size_t pc = 0; pc < f->n; pc++) {
                const struct sock_filter *i = &f->code[pc];
                bool yes;

                switch (i->code) {
                case BPF_LD | BPF_W | BPF_ABS:
                        memcpy(&a, (const char *) data + i->k, sizeof(a));
                        continue;
                case BPF_ALU | BPF_AND | BPF_K:
                        a &= i->k;
                        continue;
                case BPF_JMP | BPF_JA:
                        pc += i->k;
                        continue;
                case BPF_RET | BPF_K:
                        return i->k;
                case BPF_JMP | BPF_JEQ | BPF_K:
                        yes = a == i->k;
                        break;
                case BPF_JMP | BPF_JGT | BPF_K:
                        yes = a > i->k;
                        break;
                case BPF_JMP | BPF_JGE | BPF_K:
                        yes = a >= i->k;
                        break;
                default:
                        (void) fprintf(stderr, "unknown instruction %#x at %zu\n", i->code, pc);
                        abort();
                }
                pc += yes ? i->jt : i->jf;
        }
        (void) fprintf(stderr, "the filter does not end\n");
        abort();
}

typedef struct VerdictDifference {
        struct seccomp_data data;
        uint32_t a, b;
} VerdictDifference;

/*
 * Compare two filters on every call number, with each of @values as argument. Arguments of 32-bit
 * architectures have no upper half. Return: whether they differ; @ret says where.
 */
static inline bool seccomp_filters_differ(const SeccompFilter *a, const SeccompFilter *b,
                                          const uint64_t *values, size_t n_values, VerdictDifference *ret) {
        static const struct {
                uint32_t audit, first, last;
                bool wide;
        } spaces[] = {
                { AUDIT_ARCH_X86_64, 0, 600, true },
                { AUDIT_ARCH_X86_64, 0x40000000, 0x40000000 + 600, false },
                { AUDIT_ARCH_X86_64, 0x7fffffff, 0x7fffffff, true },
                { AUDIT_ARCH_I386, 0, 600, false },
                { AUDIT_ARCH_AARCH64, 0, 600, true },
                { AUDIT_ARCH_RISCV64, 0, 300, true },
                { AUDIT_ARCH_ARM, 0, 600, false },
                { AUDIT_ARCH_ARM, 0xf0000, 0xf0010, false },
        };

        for (size_t s = 0; s < sizeof(spaces) / sizeof(spaces[0]); s++)
                for (uint32_t nr = spaces[s].first; nr <= spaces[s].last; nr++)
                        for (size_t v = 0; v < n_values; v++) {
                                struct seccomp_data d = { .nr = (int) nr, .arch = spaces[s].audit };

                                /* Neighbours get different values, so that conditions on two arguments
                                 * count. */
                                for (size_t i = 0; i < 6; i++) {
                                        d.args[i] = values[(v + i * (nr % 3)) % n_values];
                                        if (!spaces[s].wide)
                                                d.args[i] = (uint32_t) d.args[i];
                                }
                                *ret = (VerdictDifference){ d, seccomp_verdict(a, &d),
                                                            seccomp_verdict(b, &d) };
                                if (ret->a != ret->b)
                                        return true;
                        }
        return false;
}
