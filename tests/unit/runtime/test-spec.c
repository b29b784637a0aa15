/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../cmocka-prelude.h"

#include <linux/capability.h>
#include <stdio.h>
#include <sys/stat.h>

#include "runtime/error.h"
#include "runtime/spec/spec.h"

#define HEAD "{\"ociVersion\":\"1.0.2\",\"root\":{\"path\":\"r\"}"
#define NAMESPACES "\"namespaces\":[{\"type\":\"mount\"},{\"type\":\"pid\"}]"
#define PROCESS "\"process\":{\"args\":[\"a\"],\"cwd\":\"/\""

static void refused(const char *text, const char *message) {
        Spec s = {};
        int r = spec_parse(text, strlen(text), &s);

        if (r >= 0 || !strstr(fail_message(), message))
                fail_msg("%s: %d \"%s\", expected \"%s\"", text, r, fail_message(), message);
        /* Nothing is handed out on failure. */
        assert_null(s.root);
}

static void test_whole(void **state) {
        static const char text[] = HEAD
                        "," PROCESS
                        ",\"env\":[\"A=b\"],\"user\":{\"uid\":5,\"gid\":6,\"additionalGids\":[7,8],\"umask\":63},"
                        "\"capabilities\":{\"bounding\":[\"CAP_KILL\",\"cap_chown\",\"CAP_NO_SUCH\"]},\"terminal\":true,"
                        "\"consoleSize\":{\"height\":10,\"width\":20},\"oomScoreAdj\":-5,"
                        "\"rlimits\":[{\"type\":\"RLIMIT_CORE\",\"soft\":18446744073709551615,\"hard\":-1}]},"
                        "\"mounts\":[{\"destination\":\"/m\",\"source\":\"s\",\"options\":[\"rbind\",\"ro\"]}],"
                        "\"hooks\":{\"poststop\":[{\"path\":\"/h\",\"timeout\":3}]},\"hostname\":\"h\","
                        "\"linux\":{" NAMESPACES ",\"cgroupsPath\":\"/c\",\"maskedPaths\":[\"/x\"],"
                        "\"devices\":[{\"path\":\"/dev/d\",\"type\":\"b\",\"major\":1,\"minor\":2,\"fileMode\":384}],"
                        "\"netDevices\":{\"a0\":{\"name\":\"\"},\"b0\":{\"name\":\"eth%d\"},\"c0\":{\"name\":\"eth%d\"}}}}";
        _cleanup_spec_ Spec s = {};

        assert_int_equal(spec_parse(text, strlen(text), &s), 0);
        assert_int_equal(s.process.uid, 5);
        assert_int_equal(s.process.n_gids, 2);
        assert_int_equal(s.process.gids[1], 8);
        assert_int_equal(s.process.umask, 077);
        assert_true(s.process.has_umask && s.process.terminal && s.process.has_oom);
        assert_int_equal(s.process.oom_score_adj, -5);
        assert_int_equal(s.process.caps[CAP_SET_BOUNDING], 1 << CAP_KILL | 1 << CAP_CHOWN);
        assert_int_equal(s.process.caps[CAP_SET_EFFECTIVE], 0);
        assert_true(s.process.rlimits[0].soft == UINT64_MAX && s.process.rlimits[0].hard == UINT64_MAX);
        assert_true(s.mounts[0].bind && s.mounts[0].recursive);
        assert_int_equal(s.hooks[HOOK_POSTSTOP].items[0].timeout, 3);
        assert_true(s.any_hook);
        assert_int_equal(s.devices[0].mode, S_IFBLK | 0600);
        assert_true(spec_has_new(&s, NS_PID));
        assert_false(s.ns[NS_NET].present);
        assert_string_equal(s.masked[0], "/x");
        assert_int_equal(s.n_net_devices, 3);
        assert_string_equal(s.net_devices[0].inside, "a0");
        assert_string_equal(s.net_devices[2].name, "c0");
        assert_string_equal(s.net_devices[2].inside, "eth%d");
        assert_null(s.masked[1]);
}

static void test_refused(void **state) {
        refused("", "not valid JSON");
        refused("{", "not valid JSON");
        refused("[]", "expected an object");
        refused("{}", "ociVersion");
        refused("{\"ociVersion\":\"2.0\"}", "ociVersion");
        refused("{\"ociVersion\":\"1.0.0\"}", "root");
        refused("{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":7}}", "root.path");
        refused(HEAD ",\"process\":{}}", "process.args");
        refused(HEAD ",\"process\":{\"args\":[\"a\",{}],\"cwd\":\"/\"}}", "process.args");
        refused(HEAD ",\"process\":{\"args\":[\"a\\u0000b\"],\"cwd\":\"/\"}}", "without NUL");
        refused(HEAD ",\"process\":{\"args\":[\"a\"],\"cwd\":\"x\"}}", "process.cwd");
        refused(HEAD "," PROCESS ",\"user\":{\"uid\":4294967295}}}", "process.user.uid");
        refused(HEAD "," PROCESS ",\"user\":{\"additionalGids\":[-1]}}}", "additionalGids");
        refused(HEAD "," PROCESS ",\"oomScoreAdj\":1001}}", "oomScoreAdj");
        refused(HEAD "," PROCESS ",\"rlimits\":[{\"type\":\"RLIMIT_CORE\",\"soft\":2,\"hard\":1}]}}",
                "soft exceeds hard");
        refused(HEAD ",\"mounts\":[{\"source\":\"x\"}]}", "destination");
        refused(HEAD ",\"mounts\":[{\"destination\":\"/x\"}]}", "type");
        refused(HEAD ",\"mounts\":[{\"destination\":\"/x\",\"type\":\"bind\"}]}", "source");
        refused(HEAD ",\"hooks\":{\"prestart\":[{\"path\":\"x\"}]}}", "absolute path");
        refused(HEAD ",\"linux\":{\"namespaces\":[{\"type\":\"mount\"},{\"type\":\"mount\"}]}}",
                "given twice");
        refused(HEAD ",\"linux\":{\"namespaces\":[{\"type\":\"mount\",\"path\":\"x\"}]}}", "not absolute");
        refused(HEAD ",\"linux\":{\"namespaces\":[{\"type\":\"mount\"},{\"type\":\"user\"}],"
                     "\"gidMappings\":[{\"containerID\":0,\"hostID\":5,\"size\":1}]}}",
                "uidMappings");
        refused(HEAD ",\"linux\":{" NAMESPACES ",\"devices\":[{\"path\":\"/d\",\"type\":\"z\"}]}}",
                "unknown type");
        refused(HEAD ",\"linux\":{" NAMESPACES ",\"rootfsPropagation\":\"z\"}}", "rootfsPropagation");
        refused(HEAD ",\"linux\":{" NAMESPACES ",\"timeOffsets\":{}}}", "timeOffsets");
        refused(HEAD ",\"linux\":{" NAMESPACES ",\"intelRdt\":{\"closID\":\"x\"}}}", "intelRdt");
        refused(HEAD ",\"windows\":{}}", "only linux");
}

/* Every prefix of a document is malformed, and none may do harm. */
static void test_truncated(void **state) {
        static const char text[] = HEAD "," PROCESS "},\"linux\":{" NAMESPACES "}}";

        for (size_t n = 0; n < strlen(text); n++) {
                char *copy = strndup(text, n);
                Spec s = {};

                assert_non_null(copy);
                assert_true(spec_parse(copy, n, &s) < 0);
                free(copy);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_whole), cmocka_unit_test(test_refused),
                                            cmocka_unit_test(test_truncated) };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
