/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * linux.resources.devices as a BPF program on the cgroup. The last matching rule decides, so the rules are
 * laid out from the last to the first and the first match returns. Devices every container has are always
 * allowed.
 */
#include "device-filter.h"

#include <inttypes.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "error.h"
#include "runtime-log.h"

#define ANY INT64_MIN

typedef struct Rule {
        char type; /* a, b, c */
        int64_t major, minor;
        unsigned access; /* BPF_DEVCG_ACC_* */
        bool allow;
} Rule;

typedef struct Program {
        struct bpf_insn *code;
        size_t n;
} Program;

enum { R0, R1, R_TYPE, R_ACCESS, R_MAJOR, R_MINOR, R_TMP };

static void emit(Program *p, uint8_t op, unsigned dst, unsigned src, int16_t off, int32_t imm) {
        if (p->n < DEVICE_FILTER_MAX)
                p->code[p->n] = (struct bpf_insn){
                        .code = op, .dst_reg = dst & 0xf, .src_reg = src & 0xf, .off = off, .imm = imm
                };
        p->n++;
}

static void emit_prologue(Program *p) {
        emit(p, BPF_LDX | BPF_MEM | BPF_W, R_TYPE, R1, 0, 0);
        emit(p, BPF_ALU | BPF_MOV | BPF_X, R_ACCESS, R_TYPE, 0, 0);
        emit(p, BPF_ALU | BPF_AND | BPF_K, R_TYPE, 0, 0, 0xffff);
        emit(p, BPF_ALU | BPF_RSH | BPF_K, R_ACCESS, 0, 0, 16);
        emit(p, BPF_LDX | BPF_MEM | BPF_W, R_MAJOR, R1, 4, 0);
        emit(p, BPF_LDX | BPF_MEM | BPF_W, R_MINOR, R1, 8, 0);
}

static void emit_return(Program *p, bool allow) {
        emit(p, BPF_ALU64 | BPF_MOV | BPF_K, R0, 0, 0, allow);
        emit(p, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

/*
 * An allow rule matches when all that is asked for is in it; a deny rule when anything asked for is. Each
 * test jumps over the rest of its rule, whose length is filled in at the end.
 */
static void emit_rule(Program *p, const Rule *rule) {
        size_t jumps[8], n = 0;

        if (rule->type != 'a') {
                jumps[n++] = p->n;
                emit(p, BPF_JMP | BPF_JNE | BPF_K, R_TYPE, 0, 0,
                     rule->type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR);
        }
        if (rule->access != (BPF_DEVCG_ACC_MKNOD | BPF_DEVCG_ACC_READ | BPF_DEVCG_ACC_WRITE)) {
                emit(p, BPF_ALU | BPF_MOV | BPF_X, R_TMP, R_ACCESS, 0, 0);
                emit(p, BPF_ALU | BPF_AND | BPF_K, R_TMP, 0, 0,
                     (int32_t) (rule->allow ? ~rule->access & 7 : rule->access));
                jumps[n++] = p->n;
                emit(p, BPF_JMP | (rule->allow ? BPF_JNE : BPF_JEQ) | BPF_K, R_TMP, 0, 0, 0);
        }
        if (rule->major != ANY) {
                jumps[n++] = p->n;
                emit(p, BPF_JMP | BPF_JNE | BPF_K, R_MAJOR, 0, 0, (int32_t) rule->major);
        }
        if (rule->minor != ANY) {
                jumps[n++] = p->n;
                emit(p, BPF_JMP | BPF_JNE | BPF_K, R_MINOR, 0, 0, (int32_t) rule->minor);
        }
        emit_return(p, rule->allow);
        for (size_t i = 0; i < n && p->n <= DEVICE_FILTER_MAX; i++)
                p->code[jumps[i]].off = (int16_t) (p->n - jumps[i] - 1);
}

static int parse_rule(json_object *o, Rule *ret) {
        const char *type = json_string_or(o, "type", "a"), *access = json_string_or(o, "access", "rwm");
        int64_t major = ANY, minor = ANY;
        int r;

        *ret = (Rule) {};
        if ((r = spec_flag(o, "linux.resources.devices", "allow", &ret->allow)) < 0 ||
            (r = spec_int(o, "linux.resources.devices", "major", -1, INT32_MAX, &major)) < 0 ||
            (r = spec_int(o, "linux.resources.devices", "minor", -1, INT32_MAX, &minor)) < 0)
                return r;
        ret->major = major < 0 ? ANY : major;
        ret->minor = minor < 0 ? ANY : minor;
        ret->type = type[0] == 'u' ? 'c' : isempty(type) ? 'a' : type[0];
        if (!strchr("abc", ret->type) || (!isempty(type) && type[1]))
                return fail_text(EINVAL, "config.json: linux.resources.devices: unknown type \"%s\"", type);
        for (const char *a = isempty(access) ? "rwm" : access; *a; a++) {
                unsigned bit = *a == 'r' ? BPF_DEVCG_ACC_READ :
                               *a == 'w' ? BPF_DEVCG_ACC_WRITE :
                               *a == 'm' ? BPF_DEVCG_ACC_MKNOD :
                                           0;

                if (bit == 0)
                        return fail_text(EINVAL,
                                         "config.json: linux.resources.devices: unknown access \"%s\"",
                                         access);
                ret->access |= bit;
        }
        return 0;
}

static void emit_always_allowed(Program *p, const Spec *s) {
        static const Rule fixed[] = {
                { 'c', ANY, ANY, BPF_DEVCG_ACC_MKNOD, true }, { 'b', ANY, ANY, BPF_DEVCG_ACC_MKNOD, true },
                { 'c', 1, 3, 7, true },    { 'c', 1, 5, 7, true },   { 'c', 1, 7, 7, true },
                { 'c', 1, 8, 7, true },    { 'c', 1, 9, 7, true },   { 'c', 5, 0, 7, true },
                { 'c', 5, 2, 7, true },    { 'c', 136, ANY, 7, true },
        };

        for (size_t i = 0; i < ELEMENTSOF(fixed); i++)
                emit_rule(p, &fixed[i]);
        for (size_t i = 0; s && i < s->n_devices; i++) {
                const SpecDevice *d = &s->devices[i];
                Rule rule = { S_ISBLK(d->mode) ? 'b' : 'c', major(d->dev), minor(d->dev), 7, true };

                if (!S_ISFIFO(d->mode))
                        emit_rule(p, &rule);
        }
}

/**
 * device_filter_build - the program for @rules.
 * @s: whose own devices are always allowed; may be NULL.
 * @code: room for DEVICE_FILTER_MAX instructions.
 *
 * Return: 1, 0 when the rules allow everything (no program is needed), -E2BIG, -EINVAL with a message.
 */
int device_filter_build(json_object *rules, size_t n_rules, const Spec *s, struct bpf_insn *code,
                        size_t *ret_n) {
        Program p = { .code = code };
        bool decided = false, allow = true;

        emit_prologue(&p);
        emit_always_allowed(&p, s);
        for (size_t i = n_rules; i-- > 0 && !decided;) {
                Rule rule;
                int r = parse_rule(json_object_array_get_idx(rules, i), &rule);

                if (r < 0)
                        return r;
                decided = rule.type == 'a' && rule.access == 7 && rule.major == ANY && rule.minor == ANY;
                if (decided && rule.allow && i + 1 == n_rules)
                        return 0;
                if (decided)
                        allow = rule.allow;
                else
                        emit_rule(&p, &rule);
        }
        /* Without a rule for everything the specification's default is to allow nothing more. */
        emit_return(&p, decided ? allow : false);
        if (p.n > DEVICE_FILTER_MAX)
                return fail_text(E2BIG, "config.json: linux.resources.devices: too many rules");
        *ret_n = p.n;
        return 1;
}

static int load_and_attach(int cgroup_fd, struct bpf_insn *code, size_t n) {
        static const char license[] = "GPL";
        union bpf_attr attr = {
                .prog_type = BPF_PROG_TYPE_CGROUP_DEVICE,
                .insns = (uint64_t) (uintptr_t) code,
                .insn_cnt = (uint32_t) n,
                .license = (uint64_t) (uintptr_t) license,
        };
        int program, r = 0;

        program = (int) syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));
        if (program < 0)
                return fail_errno(errno, "load the device filter");
        attr = (union bpf_attr) {
                .target_fd = (uint32_t) cgroup_fd,
                .attach_bpf_fd = (uint32_t) program,
                .attach_type = BPF_CGROUP_DEVICE,
                .attach_flags = BPF_F_ALLOW_MULTI,
        };
        if (syscall(SYS_bpf, BPF_PROG_ATTACH, &attr, sizeof(attr)) < 0)
                r = fail_errno(errno, "attach the device filter");
        (void) close(program);
        return r;
}

/**
 * device_filter_apply - restrict the devices of a new cgroup. In a user namespace devices cannot be made,
 * and the host may not let us attach programs: then the restriction is not needed.
 */
int device_filter_apply(int cgroup_fd, const Spec *s) {
        struct bpf_insn *code;
        json_object *rules;
        size_t n_rules, n = 0;
        int r;

        if (!s->resources)
                return 0;
        r = spec_array(s->resources, "linux.resources", "devices", &rules, &n_rules);
        if (r < 0 || n_rules == 0)
                return r;
        code = new0(struct bpf_insn, DEVICE_FILTER_MAX);
        if (!code)
                return -ENOMEM;
        r = device_filter_build(rules, n_rules, s, code, &n);
        if (r > 0) {
                r = load_and_attach(cgroup_fd, code, n);
                if (r == -EPERM && s->ns[NS_USER].present)
                        r = 0;
        }
        free(code);
        return r < 0 ? r : 0;
}
