/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../cmocka-prelude.h"

#include "runtime/cgroup/resources-update.h"
#include "runtime/spec/resources-spelling.h"

static json_object *parse(const char *text) {
        json_object *o = NULL;

        assert_int_equal(json_parse(text, strlen(text), &o), 0);
        return o;
}

static void is(json_object *o, const char *expected) {
        _cleanup_json_ json_object *e = parse(expected);

        if (!json_object_equal(o, e))
                fail_msg("%s, expected %s", json_text(o), expected);
}

static void merged(const char *stored, const char *update, const char *expected) {
        _cleanup_json_ json_object *s = parse(stored), *u = parse(update);

        assert_int_equal(resources_merge(s, u), 0);
        is(s, expected);
}

static void completed(const char *stored, const char *update, const char *expected) {
        _cleanup_json_ json_object *s = parse(stored), *u = parse(update);

        assert_int_equal(resources_complete(u, s), 0);
        is(u, expected);
}

static void test_merge(void **state) {
        merged("{}", "{\"cpu\":{\"shares\":5}}", "{\"cpu\":{\"shares\":5}}");
        merged("{\"cpu\":{\"shares\":5,\"cpus\":\"0\"},\"pids\":{\"limit\":1}}",
               "{\"cpu\":{\"shares\":6},\"memory\":null}",
               "{\"cpu\":{\"shares\":6,\"cpus\":\"0\"},\"pids\":{\"limit\":1}}");
        /* A rule list is one program; limits of devices are apart from each other. */
        merged("{\"devices\":[{\"allow\":false}]}", "{\"devices\":[{\"allow\":true}]}",
               "{\"devices\":[{\"allow\":true}]}");
        merged("{\"blockIO\":{\"throttleReadBpsDevice\":[{\"major\":1,\"minor\":2,\"rate\":3}]}}",
               "{\"blockIO\":{\"throttleReadBpsDevice\":[{\"major\":1,\"minor\":3,\"rate\":4},"
               "{\"major\":1,\"minor\":2,\"rate\":5}]}}",
               "{\"blockIO\":{\"throttleReadBpsDevice\":[{\"major\":1,\"minor\":2,\"rate\":5},"
               "{\"major\":1,\"minor\":3,\"rate\":4}]}}");
        merged("{\"hugepageLimits\":[{\"pageSize\":\"2MB\",\"limit\":1}]}",
               "{\"hugepageLimits\":[{\"pageSize\":\"2MB\",\"limit\":2}]}",
               "{\"hugepageLimits\":[{\"pageSize\":\"2MB\",\"limit\":2}]}");
}

static void test_swap_follows(void **state) {
        static const char stored[] = "{\"memory\":{\"limit\":100,\"swap\":150}}";

        merged(stored, "{\"memory\":{\"limit\":200}}", "{\"memory\":{\"limit\":200,\"swap\":250}}");
        merged(stored, "{\"memory\":{\"limit\":200,\"swap\":201}}",
               "{\"memory\":{\"limit\":200,\"swap\":201}}");
        merged(stored, "{\"memory\":{\"limit\":-1}}", "{\"memory\":{\"limit\":-1,\"swap\":-1}}");
        merged(stored, "{\"memory\":{\"swap\":-1}}", "{\"memory\":{\"limit\":100,\"swap\":-1}}");
        merged(stored, "{\"memory\":{\"limit\":9223372036854775800}}",
               "{\"memory\":{\"limit\":9223372036854775800,\"swap\":9223372036854775807}}");
        merged("{\"memory\":{\"limit\":100,\"swap\":-1}}", "{\"memory\":{\"limit\":50}}",
               "{\"memory\":{\"limit\":50,\"swap\":-1}}");
        merged("{\"memory\":{\"reservation\":1}}", "{\"memory\":{\"limit\":50}}",
               "{\"memory\":{\"reservation\":1,\"limit\":50}}");
}

static void test_unified_is_overruled(void **state) {
        merged("{\"unified\":{\"pids.max\":\"9\",\"cpu.max\":\"1 2\",\"memory.high\":\"5\"}}",
               "{\"pids\":{\"limit\":3},\"cpu\":{\"quota\":5000}}",
               "{\"unified\":{\"memory.high\":\"5\"},\"pids\":{\"limit\":3},\"cpu\":{\"quota\":5000}}");
        merged("{\"unified\":{\"pids.max\":\"9\"}}",
               "{\"pids\":{\"limit\":3},\"unified\":{\"pids.max\":\"8\"}}",
               "{\"unified\":{\"pids.max\":\"8\"},\"pids\":{\"limit\":3}}");
}

static void test_complete(void **state) {
        static const char cpu[] = "{\"cpu\":{\"quota\":5,\"period\":6}}";

        completed("{\"memory\":{\"limit\":100}}", "{\"memory\":{\"swap\":150}}",
                  "{\"memory\":{\"swap\":150,\"limit\":100}}");
        completed("{\"memory\":{\"limit\":100}}", "{\"memory\":{\"swap\":-1}}",
                  "{\"memory\":{\"swap\":-1}}");
        completed("{}", "{\"memory\":{\"swap\":150}}", "{\"memory\":{\"swap\":150}}");
        completed(cpu, "{\"cpu\":{\"quota\":7}}", "{\"cpu\":{\"quota\":7,\"period\":6}}");
        completed(cpu, "{\"cpu\":{\"period\":7}}", "{\"cpu\":{\"quota\":5,\"period\":7}}");
        completed(cpu, "{\"cpu\":{\"shares\":7}}", "{\"cpu\":{\"shares\":7}}");
        completed(cpu, "{}", "{}");
        completed("{\"cpu\":{\"quota\":5},\"unified\":{\"cpu.max\":\"1 2\"}}", "{\"cpu\":{\"period\":7}}",
                  "{\"cpu\":{\"period\":7}}");
}

static void test_weight_ends_idleness(void **state) {
        static const char idle[] = "{\"cpu\":{\"idle\":1}}",
                          unified[] = "{\"unified\":{\"cpu.idle\":\"1\"}}";

        completed(idle, "{\"cpu\":{\"shares\":7}}", "{\"cpu\":{\"shares\":7,\"idle\":0}}");
        completed(unified, "{\"cpu\":{\"shares\":7}}", "{\"cpu\":{\"shares\":7,\"idle\":0}}");
        completed(idle, "{\"unified\":{\"cpu.weight\":\"8\"}}",
                  "{\"unified\":{\"cpu.weight\":\"8\"},\"cpu\":{\"idle\":0}}");
        completed(idle, "{\"cpu\":{\"shares\":7,\"idle\":1}}", "{\"cpu\":{\"shares\":7,\"idle\":1}}");
        completed(idle, "{\"unified\":{\"cpu.weight\":\"8\",\"cpu.idle\":\"1\"}}",
                  "{\"unified\":{\"cpu.weight\":\"8\",\"cpu.idle\":\"1\"}}");
        completed("{\"cpu\":{\"idle\":0}}", "{\"cpu\":{\"shares\":7}}", "{\"cpu\":{\"shares\":7}}");
        completed(idle, "{\"cpu\":{\"quota\":7}}", "{\"cpu\":{\"quota\":7}}");
}

static void test_size(void **state) {
        static const struct {
                const char *text;
                int64_t value;
        } good[] = { { "0", 0 },
                     { "-1", -1 },
                     { "33554432", 33554432 },
                     { "50M", 52428800 },
                     { "50mb", 52428800 },
                     { "50 MiB", 52428800 },
                     { "1.5g", 1610612736 },
                     { "7b", 7 },
                     { "1k", 1024 },
                     { "2T", INT64_C(2) << 40 },
                     { "9223372036854775807", INT64_MAX } };
        static const char *const bad[] = { "",         "-2",    "x",
                                           "5X",       "5mm",   "1.",
                                           ".5",       "1.m",   "5 ",
                                           "m",        "5mib5", "9223372036854775808",
                                           "9000000t", "0x10",  "99999999999999999999",
                                           "5i" };
        int64_t v;

        for (size_t i = 0; i < ELEMENTSOF(good); i++) {
                assert_int_equal(resources_parse_size(good[i].text, &v), 0);
                assert_int_equal(v, good[i].value);
        }
        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                if (resources_parse_size(bad[i], &v) >= 0)
                        fail_msg("\"%s\" is taken", bad[i]);
}

static void test_case_is_folded(void **state) {
        _cleanup_json_ json_object *from = NULL, *want = NULL, *got = NULL;
        static const char given
                        [] = "{\"CPU\": {\"Idle\": 1}, \"Memory\": {\"LIMIT\": 5}, \"unified\": {\"Memory\": \"x\"},"
                             " \"blockio\": {\"weightdevice\": [{\"Major\": 8, \"minor\": 0, \"Weight\": 10}, null]}, \"Other\": null}",
                   right[] = "{\"cpu\": {\"idle\": 1}, \"memory\": {\"limit\": 5}, \"unified\": {\"Memory\": \"x\"},"
                             " \"blockIO\": {\"weightDevice\": [{\"major\": 8, \"minor\": 0, \"weight\": 10}, null]}, \"Other\": null}";

        assert_int_equal(json_parse(given, strlen(given), &from), 0);
        assert_int_equal(json_parse(right, strlen(right), &want), 0);
        assert_int_equal(resources_fold_case(from, &got), 0);
        assert_true(json_object_equal(got, want));
}

static void test_respelled_in_place(void **state) {
        static const struct {
                const char *given, *right;
        } cases[] = {
                { "{\"resources\": {\"cpu\": {\"shares\": 2}, \"CPU\": {\"Cpus\": \"0\"}, \"pids\": {\"limit\": 1}}}",
                  "{\"resources\": {\"cpu\": {\"shares\": 2, \"cpus\": \"0\"}, \"pids\": {\"limit\": 1}}}" },
                { "{\"resources\": {\"memory\": {\"Limit\": 2}, \"unified\": {\"CPU\": \"x\"}}}",
                  "{\"resources\": {\"memory\": {\"limit\": 2}, \"unified\": {\"CPU\": \"x\"}}}" },
                { "{\"resources\": {\"hugepageLimits\": [{\"PageSize\": \"2MB\"}]}}",
                  "{\"resources\": {\"hugepageLimits\": [{\"pageSize\": \"2MB\"}]}}" },
                { "{\"resources\": {\"devices\": [{\"allow\": true, \"Type\": \"c\", \"Major\": 1}]}}",
                  "{\"resources\": {\"devices\": [{\"allow\": true, \"type\": \"c\", \"major\": 1}]}}" },
                { "{\"resources\": {\"CPU\": 5, \"cpu\": {}}}", "{\"resources\": {\"cpu\": {}}}" },
                { "{\"resources\": 5}", "{\"resources\": 5}" },
                { "{}", "{}" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_json_ json_object *o = NULL, *want = NULL;

                assert_int_equal(json_parse(cases[i].given, strlen(cases[i].given), &o), 0);
                assert_int_equal(json_parse(cases[i].right, strlen(cases[i].right), &want), 0);
                assert_int_equal(resources_respell(o), 0);
                assert_true(json_object_equal(o, want));
        }
        assert_int_equal(resources_respell(NULL), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_merge),
                cmocka_unit_test(test_swap_follows),
                cmocka_unit_test(test_unified_is_overruled),
                cmocka_unit_test(test_complete),
                cmocka_unit_test(test_weight_ends_idleness),
                cmocka_unit_test(test_case_is_folded),
                cmocka_unit_test(test_respelled_in_place),
                cmocka_unit_test(test_size),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
