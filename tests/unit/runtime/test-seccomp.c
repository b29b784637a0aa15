/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../cmocka-prelude.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/syscall.h>

#include "runtime/error.h"
#include "runtime/seccomp-filter.h"

static const char *profile_path;

/* Classic BPF as the kernel runs it on struct seccomp_data. */
static uint32_t run_filter(const SeccompFilter *f, const struct seccomp_data *data) {
        uint32_t a = 0, value;

        for (size_t pc = 0; pc < f->n; pc++) {
                const struct sock_filter *i = &f->code[pc];
                bool yes;

                switch (i->code) {
                case BPF_LD | BPF_W | BPF_ABS:
                        memcpy(&value, (const char *) data + i->k, sizeof(value));
                        a = value;
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
                        fail_msg("unknown instruction %#x at %zu", i->code, pc);
                        return 0;
                }
                pc += yes ? i->jt : i->jf;
        }
        fail_msg("the filter does not end");
        return 0;
}

static uint32_t verdict(const SeccompFilter *f, uint32_t arch, int nr, uint64_t arg0) {
        struct seccomp_data data = { .nr = nr, .arch = arch, .args = { arg0 } };

        return run_filter(f, &data);
}

#define ERRNO(e) (SECCOMP_RET_ERRNO | (e))

/* As the engine does it: a group with "caps" needs all of them, one that excludes any must find none. */
static bool applies(json_object *group, bool privileged) {
        json_object *caps = json_get(group, "caps"), *arches = json_get(group, "arches"),
                    *excluded = json_get(json_get(group, "excludes"), "caps"),
                    *only = json_get(json_get(group, "includes"), "arches");

        if (only || (arches && !strstr(json_text(arches), "amd64")))
                return false;
        return privileged ? !excluded : !caps;
}

static void compile_profile(bool privileged, SeccompFilter *f) {
        _cleanup_json_ json_object *profile = NULL, *oci = json_object_new_object();
        json_object *groups, *list = json_object_new_array();

        assert_int_equal(json_load_at(AT_FDCWD, profile_path, 1 << 20, &profile), 0);
        assert_int_equal(json_get_array(profile, "syscalls", &groups), 1);
        for (size_t i = 0; i < json_object_array_length(groups); i++) {
                json_object *g = json_object_array_get_idx(groups, i);

                if (applies(g, privileged))
                        assert_int_equal(json_add(list, json_object_get(g)), 0);
        }
        assert_int_equal(json_set_str(oci, "defaultAction", json_string_or(profile, "defaultAction", "")),
                         0);
        assert_int_equal(json_set_int(oci, "defaultErrnoRet", 1), 0);
        assert_int_equal(json_set(oci, "architectures",
                                  json_new_strv((char *[]){ (char *) "SCMP_ARCH_X86_64",
                                                            (char *) "SCMP_ARCH_X86",
                                                            (char *) "SCMP_ARCH_X32", NULL })),
                         0);
        assert_int_equal(json_set(oci, "syscalls", list), 0);
        if (seccomp_compile(oci, f) < 0)
                fail_msg("%s", fail_message());
        assert_true(f->n > 100 && f->n < BPF_MAXINSNS);
}

#if defined(__x86_64__)
static void test_default_profile(void **state) {
        _cleanup_(seccomp_filter_done) SeccompFilter f = {};
        const uint32_t arch = AUDIT_ARCH_X86_64;

        compile_profile(false, &f);
        assert_int_equal(verdict(&f, arch, SYS_read, 0), SECCOMP_RET_ALLOW);
        assert_int_equal(verdict(&f, arch, SYS_execve, 0), SECCOMP_RET_ALLOW);
        assert_int_equal(verdict(&f, arch, SYS_arch_prctl, 0), SECCOMP_RET_ALLOW);
        assert_int_equal(verdict(&f, arch, SYS_ptrace, 0), SECCOMP_RET_ALLOW);
        assert_int_equal(verdict(&f, arch, SYS_mount, 0), ERRNO(EPERM));
        assert_int_equal(verdict(&f, arch, SYS_unshare, 0), ERRNO(EPERM));
        assert_int_equal(verdict(&f, arch, SYS_setns, 0), ERRNO(EPERM));
        assert_int_equal(verdict(&f, arch, SYS_bpf, 0), ERRNO(EPERM));
        assert_int_equal(verdict(&f, arch, SYS_keyctl, 0), ERRNO(EPERM));
        assert_int_equal(verdict(&f, arch, SYS_init_module, 0), ERRNO(EPERM));
        assert_int_equal(verdict(&f, arch, SYS_kexec_load, 0), ERRNO(EPERM));
        assert_int_equal(verdict(&f, arch, SYS_open_by_handle_at, 0), ERRNO(EPERM));
        assert_int_equal(verdict(&f, arch, SYS_userfaultfd, 0), ERRNO(EPERM));
        assert_int_equal(verdict(&f, arch, 435 /* clone3 */, 0), ERRNO(ENOSYS));
        assert_int_equal(verdict(&f, arch, 425 /* io_uring_setup */, 0), ERRNO(ENOSYS));
        assert_int_equal(verdict(&f, arch, SYS_clone, 17), SECCOMP_RET_ALLOW);
        for (uint64_t bit = 0x02000000; bit <= 0x40000000; bit <<= 1)
                assert_int_equal(verdict(&f, arch, SYS_clone, bit | 17), ERRNO(EPERM));
        assert_int_equal(verdict(&f, arch, SYS_clone, 0x00020000), ERRNO(EPERM));
        assert_int_equal(verdict(&f, arch, SYS_socket, 1), SECCOMP_RET_ALLOW);
        assert_int_equal(verdict(&f, arch, SYS_socket, 10), SECCOMP_RET_ALLOW);
        assert_int_equal(verdict(&f, arch, SYS_socket, 38), ERRNO(EPERM));
        assert_int_equal(verdict(&f, arch, SYS_socket, 40), ERRNO(EPERM));
        assert_int_equal(verdict(&f, arch, SYS_personality, 0xffffffff), SECCOMP_RET_ALLOW);
        assert_int_equal(verdict(&f, arch, SYS_personality, 0x0040000), ERRNO(EPERM));
        assert_int_equal(verdict(&f, arch, 4000, 0), ERRNO(ENOSYS));
}

static void test_other_architectures(void **state) {
        _cleanup_(seccomp_filter_done) SeccompFilter f = {};

        compile_profile(false, &f);
        assert_int_equal(verdict(&f, AUDIT_ARCH_I386, 20 /* getpid */, 0), SECCOMP_RET_ALLOW);
        assert_int_equal(verdict(&f, AUDIT_ARCH_I386, 310 /* unshare */, 0), ERRNO(EPERM));
        assert_int_equal(verdict(&f, AUDIT_ARCH_I386, 120 /* clone */, 0x10000000), ERRNO(EPERM));
        assert_int_equal(verdict(&f, AUDIT_ARCH_I386, 4000, 0), ERRNO(ENOSYS));
        assert_int_equal(verdict(&f, AUDIT_ARCH_X86_64, 0x40000000 | 39 /* getpid */, 0), SECCOMP_RET_ALLOW);
        assert_int_equal(verdict(&f, AUDIT_ARCH_X86_64, 0x40000000 | 272 /* unshare */, 0), ERRNO(EPERM));
        assert_int_equal(verdict(&f, AUDIT_ARCH_X86_64, 0x40000000 | 4000, 0), ERRNO(ENOSYS));
        assert_int_not_equal(verdict(&f, AUDIT_ARCH_AARCH64, 0, 0), SECCOMP_RET_ALLOW);
}

static void test_privileged_profile(void **state) {
        _cleanup_(seccomp_filter_done) SeccompFilter f = {};

        compile_profile(true, &f);
        assert_int_equal(verdict(&f, AUDIT_ARCH_X86_64, SYS_mount, 0), SECCOMP_RET_ALLOW);
        assert_int_equal(verdict(&f, AUDIT_ARCH_X86_64, SYS_clone, 0x10000000), SECCOMP_RET_ALLOW);
        assert_int_equal(verdict(&f, AUDIT_ARCH_X86_64, 435 /* clone3 */, 0), SECCOMP_RET_ALLOW);
        assert_int_equal(verdict(&f, AUDIT_ARCH_X86_64, SYS_reboot, 0), SECCOMP_RET_ALLOW);
        assert_int_equal(verdict(&f, AUDIT_ARCH_X86_64, SYS_kexec_load, 0), ERRNO(EPERM));
}
#endif

#ifdef __x86_64__
/* Whatever is done about calls that are not named: those newer than the profile do not exist. */
static void test_newer_calls(void **state) {
        static const char *const defaults[] = { "SCMP_ACT_ERRNO", "SCMP_ACT_KILL_PROCESS",
                                                "SCMP_ACT_KILL_THREAD", "SCMP_ACT_TRAP" };

        for (size_t i = 0; i < ELEMENTSOF(defaults); i++) {
                _cleanup_(seccomp_filter_done) SeccompFilter f = {};
                _cleanup_json_ json_object *o = json_object_new_object(), *group = NULL;
                static const char rule[] = "[{\"names\":[\"openat\"],\"action\":\"SCMP_ACT_ALLOW\"}]";

                assert_int_equal(json_set_str(o, "defaultAction", defaults[i]), 0);
                assert_int_equal(json_parse(rule, strlen(rule), &group), 0);
                assert_int_equal(json_set(o, "syscalls", json_object_get(group)), 0);
                assert_int_equal(seccomp_compile(o, &f), 0);
                assert_int_equal(verdict(&f, AUDIT_ARCH_X86_64, 257 /* openat */, 0), SECCOMP_RET_ALLOW);
                assert_int_equal(verdict(&f, AUDIT_ARCH_X86_64, 258, 0), ERRNO(ENOSYS));
                assert_int_not_equal(verdict(&f, AUDIT_ARCH_X86_64, 83 /* mkdir */, 0), ERRNO(ENOSYS));
                assert_int_not_equal(verdict(&f, AUDIT_ARCH_X86_64, 83, 0), SECCOMP_RET_ALLOW);
        }
}
#endif

static void refused(const char *text, const char *message) {
        _cleanup_json_ json_object *o = NULL;
        SeccompFilter f = {};

        assert_int_equal(json_parse(text, strlen(text), &o), 0);
        assert_true(seccomp_compile(o, &f) < 0);
        if (!strstr(fail_message(), message))
                fail_msg("\"%s\", expected \"%s\"", fail_message(), message);
}

static void test_refused(void **state) {
        refused("{}", "unknown action");
        refused("{\"defaultAction\":\"SCMP_ACT_NOTIFY\"}", "default action");
        refused("{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"defaultErrnoRet\":5}", "defaultErrnoRet");
        refused("{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"flags\":[\"X\"]}", "flags");
        refused("{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"listenerMetadata\":\"x\"}", "listenerMetadata");
        refused("{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"read\"],\"action\":\"SCMP_ACT_ERRNO\","
                "\"args\":[{\"index\":6,\"value\":1,\"op\":\"SCMP_CMP_EQ\"}]}]}",
                "args");
        refused("{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"read\"],\"action\":\"SCMP_ACT_ERRNO\","
                "\"args\":[{\"index\":0,\"value\":1,\"op\":\"X\"}]}]}",
                "args");
}

int main(int argc, char **argv) {
        const struct CMUnitTest tests[] = {
#if defined(__x86_64__)
                cmocka_unit_test(test_default_profile),
                cmocka_unit_test(test_other_architectures),
                cmocka_unit_test(test_privileged_profile),
#endif
#ifdef __x86_64__
                cmocka_unit_test(test_newer_calls),
#endif
                cmocka_unit_test(test_refused),
        };

        profile_path = argc > 1 ? argv[1] : "data/seccomp.json";
        return cmocka_run_group_tests(tests, NULL, NULL);
}
