/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../cmocka-prelude.h"

#include "basic/json.h"
#include "engine/worker/import-changes.h"

static void test_good(void **state) {
        static const char *const cases[][2] = {
                { "CMD [\"a\",\"b c\"]", "{\"Cmd\":[\"a\",\"b c\"]}" },
                { "CMD echo $X", "{\"Cmd\":[\"/bin/sh\",\"-c\",\"echo $X\"]}" },
                { "cmd", "{\"Cmd\":[]}" },
                { "ENTRYPOINT [\"/x\"]", "{\"Entrypoint\":[\"/x\"]}" },
                { "ENV A=b C=\"d e\" F=g\\ h", "{\"Env\":[\"A=b\",\"C=d e\",\"F=g h\"]}" },
                { "ENV A  b  c", "{\"Env\":[\"A=b  c\"]}" },
                { "EXPOSE 80 53/udp", "{\"ExposedPorts\":{\"80/tcp\":{},\"53/udp\":{}}}" },
                { "LABEL a.b=c 'd'=\"e f\"", "{\"Labels\":{\"a.b\":\"c\",\"d\":\"e f\"}}" },
                { "STOPSIGNAL SIGINT", "{\"StopSignal\":\"SIGINT\"}" },
                { "  USER 1000:1000", "{\"User\":\"1000:1000\"}" },
                { "VOLUME /a /b", "{\"Volumes\":{\"/a\":{},\"/b\":{}}}" },
                { "VOLUME [\"/a b\"]", "{\"Volumes\":{\"/a b\":{}}}" },
                { "WORKDIR /x", "{\"WorkingDir\":\"/x\"}" },
                { "WORKDIR x", "{\"WorkingDir\":\"/x\"}" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_json_ json_object *config = json_object_new_object();
                _cleanup_free_ char *error = NULL;

                assert_int_equal(import_change_apply(config, cases[i][0], &error), 0);
                assert_string_equal(json_text(config), cases[i][1]);
        }
}

static void test_twice(void **state) {
        _cleanup_json_ json_object *config = json_object_new_object();
        char *error = NULL;

        assert_int_equal(import_change_apply(config, "ENV A=1 B=2", &error), 0);
        assert_int_equal(import_change_apply(config, "ENV A=3", &error), 0);
        assert_int_equal(import_change_apply(config, "WORKDIR /x", &error), 0);
        assert_int_equal(import_change_apply(config, "WORKDIR y", &error), 0);
        assert_string_equal(json_text(config), "{\"Env\":[\"A=3\",\"B=2\"],\"WorkingDir\":\"/x/y\"}");
}

static void test_bad(void **state) {
        static const struct {
                const char *text;
                int error;
        } cases[] = {
                { "RUN x", -EINVAL },
                { "", -EINVAL },
                { "ENV", -EINVAL },
                { "ENV A", -EINVAL },
                { "ENV =x", -EINVAL },
                { "ENV A=1 B", -EINVAL },
                { "ENV A=\"x", -EINVAL },
                { "EXPOSE 0", -EINVAL },
                { "EXPOSE 70000", -EINVAL },
                { "EXPOSE 1/x", -EINVAL },
                { "STOPSIGNAL X", -EINVAL },
                { "USER", -EINVAL },
                { "CMD [1]", -EINVAL },
                { "ONBUILD x", -EOPNOTSUPP },
                { "HEALTHCHECK NONE", -EOPNOTSUPP },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_json_ json_object *config = json_object_new_object();
                _cleanup_free_ char *error = NULL;

                assert_int_equal(import_change_apply(config, cases[i].text, &error), cases[i].error);
                assert_non_null(error);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_good),
                cmocka_unit_test(test_twice),
                cmocka_unit_test(test_bad),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
