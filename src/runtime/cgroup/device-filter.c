/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * linux.resources.devices as a BPF program on the cgroup. The last matching rule decides, so the rules are
 * laid out from the last to the first and the first match returns. Devices every container has are always
 * allowed. An update attaches the new program before it detaches the old one: what both allow is never
 * refused.
 */
#include "device-filter.h"

#include <inttypes.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "../../basic/fd.h"
#include "../../basic/file.h"
#include "../../basic/str.h"
#include "../error.h"
#include "../namespaces/rootless.h"
#include "../runtime-log.h"

#define ANY DEVICE_ANY
#define ALL_ACCESS (BPF_DEVCG_ACC_MKNOD | BPF_DEVCG_ACC_READ | BPF_DEVCG_ACC_WRITE)
/* How a later update finds our program among others' (systemd attaches its own). */
#define PROGRAM_NAME "berth_devices"
#define PROGRAMS_MAX 64 /* the kernel's limit for a cgroup */

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
 * Each kind of access is decided by the last rule that names it, so an allow rule takes its kinds away from
 * those still in question, and a deny rule ends it when one of its kinds is left. Each test jumps over the
 * rest of its rule, whose length is filled in at the end.
 */
static void emit_rule(Program *p, const DeviceRule *rule) {
        size_t jumps[8], n = 0;

        if (rule->type != 'a') {
                jumps[n++] = p->n;
                emit(p, BPF_JMP | BPF_JNE | BPF_K, R_TYPE, 0, 0,
                     rule->type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR);
        }
        if (rule->major != ANY) {
                jumps[n++] = p->n;
                emit(p, BPF_JMP | BPF_JNE | BPF_K, R_MAJOR, 0, 0, (int32_t) rule->major);
        }
        if (rule->minor != ANY) {
                jumps[n++] = p->n;
                emit(p, BPF_JMP | BPF_JNE | BPF_K, R_MINOR, 0, 0, (int32_t) rule->minor);
        }
        if (rule->access != ALL_ACCESS && rule->allow) {
                emit(p, BPF_ALU | BPF_AND | BPF_K, R_ACCESS, 0, 0, (int32_t) (~rule->access & ALL_ACCESS));
                jumps[n++] = p->n;
                emit(p, BPF_JMP | BPF_JNE | BPF_K, R_ACCESS, 0, 0, 0);
        } else if (rule->access != ALL_ACCESS) {
                emit(p, BPF_ALU | BPF_MOV | BPF_X, R_TMP, R_ACCESS, 0, 0);
                emit(p, BPF_ALU | BPF_AND | BPF_K, R_TMP, 0, 0, (int32_t) rule->access);
                jumps[n++] = p->n;
                emit(p, BPF_JMP | BPF_JEQ | BPF_K, R_TMP, 0, 0, 0);
        }
        emit_return(p, rule->allow);
        for (size_t i = 0; i < n && p->n <= DEVICE_FILTER_MAX; i++)
                p->code[jumps[i]].off = (int16_t) (p->n - jumps[i] - 1);
}

/** device_rule_parse - one rule of linux.resources.devices. Return: 0, -EINVAL with a message. */
int device_rule_parse(json_object *o, DeviceRule *ret) {
        const char *type = json_string_or(o, "type", "a"), *access = json_string_or(o, "access", "rwm");
        int64_t major = ANY, minor = ANY;
        int r;

        *ret = (DeviceRule) {};
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

                /* Found in the wild; runc passes over it. */
                if (*a == 'a') {
                        runtime_warning("linux.resources.devices: access \"%s\": the \"a\" is ignored",
                                        access);
                        continue;
                }
                if (bit == 0)
                        return fail_text(EINVAL,
                                         "config.json: linux.resources.devices: unknown access \"%s\"",
                                         access);
                ret->access |= bit;
        }
        return 0;
}

/* What no container can do without. linux.devices only makes nodes: to use them takes a rule. */
const DeviceRule device_rules_always[] = {
        { 'c', ANY, ANY, BPF_DEVCG_ACC_MKNOD, true }, { 'b', ANY, ANY, BPF_DEVCG_ACC_MKNOD, true },
        { 'c', 1, 3, 7, true },    { 'c', 1, 5, 7, true },   { 'c', 1, 7, 7, true },
        { 'c', 1, 8, 7, true },    { 'c', 1, 9, 7, true },   { 'c', 5, 0, 7, true },
        { 'c', 5, 2, 7, true },    { 'c', 136, ANY, 7, true },
};
const size_t device_rules_always_n = ELEMENTSOF(device_rules_always);

static void emit_always_allowed(Program *p) {
        for (size_t i = 0; i < device_rules_always_n; i++)
                emit_rule(p, &device_rules_always[i]);
}

/** device_rule_is_for_all - whether it decides about every access to every device. */
bool device_rule_is_for_all(const DeviceRule *rule) {
        return rule->type == 'a' && rule->access == ALL_ACCESS && rule->major == ANY && rule->minor == ANY;
}

/**
 * device_filter_build - the program for @rules.
 * @code: room for DEVICE_FILTER_MAX instructions.
 *
 * Return: 1, 0 when the rules allow everything (no program is needed), -E2BIG, -EINVAL with a message.
 */
int device_filter_build(json_object *rules, size_t n_rules, struct bpf_insn *code, size_t *ret_n) {
        Program p = { .code = code };
        bool decided = false, allow = true;

        emit_prologue(&p);
        emit_always_allowed(&p);
        for (size_t i = n_rules; i-- > 0 && !decided;) {
                DeviceRule rule;
                int r = device_rule_parse(json_object_array_get_idx(rules, i), &rule);

                if (r < 0)
                        return r;
                decided = device_rule_is_for_all(&rule);
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

static int sys_bpf(int command, union bpf_attr *attr) {
        return (int) syscall(SYS_bpf, command, attr, sizeof(*attr));
}

static int load_and_attach(int cgroup_fd, struct bpf_insn *code, size_t n) {
        static const char license[] = "GPL";
        union bpf_attr attr = {
                .prog_type = BPF_PROG_TYPE_CGROUP_DEVICE,
                .insns = (uint64_t) (uintptr_t) code,
                .insn_cnt = (uint32_t) n,
                .license = (uint64_t) (uintptr_t) license,
                .prog_name = PROGRAM_NAME,
        };
        int program, r = 0;

        program = sys_bpf(BPF_PROG_LOAD, &attr);
        if (program < 0)
                return fail_errno(errno, "load the device filter");
        attr = (union bpf_attr) {
                .target_fd = (uint32_t) cgroup_fd,
                .attach_bpf_fd = (uint32_t) program,
                .attach_type = BPF_CGROUP_DEVICE,
                .attach_flags = BPF_F_ALLOW_MULTI,
        };
        if (sys_bpf(BPF_PROG_ATTACH, &attr) < 0)
                r = fail_errno(errno, "attach the device filter");
        (void) close(program);
        return r;
}

/*
 * Return: 1 when the rules ask for a filter, with @ret_code owned by the caller; 0 when they allow
 * everything; -errno.
 */
static int build(const Spec *s, struct bpf_insn **ret_code, size_t *ret_n) {
        _cleanup_free_ struct bpf_insn *code = NULL;
        json_object *rules;
        size_t n_rules;
        int r;

        if (!s->resources)
                return 0;
        r = spec_array(s->resources, "linux.resources", "devices", &rules, &n_rules);
        if (r < 0 || n_rules == 0)
                return r < 0 ? r : 0;
        code = new0(struct bpf_insn, DEVICE_FILTER_MAX);
        if (!code)
                return -ENOMEM;
        r = device_filter_build(rules, n_rules, code, ret_n);
        if (r > 0)
                *ret_code = TAKE_PTR(code);
        return r;
}

/** device_filter_check - whether the device rules of linux.resources can be built. Return: 0 or -errno. */
int device_filter_check(json_object *resources) {
        const Spec s = { .resources = resources };
        _cleanup_free_ struct bpf_insn *code = NULL;
        size_t n;
        int r = build(&s, &code, &n);

        return r < 0 ? r : 0;
}

/**
 * device_filter_apply - restrict the devices of a new cgroup. In a user namespace devices cannot be made,
 * and the host may not let us attach programs: then the restriction is not needed.
 */
int device_filter_apply(int cgroup_fd, const Spec *s) {
        _cleanup_free_ struct bpf_insn *code = NULL;
        size_t n;
        int r;

        r = build(s, &code, &n);
        if (r <= 0)
                return r;
        r = load_and_attach(cgroup_fd, code, n);
        return r == -EPERM && (s->ns[NS_USER].present || rootless_in_user_namespace()) ? 0 : r;
}

/* Return: a descriptor of program @id if it is one of ours, -ENOENT if not or gone, or -errno. */
static int open_ours(uint32_t id) {
        _cleanup_close_ int fd = -EBADF;
        struct bpf_prog_info info = {};
        union bpf_attr attr = { .prog_id = id };

        fd = sys_bpf(BPF_PROG_GET_FD_BY_ID, &attr);
        if (fd < 0)
                return negative_errno();
        attr = (union bpf_attr) { .info = { .bpf_fd = (uint32_t) fd, .info_len = sizeof(info),
                                            .info = (uint64_t) (uintptr_t) &info } };
        if (sys_bpf(BPF_OBJ_GET_INFO_BY_FD, &attr) < 0)
                return negative_errno();
        return streq(info.name, PROGRAM_NAME) ? TAKE_FD(fd) : -ENOENT;
}

/**
 * device_filter_replace - the rules of @s in place of those that an earlier call has attached.
 *
 * Return: 0 or -errno with a message; then the old rules still hold.
 */
int device_filter_replace(int cgroup_fd, const Spec *s) {
        _cleanup_free_ struct bpf_insn *code = NULL;
        uint32_t ids[PROGRAMS_MAX];
        union bpf_attr attr = { .query = { .target_fd = (uint32_t) cgroup_fd,
                                           .attach_type = BPF_CGROUP_DEVICE,
                                           .prog_ids = (uint64_t) (uintptr_t) ids,
                                           .prog_cnt = PROGRAMS_MAX } };
        size_t n, n_old;
        int r;

        r = build(s, &code, &n);
        if (r < 0)
                return r;
        if (sys_bpf(BPF_PROG_QUERY, &attr) < 0)
                return fail_errno(errno, "query the device filters");
        n_old = MIN((size_t) attr.query.prog_cnt, ELEMENTSOF(ids));
        if (r > 0) {
                r = load_and_attach(cgroup_fd, code, n);
                if (r < 0)
                        return r;
        }
        for (size_t i = 0; i < n_old; i++) {
                _cleanup_close_ int old = open_ours(ids[i]);

                if (old == -ENOENT)
                        continue;
                attr = (union bpf_attr) { .target_fd = (uint32_t) cgroup_fd, .attach_bpf_fd = (uint32_t) old,
                                          .attach_type = BPF_CGROUP_DEVICE };
                if (old < 0 || sys_bpf(BPF_PROG_DETACH, &attr) < 0)
                        return fail_errno(old < 0 ? old : errno, "detach the old device filter");
        }
        return 0;
}
