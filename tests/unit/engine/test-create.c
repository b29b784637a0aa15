/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Good and bad create requests: what is refused with which text and status, what comes out in oci.json and
 * shim.conf. */
#include "../cmocka-prelude.h"

#include <fcntl.h>
#include <stdio.h>

#include "../../../src/basic/file.h"
#include "../../../src/basic/json.h"
#include "../../../src/basic/str.h"
#include "../../../src/engine/container-config.h"
#include "spec-fakes.h"

static int plan(const char *request, const char *platform, ContainerPlan *ret, EngineError *e) {
        _cleanup_json_ json_object *o = NULL;
        Manager m = {};

        assert_int_equal(json_parse(request, strlen(request), &o), 0);
        return container_plan(&m, FAKE_ID, "web", platform, o, ret, e);
}

static const struct {
        const char *request;
        unsigned status;
        const char *text;
} bad[] = {
        { "{}", 400, "config cannot be empty in order to create a container" },
        { "{\"HostConfig\":{}}", 400, "config cannot be empty in order to create a container" },
        { "{\"Image\":\"\"}", 400, "invalid reference format" },
        { "{\"Image\":\"nosuch\",\"Cmd\":[\"a\"]}", 404, "No such image: nosuch:latest" },
        { "{\"Image\":\"busybox\"}", 400, "no command specified" },
        { "{\"Image\":\"busybox\",\"Cmd\":[1]}", 400,
          "invalid JSON: Config.Cmd must be a string or an array of strings" },
        { "{\"Image\":\"busybox\",\"Tty\":1}", 400, "invalid JSON: Config.Tty must be a boolean" },
        { "{\"Image\":\"busybox\",\"HostConfig\":[]}", 400, "invalid JSON: HostConfig must be an object" },
        { "{\"Image\":\"busybox\",\"HostConfig\":{\"Memory\":\"1\"}}", 400,
          "invalid JSON: HostConfig.Memory must be an integer" },
        { "{\"Image\":\"busybox\",\"Cmd\":\"a\",\"WorkingDir\":\"x\"}", 400,
          "the working directory 'x' is invalid, it needs to be an absolute path" },
        { "{\"Image\":\"busybox\",\"Cmd\":\"a\",\"StopSignal\":\"NOPE\"}", 400, "invalid signal: NOPE" },
        { "{\"Image\":\"busybox\",\"Cmd\":\"a\",\"Env\":[\"=x\"]}", 400,
          "invalid environment variable: =x" },
        { "{\"Image\":\"busybox\",\"Cmd\":\"a\",\"Healthcheck\":{\"Test\":[\"CMD\",\"x\"]}}", 501,
          "Config.Healthcheck is not supported by this version of berth" },
        { "{\"Image\":\"busybox\",\"Cmd\":\"a\",\"HostConfig\":{\"Memory\":1048576}}", 400,
          "Minimum memory limit allowed is 6MB" },
        { "{\"Image\":\"busybox\",\"Cmd\":\"a\",\"HostConfig\":{\"MemorySwap\":1048576}}", 400,
          "You should always set the Memory limit when using Memoryswap limit, see usage" },
        { "{\"Image\":\"busybox\",\"Cmd\":\"a\",\"HostConfig\":{\"NanoCpus\":1000000000000000}}", 400,
          "range of CPUs is from 0.01 to " },
        { "{\"Image\":\"busybox\",\"Cmd\":\"a\",\"HostConfig\":{\"NanoCpus\":1000000000,\"CpuQuota\":5000}}",
          400, "Conflicting options: Nano CPUs and CPU Quota cannot both be set." },
        { "{\"Image\":\"busybox\",\"Cmd\":\"a\",\"HostConfig\":{\"AutoRemove\":true,"
          "\"RestartPolicy\":{\"Name\":\"always\"}}}",
          400, "can't create 'AutoRemove' container with restart policy" },
        { "{\"Image\":\"busybox\",\"Cmd\":\"a\",\"HostConfig\":{\"RestartPolicy\":{\"Name\":\"bogus\"}}}",
          400,
          "invalid restart policy: unknown policy 'bogus'; use one of 'no', 'always', 'on-failure', or "
          "'unless-stopped'" },
        { "{\"Image\":\"busybox\",\"Cmd\":\"a\",\"HostConfig\":{\"NetworkMode\":\"mynet\"}}", 404,
          "network mynet not found" },
        { "{\"Image\":\"busybox\",\"Cmd\":\"a\",\"HostConfig\":{\"NetworkMode\":\"container:x\"}}", 404,
          "No such container: x" },
        { "{\"Image\":\"busybox\",\"Cmd\":\"a\","
          "\"HostConfig\":{\"PortBindings\":{\"80/tcp\":[{\"HostPort\":\"80\"}]}}}",
          501, "HostConfig.PortBindings is not supported by this version of berth" },
        { "{\"Image\":\"busybox\",\"Cmd\":\"a\",\"HostConfig\":{\"PublishAllPorts\":true}}", 501,
          "HostConfig.PublishAllPorts is not" },
        { "{\"Image\":\"busybox\",\"Cmd\":\"a\",\"HostConfig\":{\"Init\":true}}", 501,
          "HostConfig.Init is not supported" },
        { "{\"Image\":\"busybox\",\"Cmd\":\"a\",\"HostConfig\":{\"DeviceRequests\":[{}]}}", 501,
          "HostConfig.DeviceRequests is not" },
        { "{\"Image\":\"busybox\",\"Cmd\":\"a\",\"HostConfig\":{\"MemorySwappiness\":10}}", 501,
          "HostConfig.MemorySwappiness is not" },
        { "{\"Image\":\"busybox\",\"Cmd\":\"a\",\"HostConfig\":{\"LogConfig\":{\"Type\":\"syslog\"}}}", 501,
          "log driver syslog is not" },
        { "{\"Image\":\"busybox\",\"Cmd\":\"a\",\"HostConfig\":{\"PidMode\":\"container:peer\"}}", 501,
          "HostConfig.PidMode=container:peer is not supported" },
        { "{\"Image\":\"busybox\",\"Cmd\":\"a\",\"HostConfig\":{\"CapAdd\":[\"nope\"]}}", 400,
          "invalid CapAdd: unknown capability: \"CAP_NOPE\"" },
        { "{\"Image\":\"busybox\",\"Cmd\":\"a\",\"HostConfig\":{\"SecurityOpt\":[\"nope\"]}}", 400,
          "invalid --security-opt 1: \"nope\"" },
        { "{\"Image\":\"busybox\",\"Cmd\":\"a\",\"HostConfig\":{\"SecurityOpt\":[\"no=pe\"]}}", 400,
          "invalid --security-opt 2: \"no=pe\"" },
        { "{\"Image\":\"busybox\",\"Cmd\":\"a\",\"HostConfig\":{\"SecurityOpt\":[\"apparmor=x\"]}}", 501,
          "--security-opt apparmor=x is not" },
        { "{\"Image\":\"busybox\",\"Cmd\":\"a\",\"HostConfig\":{\"SecurityOpt\":[\"seccomp={\"]}}", 400,
          "Decoding seccomp profile failed" },
        { "{\"Image\":\"busybox\",\"Cmd\":\"a\",\"HostConfig\":{\"Runtime\":\"nope\"}}", 400,
          "unknown or invalid runtime name: nope" },
        { "{\"Image\":\"busybox\",\"Cmd\":\"a\",\"HostConfig\":{\"Binds\":[\"/a:/b:/c:/d\"]}}", 400,
          "invalid volume specification: '/a:/b:/c:/d'" },
        { "{\"Image\":\"busybox\",\"Cmd\":\"a\",\"HostConfig\":{\"Binds\":[\"/a:b\"]}}", 400,
          "invalid volume specification: '/a:b': invalid mount config for type \"bind\": invalid mount "
          "path: 'b' mount path must be "
          "absolute" },
        { "{\"Image\":\"busybox\",\"Cmd\":\"a\",\"HostConfig\":{\"Binds\":[\"/a:/\"]}}", 400,
          "invalid volume specification: '/a:/': invalid mount config for type \"bind\": invalid "
          "specification: destination can't be "
          "'/'" },
        { "{\"Image\":\"busybox\",\"Cmd\":\"a\",\"HostConfig\":{\"Binds\":[\"/a:/b:xx\"]}}", 400,
          "invalid mode: xx" },
        { "{\"Image\":\"busybox\",\"Cmd\":\"a\",\"HostConfig\":{\"Binds\":[\"/tmp:/b:rshared\"]}}", 501,
          "mount propagation shared is not" },
        { "{\"Image\":\"busybox\",\"Cmd\":\"a\",\"HostConfig\":{\"Binds\":[\"/tmp:/b\",\"/tmp:/b/\"]}}", 400,
          "Duplicate mount point: /b" },
        { "{\"Image\":\"busybox\",\"Cmd\":\"a\",\"HostConfig\":{\"Mounts\":[{\"Type\":\"bind\","
          "\"Source\":\"/nosuch-src2\",\"Target\":\"/x\"}]}}",
          400, "invalid mount config for type \"bind\": bind source path does not exist: /nosuch-src2" },
        { "{\"Image\":\"busybox\",\"Cmd\":\"a\",\"HostConfig\":{\"Mounts\":[{\"Type\":\"image\","
          "\"Target\":\"/x\"}]}}",
          501, "mount type image" },
        { "{\"Image\":\"busybox\",\"Cmd\":\"a\",\"HostConfig\":{\"Tmpfs\":{\"/t\":\"bogus\"}}}", 400,
          "Invalid tmpfs option [\"bogus\"]" },
        { "{\"Image\":\"busybox\",\"Cmd\":\"a\",\"HostConfig\":{\"Ulimits\":[{\"Name\":\"x\"}]}}", 400,
          "invalid ulimit type: x" },
        { "{\"Image\":\"busybox\",\"Cmd\":\"a\",\"HostConfig\":{\"Sysctls\":{\"kernel.panic\":\"1\"}}}", 400,
          "sysctl 'kernel.panic' is not allowed" },
        { "{\"Image\":\"busybox\",\"Cmd\":\"a\","
          "\"HostConfig\":{\"Devices\":[{\"PathOnHost\":\"/dev/nosuch\"}]}}",
          400,
          "error gathering device information while adding custom device \"/dev/nosuch\": no such file or "
          "directory" },
        { "{\"Image\":\"busybox\",\"Cmd\":\"a\",\"HostConfig\":{\"DeviceCgroupRules\":[\"x\"]}}", 400,
          "invalid device cgroup rule format: 'x'" },
        { "{\"Image\":\"busybox\",\"Cmd\":\"a\",\"HostConfig\":{\"ExtraHosts\":[\"a:b\"]}}", 400,
          "invalid IP address in add-host: \"b\"" },
        { "{\"Image\":\"busybox\",\"Cmd\":\"a\",\"HostConfig\":{\"OomScoreAdj\":2000}}", 400,
          "Invalid value 2000, range for oom score adj is [-1000, 1000]" },
        { "{\"Image\":\"busybox\",\"Cmd\":\"a\",\"NetworkingConfig\":{\"EndpointsConfig\":{\"a\":{},"
          "\"b\":{}}}}",
          501, "more than one network" },
        { "{\"Image\":\"busybox\",\"Cmd\":\"a\",\"NetworkingConfig\":{\"EndpointsConfig\":{\"a\":{}}}}", 404,
          "network a not found" },
        { "{\"Image\":\"busybox\",\"Cmd\":\"a\","
          "\"NetworkingConfig\":{\"EndpointsConfig\":{\"bridge\":{\"IPAMConfig\":{\"IPv4Address\":"
          "\"1.2.3.4\"}}}}}",
          501, "NetworkingConfig.EndpointsConfig.IPAMConfig is not" },
};

static void test_bad(void **state) {
        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                _cleanup_plan_ ContainerPlan p = {};
                _cleanup_error_ EngineError e = {};
                int r = plan(bad[i].request, NULL, &p, &e);

                if (r >= 0 || !e.message || !startswith(e.message, bad[i].text) ||
                    error_http_status(&e) != bad[i].status)
                        fail_msg("%s gave %d, %u, \"%s\"", bad[i].request, r, error_http_status(&e),
                                 strempty(e.message));
        }
}

static void test_platform(void **state) {
        static const char request[] = "{\"Image\":\"busybox\",\"Cmd\":[\"a\"]}";
        _cleanup_plan_ ContainerPlan p = {};
        _cleanup_error_ EngineError e = {};

        assert_int_equal(plan(request, "linux/nosuch", &p, &e), -ENOENT);
        assert_string_equal(
                        e.message,
                        "image with reference busybox was found but its platform (linux/amd64) does not "
                        "match the "
                        "specified platform (linux/nosuch)");
        assert_int_equal(plan(request, "linux/amd64", &p, &e), 0);
}

static void check_golden(const char *name, json_object *o) {
        _cleanup_free_ char *path = str_concat(BERTH_GOLDEN_DIR "/", name), *wanted = NULL;
        const char *text =
                        json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
                                                                          JSON_C_TO_STRING_NOSLASHESCAPE);

        assert_non_null(path);
        if (getenv("BERTH_UPDATE_GOLDEN")) {
                assert_int_equal(write_file_at(AT_FDCWD, path, text, strlen(text), 0644, WRITE_REPLACE), 0);
                return;
        }
        assert_int_equal(read_file_at(AT_FDCWD, path, 1024 * 1024, &wanted, NULL), 0);
        assert_string_equal(text, wanted);
}

static void test_golden(void **state) {
        static const struct {
                const char *name, *request, *image;
        } cases[] = {
                { "oci-plain.json",
                  "{\"Image\":\"busybox\",\"Cmd\":[\"true\"],\"HostConfig\":{\"NetworkMode\":\"none\"}}",
                  "{\"Env\":[\"PATH=/bin\",\"A=1\"],\"Cmd\":[\"sh\"],\"Labels\":{\"l\":\"v\"}}" },
                { "oci-terminal.json",
                  "{\"Image\":\"busybox\",\"Tty\":true,\"OpenStdin\":true,\"User\":\"1000:1000\","
                  "\"WorkingDir\":\"/srv//a/../b\","
                  "\"Hostname\":\"h\",\"Domainname\":\"d.example\",\"Env\":[\"A=2\",\"TERM=dumb\",\"B\"],"
                  "\"HostConfig\":{"
                  "\"ConsoleSize\":[30,90],\"Binds\":[\"/tmp:/t:ro\"],\"Tmpfs\":{\"/run\":\"size=1m,"
                  "exec\"},\"ReadonlyRootfs\":true,"
                  "\"CapDrop\":[\"ALL\"],\"CapAdd\":[\"net_admin\",\"CAP_KILL\"],"
                  "\"Ulimits\":[{\"Name\":\"nofile\",\"Soft\":10,"
                  "\"Hard\":-1}],\"OomScoreAdj\":100,\"ShmSize\":1048576,"
                  "\"Sysctls\":{\"net.ipv4.ip_forward\":\"1\"},"
                  "\"SecurityOpt\":[\"no-new-privileges\"],\"Annotations\":{\"x\":\"y\"}}}",
                  "{\"Entrypoint\":[\"/entry\"],\"Cmd\":[\"one\",\"two\"]}" },
                { "oci-host.json",
                  "{\"Image\":\"busybox\",\"Hostname\":\"h\",\"Entrypoint\":[\"\"],\"Cmd\":[\"sleep\","
                  "\"1\"],\"HostConfig\":{\"NetworkMode\":"
                  "\"host\",\"PidMode\":\"host\",\"IpcMode\":\"host\",\"CgroupnsMode\":\"host\","
                  "\"SecurityOpt\":[\"seccomp=unconfined\"],"
                  "\"MaskedPaths\":[],\"ReadonlyPaths\":[],\"Devices\":[{\"PathOnHost\":\"/dev/null\","
                  "\"PathInContainer\":\"/dev/nul\","
                  "\"CgroupPermissions\":\"r\"}],\"DeviceCgroupRules\":[\"c 13:* rw\"],"
                  "\"Mounts\":[{\"Type\":\"tmpfs\",\"Target\":\"/m\","
                  "\"TmpfsOptions\":{\"SizeBytes\":4096,\"Mode\":511}}]}}",
                  "{\"Entrypoint\":[\"/entry\"]}" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_plan_ ContainerPlan p = {};
                _cleanup_error_ EngineError e = {};
                int r;

                fake_image_config = cases[i].image;
                r = plan(cases[i].request, NULL, &p, &e);
                if (r < 0)
                        fail_msg("%s: %s", cases[i].name, strempty(e.message));
                check_golden(cases[i].name, p.oci);
        }
        fake_image_config = "{}";
}

static void test_shim_conf(void **state) {
        _cleanup_plan_ ContainerPlan p = {};
        _cleanup_error_ EngineError e = {};

        assert_int_equal(
                        plan("{\"Image\":\"busybox\",\"Cmd\":\"a\",\"StopSignal\":\"SIGINT\","
                             "\"StopTimeout\":3,\"HostConfig\":{"
                             "\"NetworkMode\":\"none\",\"Memory\":67108864,\"NanoCpus\":500000000,"
                             "\"PidsLimit\":7,\"CpuShares\":1024,"
                             "\"RestartPolicy\":{\"Name\":\"on-failure\",\"MaximumRetryCount\":2}}}",
                             NULL, &p, &e),
                        0);
        assert_string_equal(
                        p.shim_conf.data,
                        "id=" FAKE_ID "\nname=web\nimage=busybox\nimage-id=sha256:aaaa\ntag=0123456789ab\n"
                        "tty=0\nstdin=0\nstdin-once=0\nstop-signal=2\nstop-timeout=3\nauto-remove=0\n"
                        "restart=on-failure\nrestart-max=2\nruntime=/usr/bin/berth-runtime\nnetwork=none\n"
                        "hostname=0123456789ab\nuser=\nlower=2222\nlower=1111\nproperty=MemoryMax=t:671088"
                        "64\n"
                        "property=MemorySwapMax=t:67108864\nproperty=CPUQuotaPerSecUSec=t:500000\n"
                        "property=CPUWeight=t:39\nproperty=TasksMax=t:7\n");
        assert_string_equal(p.hostname, "0123456789ab\n");
        assert_non_null(strstr(p.hosts, "127.0.0.1\tlocalhost\n"));
}

static void test_command(void **state) {
        static const struct {
                const char *user, *image, *argv;
        } cases[] = {
                { "\"Cmd\":[\"x\"]", "{\"Entrypoint\":[\"e\"],\"Cmd\":[\"c\"]}", "[\"e\",\"x\"]" },
                { "\"Cmd\":null", "{\"Entrypoint\":[\"e\"],\"Cmd\":[\"c\"]}", "[\"e\",\"c\"]" },
                { "\"Entrypoint\":[\"u\"]", "{\"Entrypoint\":[\"e\"],\"Cmd\":[\"c\"]}", "[\"u\"]" },
                { "\"Entrypoint\":[]", "{\"Entrypoint\":[\"e\"],\"Cmd\":[\"c\"]}", "[\"c\"]" },
                { "\"Entrypoint\":[\"\"],\"Cmd\":[\"x\"]", "{\"Entrypoint\":[\"e\"],\"Cmd\":[\"c\"]}",
                  "[\"x\"]" },
                { "\"Entrypoint\":\"u\",\"Cmd\":\"x y\"", "{}", "[\"u\",\"x y\"]" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_free_ char *request = str_concat("{\"Image\":\"busybox\",", cases[i].user, "}");
                _cleanup_plan_ ContainerPlan p = {};
                _cleanup_error_ EngineError e = {};

                fake_image_config = cases[i].image;
                assert_int_equal(plan(request, NULL, &p, &e), 0);
                assert_string_equal(json_text(json_get(json_get(p.oci, "process"), "args")), cases[i].argv);
        }
        fake_image_config = "{}";
}

static void test_inspect_defaults(void **state) {
        _cleanup_plan_ ContainerPlan p = {};
        _cleanup_error_ EngineError e = {};
        json_object *host;

        fake_image_config = "{\"Healthcheck\":{\"Test\":[\"CMD\",\"x\"]},\"Volumes\":{\"/data\":{}}}";
        assert_int_equal(
                        plan("{\"Image\":\"busybox\",\"Cmd\":\"a\","
                             "\"HostConfig\":{\"NetworkMode\":\"default\",\"MemorySwappiness\":-1,"
                             "\"PidsLimit\":0,\"LogConfig\":{\"Type\":\"\",\"Config\":{}},\"ShmSize\":0,"
                             "\"OomKillDisable\":false}}",
                             NULL, &p, &e),
                        0);
        fake_image_config = "{}";
        host = json_get(p.config, "HostConfig");
        assert_string_equal(json_string_or(host, "NetworkMode", ""), "bridge");
        assert_string_equal(json_string_or(json_get(host, "LogConfig"), "Type", ""), "journald");
        assert_null(json_get(host, "PidsLimit"));
        assert_int_equal(json_object_get_int64(json_get(host, "ShmSize")), 67108864);
        assert_int_equal(json_object_array_length(p.warnings), 1);
        assert_string_equal(p.directories[0], "volumes");
        assert_string_equal(p.directories[1], "volumes/0");
        assert_null(p.directories[2]);
}

static void test_privileged(void **state) {
        _cleanup_plan_ ContainerPlan p = {};
        _cleanup_error_ EngineError e = {};
        json_object *l;

        assert_int_equal(plan("{\"Image\":\"busybox\",\"Cmd\":\"a\",\"HostConfig\":{\"Privileged\":true}}",
                              NULL, &p, &e),
                         0);
        l = json_get(p.oci, "linux");
        assert_null(json_get(l, "seccomp"));
        assert_null(json_get(l, "maskedPaths"));
        assert_string_equal(json_text(json_get(json_get(l, "resources"), "devices")),
                            "[{\"allow\":true,\"access\":\"rwm\"}]");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_bad),        cmocka_unit_test(test_platform),
                cmocka_unit_test(test_golden),     cmocka_unit_test(test_shim_conf),
                cmocka_unit_test(test_command),    cmocka_unit_test(test_inspect_defaults),
                cmocka_unit_test(test_privileged),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
