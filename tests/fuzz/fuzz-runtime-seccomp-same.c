/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../unit/runtime/seccomp-verdict.h"
#include <stdio.h>
#include <stdlib.h>

#include "fuzz.h"
#include "runtime/error.h"

#define VALUES_MAX 24

/* What a comparison may decide on: each value of the profile and its neighbours. */
static size_t collect_values(json_object *profile, uint64_t values[VALUES_MAX]) {
        json_object *groups = NULL, *args = NULL;
        size_t n = 0;

        for (uint64_t v = 0; v < 3; v++)
                values[n++] = v;
        values[n++] = UINT64_MAX;
        (void) json_get_array(profile, "syscalls", &groups);
        for (size_t i = 0; groups && i < json_object_array_length(groups); i++) {
                if (json_get_array(json_object_array_get_idx(groups, i), "args", &args) <= 0)
                        continue;
                for (size_t k = 0; k < json_object_array_length(args) && n + 4 <= VALUES_MAX; k++) {
                        json_object *a = json_object_array_get_idx(args, k);
                        uint64_t value = json_object_get_uint64(json_get(a, "value")),
                                 two = json_object_get_uint64(json_get(a, "valueTwo"));

                        values[n++] = value;
                        values[n++] = value + 1;
                        values[n++] = value - 1;
                        values[n++] = two;
                }
        }
        return n;
}

/* libseccomp 2.5 loses a part of its tree where rules ask one argument twice and differ in the action. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) {
        return "leak:libseccomp.so\n";
}

/* The two ways to make a filter mean the same. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_seccomp_ SeccompFilter ours = {}, theirs = {};
        _cleanup_free_ char *text = malloc(size + 1);
        _cleanup_json_ json_object *o = NULL;
        uint64_t values[VALUES_MAX];
        VerdictDifference d;

        if (!text)
                return 0;
        memcpy(text, data, size);
        text[size] = 0;
        if (json_parse(text, size, &o) < 0 || !json_object_is_type(o, json_type_object))
                return 0;
        if (seccomp_compile(o, &ours) < 0 || seccomp_compile_reference(o, &theirs) < 0)
                return 0;
        if (seccomp_filters_differ(&ours, &theirs, values, collect_values(o, values), &d)) {
                (void) fprintf(stderr, "arch %#x nr %d args %#llx %#llx %#llx: %#x, libseccomp %#x\n",
                               d.data.arch, d.data.nr, (unsigned long long) d.data.args[0],
                               (unsigned long long) d.data.args[1], (unsigned long long) d.data.args[2], d.a,
                               d.b);
                abort();
        }
        return 0;
}
