/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../cmocka-prelude.h"

#include <fcntl.h>

#include "../../../src/basic/json.h"
#include "../../../src/engine/oci-seccomp.h"

#define CAP(n) (UINT64_C(1) << (n))

static const char docker_profile[] =
                "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":1,\"syscalls\":["
                "{\"names\":[\"read\",\"write\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":[],"
                "\"comment\":\"x\",\"includes\":{},\"excludes\":{}},"
                "{\"names\":[\"mount\"],\"action\":\"SCMP_ACT_ALLOW\","
                "\"includes\":{\"caps\":[\"CAP_SYS_ADMIN\"]}},"
                "{\"names\":[\"clone\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":[{\"index\":0,\"value\":1,"
                "\"op\":\"SCMP_CMP_MASKED_EQ\"}],"
                "\"excludes\":{\"caps\":[\"CAP_SYS_ADMIN\"]}},"
                "{\"names\":[\"new\"],\"action\":\"SCMP_ACT_ALLOW\",\"includes\":{\"minKernel\":\"99.0\"}},"
                "{\"name\":\"old\",\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":38},"
                "{\"names\":[\"elsewhere\"],\"action\":\"SCMP_ACT_ALLOW\","
                "\"includes\":{\"arches\":[\"s390x\"]}}]}";

static void test_docker(void **state) {
        _cleanup_json_ json_object *plain = NULL, *admin = NULL;
        _cleanup_error_ EngineError e = {};

        assert_int_equal(seccomp_expand_text(docker_profile, 0, &plain, &e), 0);
        assert_string_equal(
                        json_text(plain),
                        "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":1,\"syscalls\":["
                        "{\"names\":[\"read\",\"write\"],\"action\":\"SCMP_ACT_ALLOW\"},"
                        "{\"names\":[\"clone\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":[{\"index\":0,"
                        "\"value\":1,\"op\":"
                        "\"SCMP_CMP_MASKED_EQ\"}]},"
                        "{\"names\":[\"old\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":38}]}");
        assert_int_equal(seccomp_expand_text(docker_profile, CAP(21), &admin, &e), 0);
        assert_non_null(strstr(json_text(admin), "\"mount\""));
        assert_null(strstr(json_text(admin), "\"clone\""));
}

static void test_groups(void **state) {
        static const char profile[] =
                        "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"groups\":["
                        "{\"names\":[\"a\"],\"action\":\"SCMP_ACT_ALLOW\"},"
                        "{\"names\":[\"b\"],\"action\":\"SCMP_ACT_ALLOW\",\"caps\":[\"CAP_SYS_TIME\"]},"
                        "{\"names\":[\"c\"],\"action\":\"SCMP_ACT_ALLOW\","
                        "\"arches\":[\"SCMP_ARCH_S390X\"]}]}";
        _cleanup_json_ json_object *o = NULL;
        _cleanup_error_ EngineError e = {};

        assert_int_equal(seccomp_expand_text(profile, 0, &o, &e), 0);
        assert_string_equal(json_text(json_get(o, "syscalls")),
                            "[{\"names\":[\"a\"],\"action\":\"SCMP_ACT_ALLOW\"}]");
}

/* The profile that is installed. */
static void test_default(void **state) {
        _cleanup_json_ json_object *profile = NULL, *plain = NULL, *admin = NULL;
        _cleanup_error_ EngineError e = {};

        assert_int_equal(json_load_at(AT_FDCWD, BERTH_GOLDEN_DIR "/../../data/seccomp.json", 1024 * 1024,
                                      &profile),
                         0);
        assert_int_equal(seccomp_expand(profile, capability_set_default(), &plain, &e), 0);
        assert_int_equal(seccomp_expand(profile, capability_set_all(), &admin, &e), 0);
        assert_non_null(strstr(json_text(plain), "\"openat\""));
        assert_null(strstr(json_text(plain), "\"mount\""));
        assert_null(strstr(json_text(plain), "\"comment\""));
        assert_non_null(strstr(json_text(admin), "\"mount\""));
}

static void test_bad(void **state) {
        static const char *const profiles[] = {
                "",
                "[]",
                "{",
                "{}",
                "{\"defaultAction\":\"x\"}",
                "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":{}}",
                "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{}]}",
                "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"a\"],"
                "\"action\":\"nope\"}]}",
                "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"a\"],\"name\":\"b\","
                "\"action\":\"SCMP_ACT_ALLOW\"}]}",
        };

        for (size_t i = 0; i < ELEMENTSOF(profiles); i++) {
                _cleanup_error_ EngineError e = {};
                json_object *o;

                assert_int_equal(seccomp_expand_text(profiles[i], 0, &o, &e), -EINVAL);
                assert_non_null(e.message);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_docker),
                cmocka_unit_test(test_groups),
                cmocka_unit_test(test_default),
                cmocka_unit_test(test_bad),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
