/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../cmocka-prelude.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/syscall.h>

#include "runtime/error.h"
#include "runtime/seccomp/seccomp-filter.h"
#include "seccomp-verdict.h"

static const char *profile_path;

static uint32_t verdict(const SeccompFilter *f, uint32_t arch, int nr, uint64_t arg0) {
        struct seccomp_data data = { .nr = nr, .arch = arch, .args = { arg0 } };

        return seccomp_verdict(f, &data);
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

static const uint64_t samples[] = {
        0, 1, 2, 8, 16, 39, 40, 41, 0x7E020000, 0x10000000, 0x20008, UINT32_MAX - 1, UINT32_MAX, 1ULL << 32,
        (1ULL << 32) + 8, (8ULL << 32) + 7, (7ULL << 32) + 9, UINT64_MAX - 1, UINT64_MAX,
};

static void assert_same_meaning(json_object *profile) {
        _cleanup_(seccomp_filter_done) SeccompFilter ours = {}, theirs = {};
        VerdictDifference d;

        assert_int_equal(seccomp_compile(profile, &ours), 0);
        assert_int_equal(seccomp_compile_reference(profile, &theirs), 0);
        if (seccomp_filters_differ(&ours, &theirs, samples, ELEMENTSOF(samples), &d))
                fail_msg("arch %#x nr %d args %#llx %#llx: %#x, libseccomp %#x; %s", d.data.arch, d.data.nr,
                         (unsigned long long) d.data.args[0], (unsigned long long) d.data.args[1], d.a, d.b,
                         json_text(profile));
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
        assert_same_meaning(oci);
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
        refused("{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"read\"],\"action\":\"SCMP_ACT_ERRNO\","
                "\"args\":[{\"index\":6,\"value\":1,\"op\":\"SCMP_CMP_EQ\"}]}]}",
                "args");
        refused("{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"read\"],\"action\":\"SCMP_ACT_ERRNO\","
                "\"args\":[{\"index\":0,\"value\":1,\"op\":\"X\"}]}]}",
                "args");
}

static void test_same_as_libseccomp(void **state) {
        static const char *const profiles[] = {
                "{'defaultAction':'SCMP_ACT_ALLOW'}",
                "{'defaultAction':'SCMP_ACT_KILL_PROCESS','syscalls':[{'names':['read','write','exit_group'],'action':'SCMP_ACT_ALLOW'}]}",
                "{'defaultAction':'SCMP_ACT_ERRNO','architectures':['SCMP_ARCH_X86_64','SCMP_ARCH_X32'],'syscalls':["
                "{'names':['personality'],'action':'SCMP_ACT_ALLOW','args':[{'index':0,'value':8,'op':'SCMP_CMP_EQ'}]},"
                "{'names':['personality'],'action':'SCMP_ACT_ALLOW','args':[{'index':0,'value':131080,'op':'SCMP_CMP_EQ'}]},"
                "{'names':['clone'],'action':'SCMP_ACT_ALLOW','args':[{'index':0,'value':2114060288,'valueTwo':0,'op':'SCMP_CMP_MASKED_EQ'}]},"
                "{'names':['ioctl'],'action':'SCMP_ACT_ALLOW','args':[{'index':1,'value':34359738375,'op':'SCMP_CMP_GT'}]},"
                "{'names':['fcntl'],'action':'SCMP_ACT_ALLOW','args':[{'index':1,'value':34359738375,'op':'SCMP_CMP_GE'}]},"
                "{'names':['prctl'],'action':'SCMP_ACT_ALLOW','args':[{'index':1,'value':34359738375,'op':'SCMP_CMP_LT'}]},"
                "{'names':['futex'],'action':'SCMP_ACT_ALLOW','args':[{'index':1,'value':34359738375,'op':'SCMP_CMP_LE'}]},"
                "{'names':['mmap'],'action':'SCMP_ACT_ALLOW','args':[{'index':1,'value':34359738375,'op':'SCMP_CMP_NE'}]},"
                "{'names':['mremap'],'action':'SCMP_ACT_ALLOW','args':[{'index':0,'value':1,'op':'SCMP_CMP_GT'},{'index':1,'value':40,'op':'SCMP_CMP_LT'}]},"
                "{'names':['kill'],'action':'SCMP_ACT_ALLOW','args':[{'index':0,'value':1,'op':'SCMP_CMP_EQ'},{'index':0,'value':40,'op':'SCMP_CMP_EQ'}]},"
                "{'names':['socket'],'action':'SCMP_ACT_ALLOW','args':[{'index':0,'value':40,'op':'SCMP_CMP_NE'}]},"
                "{'names':['openat2'],'action':'SCMP_ACT_LOG'}]}",
                /* Unconditional and conditional in both orders; several actions. */
                "{'defaultAction':'SCMP_ACT_ERRNO','syscalls':["
                "{'names':['kill'],'action':'SCMP_ACT_TRAP','args':[{'index':0,'value':1,'op':'SCMP_CMP_EQ'}]},"
                "{'names':['kill'],'action':'SCMP_ACT_ALLOW'},{'names':['dup'],'action':'SCMP_ACT_ALLOW'},"
                "{'names':['dup'],'action':'SCMP_ACT_LOG','args':[{'index':0,'value':1,'op':'SCMP_CMP_EQ'}]},"
                "{'names':['pipe','pipe'],'action':'SCMP_ACT_TRACE','errnoRet':5},{'names':['pipe'],'action':'SCMP_ACT_ALLOW'}]}",
                /* What only libseccomp says: two actions by argument; calls that i386 multiplexes. */
                "{'defaultAction':'SCMP_ACT_ERRNO','syscalls':["
                "{'names':['kill'],'action':'SCMP_ACT_TRAP','args':[{'index':0,'value':1,'op':'SCMP_CMP_EQ'}]},"
                "{'names':['kill'],'action':'SCMP_ACT_ALLOW','args':[{'index':0,'value':2,'op':'SCMP_CMP_EQ'}]}]}",
                "{'defaultAction':'SCMP_ACT_ERRNO','architectures':['SCMP_ARCH_X86'],'syscalls':["
                "{'names':['socket','bind','shmget'],'action':'SCMP_ACT_ALLOW'}]}",
                "{'defaultAction':'SCMP_ACT_ERRNO','architectures':['SCMP_ARCH_X86','SCMP_ARCH_AARCH64','SCMP_ARCH_RISCV64','SCMP_ARCH_ARM'],'syscalls':["
                "{'names':['socketcall','ipc'],'action':'SCMP_ACT_ALLOW'},{'names':['accept','recv','semop'],'action':'SCMP_ACT_ALLOW'},"
                "{'names':['socket'],'action':'SCMP_ACT_ALLOW','args':[{'index':0,'value':40,'op':'SCMP_CMP_NE'}]},"
                "{'names':['bind','shmget','msgsnd','read','openat','mmap2','set_tls'],'action':'SCMP_ACT_ALLOW'}]}",
        };

        for (size_t i = 0; i < ELEMENTSOF(profiles); i++) {
                _cleanup_free_ char *text = strdup(profiles[i]);
                _cleanup_json_ json_object *o = NULL;

                for (char *q = text; (q = strchr(q, '\''));)
                        *q = '"';
                assert_int_equal(json_parse(text, strlen(text), &o), 0);
                assert_same_meaning(o);
        }
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
                cmocka_unit_test(test_same_as_libseccomp),
                cmocka_unit_test(test_refused),
        };

        profile_path = argc > 1 ? argv[1] : "data/seccomp.json";
        return cmocka_run_group_tests(tests, NULL, NULL);
}
