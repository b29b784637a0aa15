/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../cmocka-prelude.h"

#include "runtime/cgroup/device-filter.h"

/*
 * A tiny interpreter of the instructions the filter uses: what the program decides is what counts, not how
 * it looks.
 */
static int decide(const struct bpf_insn *code, size_t n, uint32_t type, uint32_t access, uint32_t major,
                  uint32_t minor) {
        uint32_t context[3] = { type | access << 16, major, minor };
        uint64_t reg[11] = {};

        for (size_t pc = 0, steps = 0; pc < n && steps < 10000; pc++, steps++) {
                const struct bpf_insn *i = &code[pc];
                uint64_t operand = (i->code & BPF_X) ? reg[i->src_reg] : (uint64_t) (uint32_t) i->imm;

                switch (i->code & ~BPF_X) {
                case BPF_LDX | BPF_MEM | BPF_W:
                        reg[i->dst_reg] = context[i->off / 4];
                        break;
                case BPF_ALU | BPF_MOV:
                case BPF_ALU64 | BPF_MOV:
                        reg[i->dst_reg] = operand;
                        break;
                case BPF_ALU | BPF_AND:
                        reg[i->dst_reg] &= operand;
                        break;
                case BPF_ALU | BPF_RSH:
                        reg[i->dst_reg] >>= operand;
                        break;
                case BPF_JMP | BPF_JNE:
                        pc += reg[i->dst_reg] != operand ? (size_t) i->off : 0;
                        break;
                case BPF_JMP | BPF_JEQ:
                        pc += reg[i->dst_reg] == operand ? (size_t) i->off : 0;
                        break;
                case BPF_JMP | BPF_EXIT:
                        return (int) reg[0];
                default:
                        fail_msg("instruction %zu: unknown code %#x", pc, i->code);
                }
        }
        fail_msg("the program does not end");
        return -1;
}

typedef struct Filter {
        struct bpf_insn code[DEVICE_FILTER_MAX];
        size_t n;
} Filter;

static int build(const char *text, Filter *f) {
        json_object *rules = NULL;
        int r;

        assert_int_equal(json_parse(text, strlen(text), &rules), 0);
        r = device_filter_build(rules, json_object_array_length(rules), f->code, &f->n);
        json_object_put(rules);
        return r;
}

enum { C = BPF_DEVCG_DEV_CHAR, B = BPF_DEVCG_DEV_BLOCK };
enum { M = BPF_DEVCG_ACC_MKNOD, R = BPF_DEVCG_ACC_READ, W = BPF_DEVCG_ACC_WRITE };

static void test_default_is_deny(void **state) {
        static Filter f;

        assert_int_equal(build("[{\"allow\":false,\"access\":\"rwm\"}]", &f), 1);
        assert_int_equal(decide(f.code, f.n, C, R | W, 1, 3), 1);
        assert_int_equal(decide(f.code, f.n, C, R | W, 136, 9), 1);
        assert_int_equal(decide(f.code, f.n, C, M, 99, 9), 1);
        assert_int_equal(decide(f.code, f.n, C, M | R, 99, 9), 0);
        assert_int_equal(decide(f.code, f.n, B, R, 8, 0), 0);
        assert_int_equal(decide(f.code, f.n, B, R, 1, 3), 0);
}

static void test_last_match_wins(void **state) {
        static Filter f;

        assert_int_equal(
                        build("[{\"allow\":false},{\"allow\":true,\"type\":\"b\",\"major\":8,\"access\":\"r\"},"
                              "{\"allow\":false,\"type\":\"b\",\"major\":8,\"minor\":1,\"access\":\"rwm\"}]",
                              &f),
                        1);
        assert_int_equal(decide(f.code, f.n, B, R, 8, 0), 1);
        assert_int_equal(decide(f.code, f.n, B, R | W, 8, 0), 0);
        assert_int_equal(decide(f.code, f.n, B, R, 8, 1), 0);
        assert_int_equal(decide(f.code, f.n, C, R, 8, 0), 0);
        assert_int_equal(
                        build("[{\"allow\":true},{\"allow\":false,\"type\":\"c\",\"major\":10,\"minor\":229,\"access\":\"w\"}]",
                              &f),
                        1);
        assert_int_equal(decide(f.code, f.n, C, R, 10, 229), 1);
        assert_int_equal(decide(f.code, f.n, C, R | W, 10, 229), 0);
        assert_int_equal(decide(f.code, f.n, B, R | W, 8, 0), 1);
}

static void test_each_access_has_its_own_last_rule(void **state) {
        static Filter f;

        assert_int_equal(
                        build("[{\"allow\":false},{\"allow\":true,\"type\":\"c\",\"major\":10,\"minor\":9,\"access\":\"r\"},"
                              "{\"allow\":true,\"type\":\"c\",\"major\":10,\"minor\":9,\"access\":\"w\"},"
                              "{\"allow\":true,\"type\":\"c\",\"major\":11,\"access\":\"rw\"},"
                              "{\"allow\":false,\"type\":\"c\",\"major\":11,\"minor\":5,\"access\":\"wa\"}]",
                              &f),
                        1);
        assert_int_equal(decide(f.code, f.n, C, R | W, 10, 9), 1);
        assert_int_equal(decide(f.code, f.n, C, R | W | M, 10, 9), 1);
        assert_int_equal(decide(f.code, f.n, C, R | W, 10, 8), 0);
        assert_int_equal(decide(f.code, f.n, C, R, 11, 5), 1);
        assert_int_equal(decide(f.code, f.n, C, R | W, 11, 5), 0);
        assert_int_equal(decide(f.code, f.n, C, R | W, 11, 6), 1);
        assert_int_equal(decide(f.code, f.n, B, R, 11, 6), 0);
}

static void test_allow_all_needs_no_program(void **state) {
        static Filter f;

        assert_int_equal(build("[{\"allow\":false},{\"allow\":true,\"type\":\"a\",\"access\":\"rwm\"}]", &f),
                         0);
}

static void test_bad_rules(void **state) {
        static Filter f;

        assert_int_equal(build("[{\"allow\":true,\"type\":\"x\"}]", &f), -EINVAL);
        assert_int_equal(build("[{\"allow\":true,\"type\":\"c\",\"access\":\"q\"}]", &f), -EINVAL);
        assert_int_equal(build("[{\"allow\":true,\"type\":\"c\",\"major\":\"1\"}]", &f), -EINVAL);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_default_is_deny),
                cmocka_unit_test(test_last_match_wins),
                cmocka_unit_test(test_each_access_has_its_own_last_rule),
                cmocka_unit_test(test_allow_all_needs_no_program),
                cmocka_unit_test(test_bad_rules),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
