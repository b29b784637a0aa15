/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../cmocka-prelude.h"

#include <stdio.h>

#include "basic/hashmap.h"

static void test_basic(void **state) {
        _cleanup_hashmap_ Hashmap *h = hashmap_new();
        int a, b;

        assert_null(hashmap_get(h, "a"));
        assert_null(hashmap_remove(h, "a"));
        assert_int_equal(hashmap_put(h, "a", &a), 0);
        assert_int_equal(hashmap_put(h, "a", &b), -EEXIST);
        assert_ptr_equal(hashmap_get(h, "a"), &a);
        assert_int_equal(hashmap_size(h), 1);
        assert_ptr_equal(hashmap_remove(h, "a"), &a);
        assert_int_equal(hashmap_size(h), 0);
        assert_null(hashmap_get(NULL, "a"));
        assert_int_equal(hashmap_size(NULL), 0);
}

#define N 5000

/* Against a plain array: a fixed pseudo-random sequence of puts and removals, all looked up now and then. */
static void test_model(void **state) {
        _cleanup_hashmap_ Hashmap *h = hashmap_new();
        static char keys[N][8];
        static bool in[N];
        uint32_t seed = 1;
        size_t size = 0;

        for (int i = 0; i < N; i++)
                (void) snprintf(keys[i], sizeof(keys[i]), "k%i", i);
        for (int step = 0; step < 200000; step++) {
                uint32_t k = (seed = seed * 1664525 + 1013904223) >> 8;
                size_t i = k % N;

                if ((k >> 20) % 3 == 0 && in[i]) {
                        assert_ptr_equal(hashmap_remove(h, keys[i]), &in[i]);
                        in[i] = false;
                        size--;
                } else {
                        assert_int_equal(hashmap_put(h, keys[i], &in[i]), in[i] ? -EEXIST : 0);
                        size += !in[i];
                        in[i] = true;
                }
                assert_int_equal(hashmap_size(h), size);
                if (step % 20000 == 0)
                        for (int n = 0; n < N; n++)
                                assert_ptr_equal(hashmap_get(h, keys[n]), in[n] ? &in[n] : NULL);
        }
}

static void test_iterate(void **state) {
        _cleanup_hashmap_ Hashmap *h = hashmap_new();
        size_t position = 0, n = 0;
        static char keys[100][8];
        const char *key;
        void *value;

        assert_false(hashmap_next(h, &position, NULL, NULL));
        for (int i = 0; i < 100; i++) {
                (void) snprintf(keys[i], sizeof(keys[i]), "%i", i);
                assert_int_equal(hashmap_put(h, keys[i], keys[i]), 0);
        }
        position = 0;
        while (hashmap_next(h, &position, &key, &value)) {
                assert_ptr_equal(key, value);
                n++;
        }
        assert_int_equal(n, 100);
}

int main(void) {
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_basic), cmocka_unit_test(test_model),
                                            cmocka_unit_test(test_iterate) };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
