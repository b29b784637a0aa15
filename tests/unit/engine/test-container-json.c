/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* inspect, list, filters and human times over one container made by container_plan() in a temporary
 * directory. */
#include "../cmocka-prelude.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "../../../src/basic/clock.h"
#include "../../../src/basic/fd.h"
#include "../../../src/basic/file.h"
#include "../../../src/basic/json.h"
#include "../../../src/basic/str.h"
#include "../../../src/engine/container-config.h"
#include "../../../src/engine/duration.h"
#include "spec-fakes.h"

static char directory[] = "/tmp/berth-container-json.XXXXXX";
static Manager manager;
static Container one;

static int set_up(void **state) {
        static const char request[] =
                        "{\"Image\":\"busybox\",\"Cmd\":[\"sh\",\"-c\",\"sleep 1\"],"
                        "\"Labels\":{\"a\":\"b\",\"c\":\"\"},"
                        "\"HostConfig\":{\"NetworkMode\":\"none\",\"Binds\":[\"/tmp:/t:ro\"]}}";
        _cleanup_json_ json_object *o = NULL;
        _cleanup_plan_ ContainerPlan p = {};
        _cleanup_error_ EngineError e = {};
        const char *text;

        if (!mkdtemp(directory) || json_parse(request, strlen(request), &o) < 0 ||
            container_plan(&manager, FAKE_ID, "web", NULL, o, &p, &e) < 0)
                return -1;
        one = (Container){ .manager = &manager,
                           .id = FAKE_ID,
                           .name = (char *) "web",
                           .image = (char *) "busybox",
                           .image_id = (char *) "sha256:aaaa",
                           .status = CONTAINER_CREATED };
        one.created_at = now_realtime();
        one.dir_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        fake_container = &one;
        manager.containers = hashmap_new();
        text = json_text(p.config);
        if (hashmap_put(manager.containers, one.id, &one) < 0 ||
            write_file_at(one.dir_fd, "config.json", text, strlen(text), 0600, 0) < 0)
                return -1;
        return write_file_at(one.dir_fd, "shim.conf", p.shim_conf.data, p.shim_conf.size, 0600, 0);
}

static int tear_down(void **state) {
        (void) safe_close(one.dir_fd);
        (void) hashmap_free(manager.containers);
        return remove_tree_at(AT_FDCWD, directory);
}

static size_t count(bool all, int64_t limit, const char *filters) {
        _cleanup_json_ json_object *list = NULL;
        _cleanup_error_ EngineError e = {};

        assert_int_equal(container_list_json(&manager, all, limit, false, filters, &list, &e), 0);
        return json_object_array_length(list);
}

static void test_inspect(void **state) {
        _cleanup_json_ json_object *o = NULL;
        _cleanup_error_ EngineError e = {};
        json_object *s;

        assert_int_equal(container_to_inspect(&one, true, &o, &e), 0);
        s = json_get(o, "State");
        assert_string_equal(json_string_or(o, "Name", ""), "/web");
        assert_string_equal(json_string_or(o, "Path", ""), "sh");
        assert_string_equal(json_string_or(s, "Status", ""), "created");
        assert_string_equal(json_string_or(s, "StartedAt", ""), "0001-01-01T00:00:00Z");
        assert_string_equal(json_string_or(json_get(o, "HostConfig"), "NetworkMode", ""), "none");
        assert_non_null(json_get(json_get(json_get(o, "NetworkSettings"), "Networks"), "none"));
        assert_string_equal(json_text(json_get(o, "Mounts")),
                            "[{\"Type\":\"bind\",\"Source\":\"/tmp\",\"Destination\":\"/t\",\"Mode\":"
                            "\"ro\",\"RW\":false,\"Propagation\":\"rprivate\"}]");
        assert_string_equal(json_string_or(json_get(json_get(o, "GraphDriver"), "Data"), "LowerDir", ""),
                            "/var/lib/berth/layers/2222:/var/lib/berth/layers/1111");
        assert_int_equal(json_object_get_int64(json_get(o, "SizeRw")), 0);
}

static void test_unknown_exit(void **state) {
        Container saved = one;
        _cleanup_json_ json_object *o = NULL;
        _cleanup_error_ EngineError e = {};

        one.status = CONTAINER_EXITED;
        one.ran = true;
        one.exit_code = EXIT_CODE_UNKNOWN;
        assert_int_equal(container_to_inspect(&one, false, &o, &e), 0);
        assert_int_equal(json_object_get_int64(json_get(json_get(o, "State"), "ExitCode")), 255);
        assert_ptr_equal(strstr(json_string_or(json_get(o, "State"), "Error", ""), "exit status unknown: "),
                         json_string_or(json_get(o, "State"), "Error", ""));
        one = saved;
}

static void test_summary(void **state) {
        Container saved = one;
        _cleanup_json_ json_object *o = NULL;
        _cleanup_error_ EngineError e = {};

        one.status = CONTAINER_RUNNING;
        one.started_at = now_realtime() - 2 * USEC_PER_SEC - USEC_PER_SEC / 2;
        assert_int_equal(container_to_summary(&one, false, &o, &e), 0);
        assert_string_equal(json_string_or(o, "Command", ""), "sh -c 'sleep 1'");
        assert_string_equal(json_string_or(o, "Status", ""), "Up 2 seconds");
        assert_string_equal(json_text(json_get(o, "Ports")), "[]");
        one = saved;
}

static void test_list(void **state) {
        assert_int_equal(count(false, 0, NULL), 0);
        assert_int_equal(count(true, 0, ""), 1);
        assert_int_equal(count(false, 1, NULL), 1);
        assert_int_equal(count(true, -1, "{}"), 1);
}

static void test_filters(void **state) {
        static const struct {
                const char *filters;
                size_t n;
        } cases[] = {
                { "{\"name\":[\"we\"]}", 1 },
                { "{\"name\":{\"^/web$\":true}}", 1 },
                { "{\"name\":{\"x\":true}}", 0 },
                { "{\"id\":[\"0123\"]}", 1 },
                { "{\"label\":[\"a=b\",\"c\"]}", 1 },
                { "{\"label\":[\"a=b\",\"d\"]}", 0 },
                { "{\"label\":[\"a=x\"]}", 0 },
                { "{\"status\":[\"created\",\"running\"]}", 1 },
                { "{\"status\":[\"exited\"]}", 0 },
                { "{\"exited\":[\"0\"]}", 0 },
                { "{\"ancestor\":[\"busybox\"]}", 1 },
                { "{\"ancestor\":[\"other\"]}", 0 },
                { "{\"before\":[\"web\"]}", 0 },
                { "{\"health\":[\"none\"]}", 1 },
                { "{\"health\":[\"healthy\"]}", 0 },
                { "{\"network\":[\"none\"]}", 1 },
                { "{\"volume\":[\"/t\"]}", 1 },
                { "{\"is-task\":[\"true\"]}", 0 },
                { "{\"is-task\":[\"false\"]}", 1 },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                if (count(true, 0, cases[i].filters) != cases[i].n)
                        fail_msg("%s", cases[i].filters);
}

static void test_bad_filters(void **state) {
        static const struct {
                const char *filters, *text;
        } cases[] = {
                { "garbage", "invalid filter" },
                { "[]", "invalid filter" },
                { "{\"nope\":[\"x\"]}", "invalid filter 'nope'" },
                { "{\"status\":[\"weird\"]}",
                  "invalid filter 'status=weird': invalid value for state (weird): must be one of created, "
                  "running, paused, restarting, removing, exited, dead" },
                { "{\"before\":[\"nosuch\"]}", "No such container: nosuch" },
                { "{\"exited\":[\"x\"]}", "invalid filter 'exited=x'" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_error_ EngineError e = {};
                json_object *list;

                assert_true(container_list_json(&manager, true, 0, false, cases[i].filters, &list, &e) < 0);
                assert_string_equal(e.message, cases[i].text);
        }
}

static void test_duration(void **state) {
        static const struct {
                uint64_t seconds;
                const char *text;
        } cases[] = {
                { 0, "Less than a second" }, { 1, "1 second" },          { 59, "59 seconds" },
                { 60, "About a minute" },    { 119, "About a minute" },  { 120, "2 minutes" },
                { 3600, "About an hour" },   { 5400, "2 hours" },        { 172800, "2 days" },
                { 86400 * 14, "2 weeks" },   { 86400 * 60, "2 months" }, { 86400 * 730, "2 years" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                char text[DURATION_MAX];

                duration_to_human(cases[i].seconds * USEC_PER_SEC, text);
                assert_string_equal(text, cases[i].text);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_inspect),  cmocka_unit_test(test_unknown_exit),
                cmocka_unit_test(test_summary),  cmocka_unit_test(test_list),
                cmocka_unit_test(test_filters),  cmocka_unit_test(test_bad_filters),
                cmocka_unit_test(test_duration),
        };

        return cmocka_run_group_tests(tests, set_up, tear_down);
}
