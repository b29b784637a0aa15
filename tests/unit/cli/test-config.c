/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../cmocka-prelude.h"
#include "basic/json.h"
#include "basic/str.h"
#include "cli/container-options.h"

/* Flags → create body, or the error text. */
static void check(const char *line, const char *expected) {
        ContainerOptions o = container_options_default;
        _cleanup_strv_ char **argv = NULL;
        _cleanup_free_ char **args = NULL, *error = NULL;
        _cleanup_json_ json_object *body = NULL;
        Client c = {};

        assert_int_equal(strv_split(line, ' ', &argv), 0);
        assert_int_equal(flags_parse(run_flags, false, argv, &o, &args, &error), 0);
        if (container_config_new(&c, &o, args, &body) >= 0)
                assert_string_equal(json_text(body), expected);
        else
                assert_string_equal(c.error, expected);
        flags_done(run_flags, &o);
        free(c.error);
}

static void test_plain(void **state) {
        check("img a -b",
              "{\"HostConfig\":{},\"Image\":\"img\",\"Cmd\":[\"a\",\"-b\"],\"AttachStdout\":true,\"AttachStderr\":true}");
        check("-d --rm img", "{\"HostConfig\":{\"AutoRemove\":true},\"Image\":\"img\"}");
        check("-i -d img", "{\"HostConfig\":{},\"Image\":\"img\",\"OpenStdin\":true}");
        check("-d --entrypoint= img", "{\"HostConfig\":{},\"Image\":\"img\",\"Entrypoint\":[\"\"]}");
}

static void test_environment(void **state) {
        assert_int_equal(setenv("BERTH_TEST_SET", "v", 1), 0);
        assert_int_equal(unsetenv("BERTH_TEST_UNSET"), 0);
        check("-d -e A=1=2 -e BERTH_TEST_SET -e BERTH_TEST_UNSET img",
              "{\"HostConfig\":{},\"Image\":\"img\",\"Env\":[\"A=1=2\",\"BERTH_TEST_SET=v\",\"BERTH_TEST_UNSET\"]}");
        check("-d -e =x img", "invalid environment variable: =x");
}

static void test_mounts(void **state) {
        check("-d -v /a:/b:ro -v /anon img",
              "{\"HostConfig\":{\"Binds\":[\"/a:/b:ro\"]},\"Image\":\"img\",\"Volumes\":{\"/anon\":{}}}");
        check("-d --mount type=bind,src=/s,dst=/t,ro img",
              "{\"HostConfig\":{\"Mounts\":[{\"Type\":\"bind\",\"Source\":\"/s\",\"Target\":\"/t\",\"ReadOnly\":true}]},\"Image\":\"img\"}");
        check("-d --tmpfs /t:size=1m --tmpfs /u img",
              "{\"HostConfig\":{\"Tmpfs\":{\"/t\":\"size=1m\",\"/u\":\"\"}},\"Image\":\"img\"}");
        check("-d --mount type=bind,bogus=1,dst=/t img",
              "invalid argument \"type=bind,bogus=1,dst=/t\" for \"--mount\" flag: unknown option 'bogus'");
        check("-d --mount type=bind,src=/s img",
              "invalid argument \"type=bind,src=/s\" for \"--mount\" flag: target is required");
}

static void test_limits(void **state) {
        check("-d -m 64m --cpus 0.5 --pids-limit -1 --cap-drop all --cap-add net_admin --ulimit nofile=1:2 img",
              "{\"HostConfig\":{\"Memory\":67108864,\"NanoCpus\":500000000,\"PidsLimit\":-1,\"CapAdd\":[\"CAP_NET_ADMIN\"],"
              "\"CapDrop\":[\"ALL\"],\"Ulimits\":[{\"Name\":\"nofile\",\"Hard\":2,\"Soft\":1}]},\"Image\":\"img\"}");
        check("-d --restart on-failure:3 img",
              "{\"HostConfig\":{\"RestartPolicy\":{\"Name\":\"on-failure\",\"MaximumRetryCount\":3}},\"Image\":\"img\"}");
        check("-d --rm --restart always img", "conflicting options: cannot specify both --restart and --rm");
        check("-d --security-opt seccomp=/nonexistent img",
              "opening seccomp profile (/nonexistent) failed: No such file or directory");
        check("-d --security-opt bogus img", "invalid --security-opt: \"bogus\"");
}

static void test_ports(void **state) {
        check("-d -p 127.0.0.1:8080:80/udp img",
              "{\"HostConfig\":{\"PortBindings\":{\"80/udp\":[{\"HostIp\":\"127.0.0.1\",\"HostPort\":\"8080\"}]}},\"Image\":\"img\","
              "\"ExposedPorts\":{\"80/udp\":{}}}");
        check("-d -p 1-2:3-5 img", "invalid publish specification: 1-2:3-5");
        check("-d -p 80/xyz img", "invalid publish specification: 80/xyz");
        check("-d -p 70000 img", "invalid publish specification: 70000");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_plain),  cmocka_unit_test(test_environment),
                cmocka_unit_test(test_mounts), cmocka_unit_test(test_limits),
                cmocka_unit_test(test_ports),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
