/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A filter as a binary search over ranges of system call numbers. Profiles name hundreds of calls, but
 * neighbours mostly share their fate, so the program is a third of what libseccomp makes, takes a hundredth
 * of the time to make, and the kernel checks, translates and walks it faster. The meaning is libseccomp's,
 * the unit test and a fuzz target compare the two; what has a meaning of its own there (several conditions
 * of one call with different actions or arguments, architectures that multiplex calls) is left to it.
 *
 * The code is written from its end to its beginning: all jumps go forward, so every target is known.
 */
#include "seccomp-tree.h"

#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stdlib.h>

#include "../../basic/macro.h"
#include "../../basic/str.h"

#define X32_BIT 0x40000000U
#define ACTIONS_MAX 64
/* A conditional jump has eight bits; a little room for the long jumps put before it. */
#define NEAR 250

/* Calls of i386 that come through socketcall() and ipc() too: what libseccomp gives them is no number. */
static const struct {
        const char *name;
        uint32_t nr; /* 0: only through the other */
} multiplexed[] = {
        { "socket", 359 },      { "socketpair", 360 },  { "bind", 361 },        { "connect", 362 },
        { "listen", 363 },      { "accept4", 364 },     { "getsockopt", 365 },  { "setsockopt", 366 },
        { "getsockname", 367 }, { "getpeername", 368 }, { "sendto", 369 },      { "sendmsg", 370 },
        { "recvfrom", 371 },    { "recvmsg", 372 },     { "shutdown", 373 },    { "semget", 393 },
        { "semctl", 394 },      { "shmget", 395 },      { "shmctl", 396 },      { "shmat", 397 },
        { "shmdt", 398 },       { "msgget", 399 },      { "msgsnd", 400 },      { "msgrcv", 401 },
        { "msgctl", 402 },      { "accept", 0 },        { "send", 0 },          { "recv", 0 },
        { "semop", 0 },         { "semtimedop", 0 },    { "recvmmsg", 337 },    { "sendmmsg", 345 },
};

typedef struct Entry {
        uint32_t nr;
        size_t rule;
} Entry;

/* From @start up to the next one. */
typedef struct Range {
        uint32_t start;
        uint32_t action;
        const Entry *rules; /* if any matches, @action; if none does, the default */
        size_t n_rules;
} Range;

typedef struct Writer {
        struct sock_filter *code; /* BPF_MAXINSNS of them */
        size_t head;              /* what was written last */
        struct {
                uint32_t action;
                size_t at;
        } returns[ACTIONS_MAX];
        size_t n_returns;
        bool full;
} Writer;

static size_t emit(Writer *w, uint16_t code, uint32_t k, size_t jt, size_t jf) {
        if (w->head == 0) {
                w->full = true;
                return 0;
        }
        w->code[--w->head] = (struct sock_filter) { code, (uint8_t) jt, (uint8_t) jf, k };
        return w->head;
}

static size_t emit_return(Writer *w, uint32_t action) {
        size_t i = 0;

        while (i < w->n_returns && w->returns[i].action != action)
                i++;
        if (i < w->n_returns && w->returns[i].at - w->head < NEAR)
                return w->returns[i].at;
        if (i == w->n_returns) {
                if (i == ACTIONS_MAX)
                        return emit(w, BPF_RET | BPF_K, action, 0, 0);
                w->n_returns++;
        }
        w->returns[i].action = action;
        w->returns[i].at = emit(w, BPF_RET | BPF_K, action, 0, 0);
        return w->returns[i].at;
}

static size_t near(Writer *w, size_t target) {
        return target - w->head < NEAR ? target :
                                         emit(w, BPF_JMP | BPF_JA, (uint32_t) (target - w->head), 0, 0);
}

static size_t emit_jump(Writer *w, uint16_t test, uint32_t k, size_t if_true, size_t if_false) {
        if_true = near(w, if_true);
        if_false = near(w, if_false);
        return emit(w, BPF_JMP | test | BPF_K, k, if_true - w->head, if_false - w->head);
}

static size_t emit_load(Writer *w, size_t offset) {
        return emit(w, BPF_LD | BPF_W | BPF_ABS, (uint32_t) offset, 0, 0);
}

static size_t argument_offset(unsigned arg, bool high) {
        bool second = high == (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__);

        return offsetof(struct seccomp_data, args) + arg * sizeof(uint64_t) +
               (second ? sizeof(uint32_t) : 0);
}

static size_t emit_half(Writer *w, const struct scmp_arg_cmp *c, bool high, uint16_t test, size_t yes,
                        size_t no) {
        bool masked = c->op == SCMP_CMP_MASKED_EQ;
        uint64_t value = masked ? c->datum_b & c->datum_a : c->datum_a;
        uint32_t k = (uint32_t) (high ? value >> 32 : value),
                 mask = (uint32_t) (high ? c->datum_a >> 32 : c->datum_a);

        (void) emit_jump(w, test, k, yes, no);
        if (masked)
                (void) emit(w, BPF_ALU | BPF_AND | BPF_K, mask, 0, 0);
        return emit_load(w, argument_offset(c->arg, high));
}

/* Unsigned, of 64 bits, or of the lower 32 where arguments have no more. */
static size_t emit_condition(Writer *w, const struct scmp_arg_cmp *c, bool wide, size_t yes, size_t no) {
        uint16_t test;
        size_t at;

        switch (c->op) {
        case SCMP_CMP_NE:
                return emit_condition(w,
                                      &(struct scmp_arg_cmp){ c->arg, SCMP_CMP_EQ, c->datum_a, c->datum_b },
                                      wide, no, yes);
        case SCMP_CMP_LT:
                return emit_condition(w,
                                      &(struct scmp_arg_cmp){ c->arg, SCMP_CMP_GE, c->datum_a, c->datum_b },
                                      wide, no, yes);
        case SCMP_CMP_LE:
                return emit_condition(w,
                                      &(struct scmp_arg_cmp){ c->arg, SCMP_CMP_GT, c->datum_a, c->datum_b },
                                      wide, no, yes);
        case SCMP_CMP_GE:
                test = BPF_JGE;
                break;
        case SCMP_CMP_GT:
                test = BPF_JGT;
                break;
        default:
                test = BPF_JEQ;
                break;
        }
        at = emit_half(w, c, false, test, yes, no);
        if (!wide)
                return at;
        at = emit_half(w, c, true, BPF_JEQ, at, no);
        if (test == BPF_JEQ)
                return at;
        /* More in the upper half decides alone. */
        return emit_half(w, c, true, BPF_JGT, yes, at);
}

static size_t emit_range(Writer *w, const SeccompTree *t, const Range *g, bool wide) {
        size_t next;

        /* libseccomp counts x32 among the architectures of 32 bits. */
        wide = wide && g->start < X32_BIT;
        if (g->n_rules == 0)
                return emit_return(w, g->action);
        next = emit_return(w, t->default_action);
        for (size_t i = g->n_rules; i-- > 0;) {
                const SeccompRule *r = &t->rules[g->rules[i].rule];
                size_t no = next, yes = emit_return(w, g->action);

                for (unsigned k = r->n; k-- > 0;)
                        yes = emit_condition(w, &r->cmp[k], wide, yes, no);
                next = yes;
        }
        return next;
}

static size_t emit_search(Writer *w, const SeccompTree *t, const Range *g, size_t n, bool wide) {
        size_t middle = n / 2, left, right;

        if (n == 1)
                return emit_range(w, t, g, wide);
        right = emit_search(w, t, g + middle, n - middle, wide);
        left = emit_search(w, t, g, middle, wide);
        return emit_jump(w, BPF_JGE, g[middle].start, right, left);
}

static bool is_unconditional(const SeccompTree *t, const char *name) {
        for (size_t i = 0; i < t->n_rules; i++)
                if (t->rules[i].n == 0 && streq(t->rules[i].name, name))
                        return true;
        return false;
}

static bool is_multiplexed(uint32_t arch, const char *name, int *ret) {
        for (size_t i = 0; arch == SCMP_ARCH_X86 && i < ELEMENTSOF(multiplexed); i++)
                if (streq(multiplexed[i].name, name)) {
                        *ret = multiplexed[i].nr > 0 ? (int) multiplexed[i].nr : -1;
                        return true;
                }
        return false;
}

/** seccomp_number - the number of a call, below zero if the architecture has none. */
int seccomp_number(uint32_t arch, const char *name) {
        int nr;

        return is_multiplexed(arch, name, &nr) ? nr : seccomp_syscall_resolve_name_arch((int) arch, name);
}

/* Return: the number, below zero for none, or -EOPNOTSUPP for what libseccomp must do. */
static int resolve(const SeccompTree *t, uint32_t arch, const char *name) {
        int nr;

        if (!is_multiplexed(arch, name, &nr))
                return MAX(seccomp_number(arch, name), -1);
        /* With both open to all calls it does not matter what comes through them. */
        return is_unconditional(t, "socketcall") && is_unconditional(t, "ipc") ? nr : -EOPNOTSUPP;
}

static int compare_entries(const void *a, const void *b) {
        const Entry *x = a, *y = b;

        if (x->nr != y->nr)
                return x->nr > y->nr ? 1 : -1;
        return (x->rule > y->rule) - (x->rule < y->rule);
}

/* The rules of all calls of one AUDIT_ARCH, by number. */
static int collect(const SeccompTree *t, uint32_t audit, Entry *entries, size_t *ret_n) {
        size_t n = 0;

        for (size_t a = 0; a < t->n_arches; a++)
                for (size_t i = 0; t->arches[a].audit == audit && i < t->n_rules; i++) {
                        int nr = resolve(t, t->arches[a].arch, t->rules[i].name);

                        if (nr == -EOPNOTSUPP)
                                return nr;
                        if (nr >= 0)
                                entries[n++] = (Entry) { (uint32_t) nr, i };
                }
        qsort(entries, n, sizeof(Entry), compare_entries);
        *ret_n = n;
        return 0;
}

static void add_range(Range *ranges, size_t *n, Range g) {
        Range *last = *n > 0 ? &ranges[*n - 1] : NULL;

        if (last && last->start == g.start)
                last = &ranges[--*n];
        if (*n > 0 && g.n_rules == 0 && ranges[*n - 1].n_rules == 0 && ranges[*n - 1].action == g.action)
                return;
        ranges[(*n)++] = g;
}

/* What becomes of one call. The first rule without conditions counts, wherever it stands. */
static int decide(const SeccompTree *t, const Entry *e, size_t n, Range *ret) {
        *ret = (Range) { .start = e->nr, .action = t->rules[e->rule].action, .rules = e, .n_rules = n };
        for (size_t i = 0; i < n; i++)
                if (t->rules[e[i].rule].n == 0) {
                        *ret = (Range) { .start = e->nr, .action = t->rules[e[i].rule].action };
                        return 0;
                }
        for (size_t i = 0; i < n; i++)
                if (t->rules[e[i].rule].action != ret->action || (n > 1 && t->rules[e[i].rule].n > 1))
                        return -EOPNOTSUPP;
        return 0;
}

static const SeccompArch *find_arch(const SeccompTree *t, uint32_t arch) {
        for (size_t i = 0; i < t->n_arches; i++)
                if (t->arches[i].arch == arch)
                        return &t->arches[i];
        return NULL;
}

/* Numbers from @base on: those of @entries with gaps between them, and what comes after the newest. */
static int divide(const SeccompTree *t, const SeccompArch *arch, uint32_t base, const Entry *entries,
                  size_t n, Range *ranges, size_t *n_ranges) {
        add_range(ranges, n_ranges, (Range) { .start = base, .action = t->default_action });
        for (size_t i = 0, end; i < n; i = end) {
                Range g;
                int r;

                for (end = i + 1; end < n && entries[end].nr == entries[i].nr;)
                        end++;
                r = decide(t, &entries[i], end - i, &g);
                if (r < 0)
                        return r;
                add_range(ranges, n_ranges, g);
                add_range(ranges, n_ranges, (Range) { .start = g.start + 1, .action = t->default_action });
        }
        if (t->newer_is_enosys && arch->highest >= 0)
                add_range(ranges, n_ranges,
                          (Range) { .start = base + (uint32_t) arch->highest + 1,
                                    .action = SECCOMP_RET_ERRNO | ENOSYS });
        return 0;
}

/* x32 shares x86-64's audit number and has its calls from 2^30 on; without it they are another
 * architecture's. */
static int divide_x86_64(const SeccompTree *t, const Entry *entries, size_t n, Range *ranges,
                         size_t *n_ranges) {
        const SeccompArch *x32 = find_arch(t, SCMP_ARCH_X32), *native = find_arch(t, SCMP_ARCH_X86_64);
        size_t first = 0;
        int r;

        while (first < n && entries[first].nr < X32_BIT)
                first++;
        if (!native)
                return -EOPNOTSUPP;
        r = divide(t, native, 0, entries, first, ranges, n_ranges);
        if (r < 0)
                return r;
        if (x32)
                return divide(t, x32, X32_BIT, entries + first, n - first, ranges, n_ranges);
        add_range(ranges, n_ranges, (Range) { .start = X32_BIT, .action = SECCOMP_RET_KILL_THREAD });
        return 0;
}

/* Return: where the code for this AUDIT_ARCH begins. */
static int emit_arch(Writer *w, const SeccompTree *t, const SeccompArch *a, Entry *entries, Range *ranges,
                     size_t *ret_at) {
        bool wide = a->audit == AUDIT_ARCH_X86_64 || a->audit == AUDIT_ARCH_AARCH64 ||
                    a->audit == AUDIT_ARCH_RISCV64;
        size_t n, n_ranges = 0, at;
        int r;

        r = collect(t, a->audit, entries, &n);
        if (r < 0)
                return r;
        r = a->audit == AUDIT_ARCH_X86_64 ? divide_x86_64(t, entries, n, ranges, &n_ranges) :
                                            divide(t, a, 0, entries, n, ranges, &n_ranges);
        if (r < 0)
                return r;
        /* A tracer's way to skip a call. */
        add_range(ranges, &n_ranges, (Range) { .start = UINT32_MAX, .action = t->default_action });
        at = emit_search(w, t, ranges, n_ranges, wide);
        /* A single answer may be one that stands further down. */
        if (at != w->head)
                (void) emit(w, BPF_JMP | BPF_JA, (uint32_t) (at - w->head), 0, 0);
        *ret_at = emit_load(w, offsetof(struct seccomp_data, nr));
        return 0;
}

static bool is_known(const SeccompArch *a) {
        static const uint32_t known[] = { SCMP_ARCH_X86_64, SCMP_ARCH_X32, SCMP_ARCH_X86, SCMP_ARCH_AARCH64,
                                          SCMP_ARCH_ARM, SCMP_ARCH_RISCV64 };

        for (size_t i = 0; i < ELEMENTSOF(known); i++)
                if (known[i] == a->arch)
                        return true;
        return false;
}

/* An audit number that an earlier architecture has had already. */
static bool is_repeated(const SeccompTree *t, size_t i) {
        for (size_t k = 0; k < i; k++)
                if (t->arches[k].audit == t->arches[i].audit)
                        return true;
        return false;
}

static int emit_all(Writer *w, const SeccompTree *t, Entry *entries, Range *ranges) {
        size_t next = emit_return(w, SECCOMP_RET_KILL_THREAD);

        for (size_t i = t->n_arches; i-- > 0;) {
                size_t at;
                int r;

                if (is_repeated(t, i))
                        continue;
                r = emit_arch(w, t, &t->arches[i], entries, ranges, &at);
                if (r < 0)
                        return r;
                next = emit_jump(w, BPF_JEQ, t->arches[i].audit, at, next);
        }
        (void) emit_load(w, offsetof(struct seccomp_data, arch));
        return w->full ? -E2BIG : 0;
}

/**
 * seccomp_tree_build - make the program.
 * @ret: owned by the caller.
 *
 * Return: 0, -EOPNOTSUPP for what libseccomp is to do, -E2BIG, -ENOMEM.
 */
int seccomp_tree_build(const SeccompTree *t, struct sock_filter **ret, size_t *ret_n) {
        _cleanup_free_ struct sock_filter *code = new(struct sock_filter, BPF_MAXINSNS);
        _cleanup_free_ Entry *entries = new(Entry, 2 * t->n_rules + 1);
        /* Each call begins a range and ends one; and the ends of the whole. */
        _cleanup_free_ Range *ranges = new(Range, 4 * t->n_rules + 8);
        Writer w = { .code = code, .head = BPF_MAXINSNS };
        struct sock_filter *copy;
        int r;

        if (!code || !entries || !ranges)
                return -ENOMEM;
        for (size_t i = 0; i < t->n_arches; i++)
                if (!is_known(&t->arches[i]))
                        return -EOPNOTSUPP;
        r = emit_all(&w, t, entries, ranges);
        if (r < 0)
                return r;
        *ret_n = BPF_MAXINSNS - w.head;
        copy = new(struct sock_filter, *ret_n);
        if (!copy)
                return -ENOMEM;
        memcpy(copy, code + w.head, *ret_n * sizeof(*copy));
        *ret = copy;
        return 0;
}
