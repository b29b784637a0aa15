/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz.h"
#include "runtime/error.h"
#include "runtime/seccomp/seccomp-filter.h"

/* The rules of the kernel's seccomp_check_filter() and bpf_check_classic() that a generator can break. */
static void check_filter(const SeccompFilter *f) {
        assert(f->n > 0 && f->n <= BPF_MAXINSNS);
        assert(BPF_CLASS(f->code[f->n - 1].code) == BPF_RET);
        for (size_t i = 0; i < f->n; i++) {
                const struct sock_filter *c = &f->code[i];

                if (BPF_CLASS(c->code) == BPF_LD)
                        assert(c->k % 4 == 0 && c->k < 64);
                if (BPF_CLASS(c->code) != BPF_JMP)
                        continue;
                if (BPF_OP(c->code) == BPF_JA)
                        assert(c->k < f->n - i - 1);
                else
                        assert((size_t) c->jt < f->n - i - 1 && (size_t) c->jf < f->n - i - 1);
        }
}

/* libseccomp 2.5 loses a part of its tree where rules ask one argument twice and differ in the action. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) {
        return "leak:libseccomp.so\n";
}

/* linux.seccomp: refused with a message, or a filter the kernel takes. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_free_ char *text = malloc(size + 1);
        _cleanup_json_ json_object *o = NULL;
        _cleanup_seccomp_ SeccompFilter f = {};

        if (!text)
                return 0;
        memcpy(text, data, size);
        text[size] = 0;
        if (json_parse(text, size, &o) < 0 || !json_object_is_type(o, json_type_object))
                return 0;
        if (seccomp_compile(o, &f) < 0)
                assert(fail_message()[0]);
        else if (f.n > 0)
                check_filter(&f);
        return 0;
}
