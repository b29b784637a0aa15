/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * linux.seccomp to BPF: by seccomp-tree.c, or by libseccomp where that cannot say it. System calls newer
 * than anything the profile names answer ENOSYS, so that programs fall back instead of failing.
 */
#include "seccomp-filter.h"

#include <linux/audit.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../../basic/fd.h"
#include "../../basic/file.h"
#include "../error.h"
#include "../runtime-log.h"
#include "../spec/spec.h"
#include "seccomp-tree.h"

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

#define X32_BIT 0x40000000U

static const struct {
        const char *name;
        uint32_t action;
        bool has_errno;
} actions[] = {
        { "SCMP_ACT_ALLOW", SCMP_ACT_ALLOW, false },
        { "SCMP_ACT_ERRNO", SCMP_ACT_ERRNO(0), true },
        { "SCMP_ACT_KILL", SCMP_ACT_KILL, false },
        { "SCMP_ACT_KILL_THREAD", SCMP_ACT_KILL_THREAD, false },
        { "SCMP_ACT_KILL_PROCESS", SCMP_ACT_KILL_PROCESS, false },
        { "SCMP_ACT_TRAP", SCMP_ACT_TRAP, false },
        { "SCMP_ACT_TRACE", SCMP_ACT_TRACE(0), true },
        { "SCMP_ACT_LOG", SCMP_ACT_LOG, false },
        { "SCMP_ACT_NOTIFY", SCMP_ACT_NOTIFY, false },
};

static const struct {
        const char *name;
        uint32_t arch, audit;
} arches[] = {
        { "SCMP_ARCH_X86_64", SCMP_ARCH_X86_64, AUDIT_ARCH_X86_64 },
        { "SCMP_ARCH_X86", SCMP_ARCH_X86, AUDIT_ARCH_I386 },
        { "SCMP_ARCH_X32", SCMP_ARCH_X32, AUDIT_ARCH_X86_64 },
        { "SCMP_ARCH_AARCH64", SCMP_ARCH_AARCH64, AUDIT_ARCH_AARCH64 },
        { "SCMP_ARCH_ARM", SCMP_ARCH_ARM, AUDIT_ARCH_ARM },
        { "SCMP_ARCH_PPC64LE", SCMP_ARCH_PPC64LE, AUDIT_ARCH_PPC64LE },
        { "SCMP_ARCH_PPC64", SCMP_ARCH_PPC64, AUDIT_ARCH_PPC64 },
        { "SCMP_ARCH_PPC", SCMP_ARCH_PPC, AUDIT_ARCH_PPC },
        { "SCMP_ARCH_S390X", SCMP_ARCH_S390X, AUDIT_ARCH_S390X },
        { "SCMP_ARCH_S390", SCMP_ARCH_S390, AUDIT_ARCH_S390 },
        { "SCMP_ARCH_MIPS", SCMP_ARCH_MIPS, AUDIT_ARCH_MIPS },
        { "SCMP_ARCH_MIPS64", SCMP_ARCH_MIPS64, AUDIT_ARCH_MIPS64 },
        { "SCMP_ARCH_MIPS64N32", SCMP_ARCH_MIPS64N32, AUDIT_ARCH_MIPS64N32 },
        { "SCMP_ARCH_MIPSEL", SCMP_ARCH_MIPSEL, AUDIT_ARCH_MIPSEL },
        { "SCMP_ARCH_MIPSEL64", SCMP_ARCH_MIPSEL64, AUDIT_ARCH_MIPSEL64 },
        { "SCMP_ARCH_MIPSEL64N32", SCMP_ARCH_MIPSEL64N32, AUDIT_ARCH_MIPSEL64N32 },
        { "SCMP_ARCH_RISCV64", SCMP_ARCH_RISCV64, AUDIT_ARCH_RISCV64 },
        { "SCMP_ARCH_PARISC", SCMP_ARCH_PARISC, AUDIT_ARCH_PARISC },
        { "SCMP_ARCH_PARISC64", SCMP_ARCH_PARISC64, AUDIT_ARCH_PARISC64 },
/* Of libseccomp 2.5.4 and 2.6. */
#if defined(SCMP_ARCH_LOONGARCH64) && defined(AUDIT_ARCH_LOONGARCH64)
        { "SCMP_ARCH_LOONGARCH64", SCMP_ARCH_LOONGARCH64, AUDIT_ARCH_LOONGARCH64 },
#endif
#ifdef SCMP_ARCH_M68K
        { "SCMP_ARCH_M68K", SCMP_ARCH_M68K, AUDIT_ARCH_M68K },
#endif
#ifdef SCMP_ARCH_SH
        { "SCMP_ARCH_SH", SCMP_ARCH_SH, AUDIT_ARCH_SHEL },
        { "SCMP_ARCH_SHEB", SCMP_ARCH_SHEB, AUDIT_ARCH_SH },
#endif
};

/* Of the specification, but not of every libseccomp that we can be built with. */
static const char *const other_arches[] = { "SCMP_ARCH_PARISC",      "SCMP_ARCH_PARISC64",
                                            "SCMP_ARCH_LOONGARCH64", "SCMP_ARCH_M68K",
                                            "SCMP_ARCH_SH",          "SCMP_ARCH_SHEB" };

static const struct {
        const char *name;
        enum scmp_compare op;
} operators[] = {
        { "SCMP_CMP_NE", SCMP_CMP_NE }, { "SCMP_CMP_LT", SCMP_CMP_LT }, { "SCMP_CMP_LE", SCMP_CMP_LE },
        { "SCMP_CMP_EQ", SCMP_CMP_EQ }, { "SCMP_CMP_GE", SCMP_CMP_GE }, { "SCMP_CMP_GT", SCMP_CMP_GT },
        { "SCMP_CMP_MASKED_EQ", SCMP_CMP_MASKED_EQ },
};

static const struct {
        const char *name;
        unsigned flag;
} flags[] = {
        { "SECCOMP_FILTER_FLAG_TSYNC", 0 /* one thread only */ },
        { "SECCOMP_FILTER_FLAG_LOG", SECCOMP_FILTER_FLAG_LOG },
        { "SECCOMP_FILTER_FLAG_SPEC_ALLOW", SECCOMP_FILTER_FLAG_SPEC_ALLOW },
        { "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV },
};

/* linux.seccomp, parsed. */
typedef struct Profile {
        uint32_t default_action;
        SeccompArch arches[ELEMENTSOF(arches)]; /* the native one first */
        size_t n_arches;
        SeccompRule *rules;
        size_t n_rules;
} Profile;

static void profile_done(Profile *p) {
        free(p->rules);
}
#define _cleanup_profile_ _cleanup_(profile_done)

static void scmp_releasep(scmp_filter_ctx *ctx) {
        if (*ctx)
                seccomp_release(*ctx);
}
#define _cleanup_scmp_ _cleanup_(scmp_releasep)

static int parse_action(json_object *o, const char *key, const char *errno_key, uint32_t *ret) {
        const char *name = json_string_or(o, key, "");
        int64_t value = EPERM;
        int r;

        r = spec_int(o, "linux.seccomp", errno_key, 0, 4095, &value);
        if (r < 0)
                return r;
        for (size_t i = 0; i < ELEMENTSOF(actions); i++) {
                if (!streq(actions[i].name, name))
                        continue;
                if (r > 0 && !actions[i].has_errno)
                        return fail_text(EINVAL, "config.json: linux.seccomp: %s with %s", errno_key, name);
                *ret = actions[i].action | (actions[i].has_errno ? (uint32_t) value & 0xffff : 0);
                return 0;
        }
        return fail_text(EINVAL, "config.json: linux.seccomp.%s: unknown action \"%s\"", key, name);
}

static int parse_args(json_object *o, struct scmp_arg_cmp cmp[6], unsigned *ret_n) {
        json_object *a;
        size_t n;
        int r;

        r = spec_array(o, "linux.seccomp.syscalls", "args", &a, &n);
        if (r < 0)
                return r;
        if (n > 6)
                return fail_text(EINVAL, "config.json: linux.seccomp.syscalls.args: more than six");
        for (size_t i = 0; i < n; i++) {
                json_object *c = json_object_array_get_idx(a, i), *value = json_get(c, "value"),
                            *two = json_get(c, "valueTwo");
                const char *op = json_string_or(c, "op", "");
                enum scmp_compare compare = _SCMP_CMP_MIN;
                int64_t index = -1;

                if (spec_int(c, "linux.seccomp.syscalls.args", "index", 0, 5, &index) < 0)
                        return -EINVAL;
                for (size_t k = 0; k < ELEMENTSOF(operators); k++)
                        if (streq(operators[k].name, op))
                                compare = operators[k].op;
                if (compare == _SCMP_CMP_MIN && !isempty(op))
                        return fail_text(EINVAL,
                                         "config.json: linux.seccomp.syscalls.args: unknown op \"%s\"", op);
                if (index < 0 || compare == _SCMP_CMP_MIN || !json_object_is_type(value, json_type_int) ||
                    (two && !json_object_is_type(two, json_type_int)))
                        return fail_text(EINVAL,
                                         "config.json: linux.seccomp.syscalls.args: index, op and value");
                cmp[i] = (struct scmp_arg_cmp) { (unsigned) index, compare, json_object_get_uint64(value),
                                                 two ? json_object_get_uint64(two) : 0 };
        }
        *ret_n = (unsigned) n;
        return 0;
}

static int append_rule(Profile *p, const char *name, uint32_t action, const struct scmp_arg_cmp *cmp,
                       unsigned n) {
        SeccompRule *grown;

        /* By powers of two. */
        if ((p->n_rules & (p->n_rules - 1)) == 0) {
                grown = reallocarray(p->rules, MAX(p->n_rules * 2, 1U), sizeof(SeccompRule));
                if (!grown)
                        return -ENOMEM;
                p->rules = grown;
        }
        p->rules[p->n_rules] = (SeccompRule) { .name = name, .action = action, .n = n };
        memcpy(p->rules[p->n_rules++].cmp, cmp, n * sizeof(*cmp));
        return 0;
}

/* One rule for all its conditions; but conditions on the same argument are alternatives, as runc has it. */
static int append_rules(Profile *p, const char *name, uint32_t action, const struct scmp_arg_cmp *cmp,
                        unsigned n) {
        unsigned seen = 0;
        bool repeated = false;
        int r = 0;

        for (unsigned i = 0; i < n; i++) {
                repeated = repeated || (seen & (1U << cmp[i].arg));
                seen |= 1U << cmp[i].arg;
        }
        if (!repeated)
                return append_rule(p, name, action, cmp, n);
        for (unsigned i = 0; i < n && r >= 0; i++)
                r = append_rule(p, name, action, &cmp[i], 1);
        return r;
}

static void note_newest(Profile *p, const char *name) {
        for (size_t i = 0; i < p->n_arches; i++) {
                int nr = seccomp_number(p->arches[i].arch, name);

                if (nr >= 0 && p->arches[i].arch == SCMP_ARCH_X32)
                        nr = (int) ((unsigned) nr & ~X32_BIT);
                p->arches[i].highest = MAX(p->arches[i].highest, nr);
        }
}

static int parse_group(json_object *o, Profile *p) {
        _cleanup_free_ const char **names = NULL;
        struct scmp_arg_cmp cmp[6] = {};
        uint32_t action;
        unsigned n = 0;
        int r;

        if ((r = parse_action(o, "action", "errnoRet", &action)) < 0 || (r = parse_args(o, cmp, &n)) < 0 ||
            (r = spec_strv(o, "linux.seccomp.syscalls", "names", &names)) < 0)
                return r;
        if (!names || !names[0])
                return fail_text(EINVAL,
                                 "config.json: linux.seccomp.syscalls.names: expected at least one name");
        for (size_t i = 0; names[i]; i++) {
                /* Names this libseccomp does not know yet are the newest of all; profiles list them for
                 * later. */
                if (seccomp_syscall_resolve_name(names[i]) == __NR_SCMP_ERROR)
                        continue;
                note_newest(p, names[i]);
                if (action == p->default_action)
                        continue;
                r = append_rules(p, names[i], action, cmp, n);
                if (r < 0)
                        return r;
        }
        return 0;
}

/**
 * seccomp_check_names - refuse names of system calls that are unknown here, which otherwise are left out.
 * @seccomp: linux.seccomp, or NULL.
 */
int seccomp_check_names(json_object *seccomp) {
        json_object *groups = NULL;
        size_t n = 0;
        int r = seccomp ? spec_array(seccomp, "linux.seccomp", "syscalls", &groups, &n) : 0;

        for (size_t i = 0; r >= 0 && i < n; i++) {
                _cleanup_free_ const char **names = NULL;

                r = spec_strv(json_object_array_get_idx(groups, i), "linux.seccomp.syscalls", "names",
                              &names);
                for (size_t k = 0; r >= 0 && names && names[k]; k++)
                        if (seccomp_syscall_resolve_name(names[k]) == __NR_SCMP_ERROR)
                                return fail_text(EINVAL,
                                                 "config.json: linux.seccomp.syscalls.names: unknown \"%s\"",
                                                 names[k]);
        }
        return r < 0 ? r : 0;
}

static bool is_other_arch(const char *name) {
        for (size_t i = 0; i < ELEMENTSOF(other_arches); i++)
                if (streq(other_arches[i], name))
                        return true;
        return false;
}

static bool has_arch(const Profile *p, uint32_t arch) {
        for (size_t i = 0; i < p->n_arches; i++)
                if (p->arches[i].arch == arch)
                        return true;
        return false;
}

static void append_arch(Profile *p, size_t k) {
        if (!has_arch(p, arches[k].arch))
                p->arches[p->n_arches++] = (SeccompArch) { arches[k].arch, arches[k].audit, -1 };
}

static int parse_arches(json_object *seccomp, Profile *p) {
        _cleanup_free_ const char **names = NULL;
        uint32_t native = seccomp_arch_native();
        int r;

        for (size_t k = 0; k < ELEMENTSOF(arches); k++)
                if (arches[k].arch == native)
                        append_arch(p, k);
        r = spec_strv(seccomp, "linux.seccomp", "architectures", &names);
        if (r < 0)
                return r;
        for (size_t i = 0; names && names[i]; i++) {
                size_t k = 0;

                while (k < ELEMENTSOF(arches) && !streq(arches[k].name, names[i]))
                        k++;
                if (k == ELEMENTSOF(arches) && !is_other_arch(names[i]))
                        return fail_text(EINVAL, "config.json: linux.seccomp.architectures: unknown \"%s\"",
                                         names[i]);
                if (k == ELEMENTSOF(arches))
                        runtime_warning("linux.seccomp.architectures: \"%s\" is unknown here", names[i]);
                else
                        append_arch(p, k);
        }
        return 0;
}

static int export_code(scmp_filter_ctx ctx, struct sock_filter **ret, size_t *ret_n) {
        _cleanup_close_ int fd = memfd_create("bpf", MFD_CLOEXEC);
        char *code;
        size_t size;
        int r;

        if (fd < 0)
                return fail_errno(errno, "memfd");
        r = seccomp_export_bpf(ctx, fd);
        if (r < 0)
                return fail_errno(r, "compile linux.seccomp");
        if (lseek(fd, 0, SEEK_SET) < 0)
                return fail_errno(errno, "memfd");
        r = read_fd(fd, BPF_MAXINSNS * sizeof(struct sock_filter), &code, &size);
        if (r < 0)
                return fail_errno(r, "compile linux.seccomp");
        *ret = (struct sock_filter *) (void *) code;
        *ret_n = size / sizeof(struct sock_filter);
        return 0;
}

static struct sock_filter statement(uint16_t code, uint32_t value, uint8_t if_true, uint8_t if_false) {
        return (struct sock_filter) { code, if_true, if_false, value };
}

/*
 * Per architecture:  if arch != A skip 4;  load nr;  if nr > highest (and, for x86-64, no x32 number) return
 * ENOSYS; load arch.  x32 shares x86-64's arch and has numbers from 2^30 on.
 */
static size_t write_prologue(const Profile *profile, struct sock_filter *p) {
        size_t n = 0;

        p[n++] = statement(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch), 0, 0);
        for (size_t i = 0; i < profile->n_arches; i++) {
                const SeccompArch *a = &profile->arches[i];
                uint32_t highest = (uint32_t) a->highest;

                if (a->highest < 0)
                        continue;
                p[n++] = statement(BPF_JMP | BPF_JEQ | BPF_K, a->audit, 0, 5);
                p[n++] = statement(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr), 0, 0);
                if (a->arch == SCMP_ARCH_X32)
                        p[n++] = statement(BPF_JMP | BPF_JGT | BPF_K, X32_BIT | highest, 1, 2);
                else
                        p[n++] = statement(BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 2, 0);
                if (a->arch == SCMP_ARCH_X32)
                        p[n++] = statement(BPF_JMP | BPF_JA, 1, 0, 0);
                else
                        p[n++] = statement(BPF_JMP | BPF_JGT | BPF_K, highest, 0, 1);
                p[n++] = statement(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS, 0, 0);
                p[n++] = statement(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch), 0, 0);
        }
        return n;
}

/* Where calls that are not named run, new ones do too; a tracer is expected to know them. */
static bool denies(uint32_t default_action) {
        switch (default_action & SECCOMP_RET_ACTION_FULL) {
        case SECCOMP_RET_ALLOW:
        case SECCOMP_RET_LOG:
        case SECCOMP_RET_TRACE:
                return false;
        default:
                return true;
        }
}

static int fill_context(const Profile *p, scmp_filter_ctx ctx) {
        int r;

        (void) seccomp_attr_set(ctx, SCMP_FLTATR_CTL_NNP, 0);
        /* A binary tree needs libseccomp 2.5; without it the filter is only slower. */
        (void) seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
        for (size_t i = 0; i < p->n_arches; i++) {
                r = seccomp_arch_add(ctx, p->arches[i].arch);
                if (r < 0 && r != -EEXIST)
                        return fail_errno(r, "config.json: linux.seccomp.architectures: %#x",
                                          p->arches[i].arch);
        }
        for (size_t i = 0; i < p->n_rules; i++) {
                const SeccompRule *rule = &p->rules[i];

                r = seccomp_rule_add_array(ctx, rule->action, seccomp_syscall_resolve_name(rule->name),
                                           rule->n, rule->cmp);
                /* A condition on an argument that an architecture passes another way cannot be expressed
                 * there. */
                if (r < 0 && r != -EEXIST && !(r == -EDOM && rule->n > 0))
                        return fail_errno(r, "config.json: linux.seccomp.syscalls: %s", rule->name);
        }
        return 0;
}

static int build_by_libseccomp(const Profile *p, SeccompFilter *ret) {
        _cleanup_free_ struct sock_filter *code = NULL, *whole = NULL;
        _cleanup_scmp_ scmp_filter_ctx ctx = seccomp_init(p->default_action);
        size_t n_code = 0, n_prologue = 0;
        int r;

        if (!ctx)
                return fail_text(EINVAL, "config.json: linux.seccomp.defaultAction: libseccomp refuses it");
        r = fill_context(p, ctx);
        if (r >= 0)
                r = export_code(ctx, &code, &n_code);
        if (r < 0)
                return r;
        whole = new(struct sock_filter, n_code + 1 + 6 * ELEMENTSOF(arches));
        if (!whole)
                return -ENOMEM;
        if (denies(p->default_action))
                n_prologue = write_prologue(p, whole);
        if (n_prologue + n_code > BPF_MAXINSNS)
                return fail_text(E2BIG, "config.json: linux.seccomp: the filter is too long");
        memcpy(whole + n_prologue, code, n_code * sizeof(struct sock_filter));
        ret->code = TAKE_PTR(whole);
        ret->n = n_prologue + n_code;
        return 0;
}

static int build(const Profile *p, bool reference, SeccompFilter *ret) {
        SeccompTree t = { .rules = p->rules,
                          .n_rules = p->n_rules,
                          .arches = p->arches,
                          .n_arches = p->n_arches,
                          .default_action = p->default_action,
                          .newer_is_enosys = denies(p->default_action) };
        int r = reference ? -EOPNOTSUPP : seccomp_tree_build(&t, &ret->code, &ret->n);

        return r == -EOPNOTSUPP || r == -E2BIG ? build_by_libseccomp(p, ret) : r;
}

static int parse_profile(json_object *seccomp, Profile *p) {
        json_object *groups;
        size_t n;
        int r;

        r = parse_arches(seccomp, p);
        if (r >= 0)
                r = spec_array(seccomp, "linux.seccomp", "syscalls", &groups, &n);
        for (size_t i = 0; r >= 0 && i < n; i++)
                r = parse_group(json_object_array_get_idx(groups, i), p);
        return r < 0 ? r : 0;
}

static int parse_flags(json_object *seccomp, unsigned *ret) {
        _cleanup_free_ const char **names = NULL;
        int r;

        r = spec_strv(seccomp, "linux.seccomp", "flags", &names);
        /* As crun and runc have it, and kernels since 5.16 without being asked: a program is not slowed down
         * for having a filter. An empty list is no flag. */
        if (r >= 0 && !json_get(seccomp, "flags"))
                *ret = SECCOMP_FILTER_FLAG_SPEC_ALLOW;
        for (size_t i = 0; r >= 0 && names && names[i]; i++) {
                size_t k = 0;

                while (k < ELEMENTSOF(flags) && !streq(flags[k].name, names[i]))
                        k++;
                if (k == ELEMENTSOF(flags))
                        return fail_text(EINVAL, "config.json: linux.seccomp.flags: unknown \"%s\"",
                                         names[i]);
                *ret |= flags[k].flag;
        }
        return r < 0 ? r : 0;
}

/* Return: 0 with what the profile needs a listener for, or -EINVAL when nothing is left to hand it over. */
static int find_notify(json_object *seccomp, SeccompNotify *ret) {
        bool any = false, sendmsg = false, sendmmsg = false, write_call = false;
        json_object *groups;
        size_t n;
        int r;

        r = spec_array(seccomp, "linux.seccomp", "syscalls", &groups, &n);
        for (size_t i = 0; r >= 0 && i < n; i++) {
                json_object *group = json_object_array_get_idx(groups, i);
                _cleanup_free_ const char **names = NULL;

                if (!streq(json_string_or(group, "action", ""), "SCMP_ACT_NOTIFY"))
                        continue;
                any = true;
                r = spec_strv(group, "linux.seccomp.syscalls", "names", &names);
                for (size_t k = 0; r >= 0 && names && names[k]; k++) {
                        sendmsg = sendmsg || streq(names[k], "sendmsg");
                        sendmmsg = sendmmsg || streq(names[k], "sendmmsg");
                        write_call = write_call || streq(names[k], "write");
                }
        }
        if (r < 0)
                return r;
        /* What goes wrong between the filter and the program is told by write(). */
        if (write_call)
                return fail_text(EINVAL,
                                 "config.json: linux.seccomp: SCMP_ACT_NOTIFY cannot be used for the "
                                 "write syscall");
        if (sendmsg && sendmmsg)
                return fail_text(EINVAL, "config.json: linux.seccomp: SCMP_ACT_NOTIFY for both sendmsg and "
                                         "sendmmsg leaves no way to hand over the listener");
        *ret = !any ? SECCOMP_NOTIFY_NONE : sendmsg ? SECCOMP_NOTIFY_SENDMMSG : SECCOMP_NOTIFY_SENDMSG;
        return 0;
}

static int compile(json_object *seccomp, bool reference, SeccompFilter *ret) {
        _cleanup_profile_ Profile p = {};
        SeccompFilter f = {};
        int r;

        r = parse_action(seccomp, "defaultAction", "defaultErrnoRet", &p.default_action);
        if (r < 0)
                return r;
        if (p.default_action == SCMP_ACT_NOTIFY)
                return fail_text(EINVAL,
                                 "config.json: linux.seccomp: SCMP_ACT_NOTIFY cannot be used as default "
                                 "action");
        if ((r = parse_flags(seccomp, &f.flags)) < 0 || (r = find_notify(seccomp, &f.notify)) < 0 ||
            (r = parse_profile(seccomp, &p)) < 0 || (r = build(&p, reference, &f)) < 0)
                return r;
        *ret = f;
        return 0;
}

/**
 * seccomp_compile - make a filter of linux.seccomp.
 * @ret: owned by the caller, seccomp_filter_done().
 *
 * Return: 0, -EINVAL or -EOPNOTSUPP with the field in the message, -ENOMEM.
 */
int seccomp_compile(json_object *seccomp, SeccompFilter *ret) {
        return compile(seccomp, false, ret);
}

/** seccomp_compile_reference - the same by libseccomp alone, for tests to compare with. */
int seccomp_compile_reference(json_object *seccomp, SeccompFilter *ret) {
        return compile(seccomp, true, ret);
}

/** seccomp_action_names - for `features`. Return: how many. */
size_t seccomp_action_names(const char **ret, size_t max) {
        size_t n = 0;

        for (; n < ELEMENTSOF(actions) && n < max; n++)
                ret[n] = actions[n].name;
        return n;
}

/** seccomp_operator_names - for `features`. Return: how many. */
size_t seccomp_operator_names(const char **ret, size_t max) {
        size_t n = 0;

        for (; n < ELEMENTSOF(operators) && n < max; n++)
                ret[n] = operators[n].name;
        return n;
}

/** seccomp_flag_names - for `features`. Return: how many. */
size_t seccomp_flag_names(const char **ret, size_t max) {
        size_t n = 0;

        for (; n < ELEMENTSOF(flags) && n < max; n++)
                ret[n] = flags[n].name;
        return n;
}

/** seccomp_flag_is_supported - whether the running kernel takes this flag. */
bool seccomp_flag_is_supported(const char *name) {
        for (size_t i = 0; i < ELEMENTSOF(flags); i++) {
                unsigned flag = flags[i].flag;

                if (!streq(flags[i].name, name))
                        continue;
                if (flag == SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV)
                        flag |= SECCOMP_FILTER_FLAG_NEW_LISTENER;
                /* Without a program a flag that is known gets as far as the bad address. */
                return flag == 0 || (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flag, NULL) < 0 &&
                                     errno == EFAULT);
        }
        return false;
}

/** seccomp_arch_names - for `features`. Return: how many. */
size_t seccomp_arch_names(const char **ret, size_t max) {
        size_t n = 0;

        for (; n < ELEMENTSOF(arches) && n < max; n++)
                ret[n] = arches[n].name;
        return n;
}
