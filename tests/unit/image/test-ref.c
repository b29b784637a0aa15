/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../cmocka-prelude.h"

#include "engine/image/image-ref.h"

#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define A50   "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static void test_good(void **state) {
        static const struct {
                const char *text, *canonical, *familiar;
        } cases[] = {
                { "busybox", "docker.io/library/busybox:latest", "busybox:latest" },
                { "busybox:1.2_x-3", "docker.io/library/busybox:1.2_x-3", "busybox:1.2_x-3" },
                { "a/b", "docker.io/a/b:latest", "a/b:latest" },
                { "library/x", "docker.io/library/x:latest", "x:latest" },
                { "docker.io/x", "docker.io/library/x:latest", "x:latest" },
                { "index.docker.io/x/y:t", "docker.io/x/y:t", "x/y:t" },
                { "localhost/x", "localhost/x:latest", "localhost/x:latest" },
                { "localhost:5000/x", "localhost:5000/x:latest", "localhost:5000/x:latest" },
                { "r.example/a/b/c:9", "r.example/a/b/c:9", "r.example/a/b/c:9" },
                { "[::1]:5000/x", "[::1]:5000/x:latest", "[::1]:5000/x:latest" },
                { "Upper/x", "Upper/x:latest", "Upper/x:latest" },
                { "x@sha256:" HEX64, "docker.io/library/x@sha256:" HEX64, "x@sha256:" HEX64 },
                { "x:t@sha256:" HEX64, "docker.io/library/x:t@sha256:" HEX64, "x:t@sha256:" HEX64 },
                { "a-b.c_d__e---f", "docker.io/library/a-b.c_d__e---f:latest", "a-b.c_d__e---f:latest" },
                { "x:_t", "docker.io/library/x:_t", "x:_t" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_image_ref_ ImageRef r = {};
                _cleanup_free_ char *canonical = NULL, *familiar = NULL;

                assert_int_equal(image_ref_parse(cases[i].text, &r, NULL), 0);
                assert_int_equal(image_ref_default_tag(&r), 0);
                canonical = image_ref_canonical(&r);
                familiar = image_ref_familiar(&r);
                assert_string_equal(canonical, cases[i].canonical);
                assert_string_equal(familiar, cases[i].familiar);
        }
}

static void test_bad(void **state) {
        static const struct {
                const char *text, *error;
        } cases[] = {
                { "BAD_NAME!",
                  "invalid reference format: repository name (library/BAD_NAME!) must be lowercase" },
                { "BAD!", "invalid reference format: repository name (library/BAD!) must be lowercase" },
                { "a/B", "invalid reference format: repository name (a/B) must be lowercase" },
                { "", "invalid reference format" },
                { "x:", "invalid reference format" },
                { "x:-a", "invalid reference format" },
                { ":a", "invalid reference format" },
                { "x y", "invalid reference format" },
                { "-x", "invalid reference format" },
                { "x-", "invalid reference format" },
                { "a..b", "invalid reference format" },
                { "a___b", "invalid reference format" },
                { "a._b", "invalid reference format" },
                { "a//b", "invalid reference format" },
                { "a/", "invalid reference format" },
                { "/a", "invalid reference format" },
                { "../a", "invalid reference format" },
                { "r.example:port/x", "invalid reference format" },
                { "-r.example/x", "invalid reference format" },
                { "r..example/x", "invalid reference format" },
                { "[::1/x", "invalid reference format" },
                { "x@", "invalid reference format" },
                { "x@sha256:", "invalid reference format" },
                { "x@sha256:abc", "invalid checksum digest length" },
                { "x@sha512:" HEX64 HEX64, "unsupported digest algorithm" },
                { HEX64, "invalid repository name (" HEX64 "), cannot specify 64-byte hexadecimal strings" },
                { A50 "/" A50 "/" A50 "/" A50 "/" A50 "/" A50,
                  "repository name must not be more than 255 characters" },
                { "x:" A50 A50 A50, "invalid reference format" },
                { "x\n", "invalid reference format" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_free_ char *error = NULL;
                ImageRef r = {};

                assert_int_equal(image_ref_parse(cases[i].text, &r, &error), -EINVAL);
                assert_non_null(error);
                assert_string_equal(error, cases[i].error);
                assert_null(r.path);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_good), cmocka_unit_test(test_bad) };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
