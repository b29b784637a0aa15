/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../cmocka-prelude.h"

#include "../../../src/basic/json.h"
#include "../../../src/engine/exec-config.h"

static const char container[] =
                "{\"terminal\":false,\"user\":{\"uid\":0,\"gid\":0},\"args\":[\"x\"],"
                "\"env\":[\"PATH=/bin\",\"A=1\"],\"cwd\":"
                "\"/srv\",\"capabilities\":{\"bounding\":[\"CAP_KILL\"]},\"noNewPrivileges\":true,"
                "\"oomScoreAdj\":5}";

static json_object *parse(const char *text) {
        json_object *o;

        assert_int_equal(json_parse(text, strlen(text), &o), 0);
        return o;
}

static void test_bad(void **state) {
        static const struct {
                const char *request, *text;
        } cases[] = {
                { "{}", "No exec command specified" },
                { "{\"Cmd\":[]}", "No exec command specified" },
                { "{\"Cmd\":\"a\"}", "invalid JSON: ExecConfig.Cmd must be an array of strings" },
                { "{\"Cmd\":[\"a\"],\"WorkingDir\":\"x\"}",
                  "the working directory 'x' is invalid, it needs to be an absolute path" },
                { "{\"Cmd\":[\"a\"],\"Env\":[\"=\"]}", "invalid environment variable: =" },
                { "{\"Cmd\":[\"a\"],\"ConsoleSize\":[1]}", "invalid ConsoleSize" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_json_ json_object *request = parse(cases[i].request);
                _cleanup_error_ EngineError e = {};

                assert_int_equal(exec_check_request(request, &e), -EINVAL);
                assert_string_equal(e.message, cases[i].text);
        }
}

static void check(const char *request_text, const UserIdentity *identity, const char *wanted) {
        _cleanup_json_ json_object *request = parse(request_text), *process = parse(container), *o = NULL;
        _cleanup_error_ EngineError e = {};

        assert_int_equal(exec_check_request(request, &e), 0);
        assert_int_equal(exec_build_process(process, request, identity, &o, &e), 0);
        assert_string_equal(json_text(o), wanted);
}

static void test_build(void **state) {
        uint32_t groups[] = { 3, 4 };

        check("{\"Cmd\":[\"sh\",\"-c\",\"x\"]}", &(UserIdentity){ .home = (char *) "/root" },
              "{\"terminal\":false,\"user\":{\"uid\":0,\"gid\":0},\"args\":[\"sh\",\"-c\",\"x\"],"
              "\"env\":[\"PATH=/bin\",\"A=1\",\"HOME="
              "/root\"],\"cwd\":\"/srv\",\"capabilities\":{\"bounding\":[\"CAP_KILL\"],"
              "\"effective\":[\"CAP_KILL\"],\"permitted\":["
              "\"CAP_KILL\"],\"inheritable\":[],\"ambient\":[]},\"noNewPrivileges\":true,"
              "\"oomScoreAdj\":5}");
        check("{\"Cmd\":[\"a\"],\"Tty\":true,\"ConsoleSize\":[24,80],\"Env\":[\"HOME=/h\",\"A\"],"
              "\"WorkingDir\":\"/w\"}",
              &(UserIdentity){ .uid = 1, .gid = 2, .groups = groups, .n_groups = 2, .home = (char *) "/" },
              "{\"terminal\":true,\"consoleSize\":{\"height\":24,\"width\":80},\"user\":{\"uid\":1,"
              "\"gid\":2,\"additionalGids\":[3,4]},"
              "\"args\":[\"a\"],\"env\":[\"PATH=/bin\",\"TERM=xterm\",\"HOME=/h\"],\"cwd\":\"/w\","
              "\"capabilities\":{\"bounding\":["
              "\"CAP_KILL\"],\"effective\":[],\"permitted\":[],\"inheritable\":[],\"ambient\":[]},"
              "\"noNewPrivileges\":true,"
              "\"oomScoreAdj\":5}");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_bad),
                cmocka_unit_test(test_build),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
