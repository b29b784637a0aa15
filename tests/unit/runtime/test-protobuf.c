/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "../../../src/runtime/checkpoint/protobuf.h"

static void test_bytes_on_the_wire(void **state) {
        static const char expected[] = "\x08\x96\x01\x12\x03"
                                       "abc\xc8\x01\x01";
        _cleanup_buffer_ Buffer b = BUFFER_INIT(1024);

        assert_int_equal(pb_add_number(&b, 1, 150), 0);
        assert_int_equal(pb_add_text(&b, 2, "abc"), 0);
        assert_int_equal(pb_add_number(&b, 25, 1), 0);
        assert_int_equal(b.size, sizeof(expected) - 1);
        assert_memory_equal(b.data, expected, b.size);
}

static void test_round_trip(void **state) {
        _cleanup_buffer_ Buffer b = BUFFER_INIT(1024);
        PbReader r;
        PbField f;

        assert_int_equal(pb_add_number(&b, 536870911, UINT64_MAX), 0);
        assert_int_equal(pb_add_bytes(&b, 3, NULL, 0), 0);
        r = (PbReader) { b.data, b.data + b.size };
        assert_int_equal(pb_next(&r, &f), 1);
        assert_int_equal(f.number, 536870911);
        assert_true(f.value == UINT64_MAX && !f.data);
        assert_int_equal(pb_next(&r, &f), 1);
        assert_true(f.number == 3 && f.data && f.size == 0);
        assert_int_equal(pb_next(&r, &f), 0);
}

/* Whatever comes, the reader stays inside and ends. */
static void test_broken_messages(void **state) {
        static const struct {
                const char *data;
                size_t size;
        } broken[] = {
                { "\x08", 1 },                                          /* a number without its value */
                { "\x80", 1 },                                          /* a key cut off */
                { "\x12\x04xyz", 5 },                                   /* fewer bytes than told */
                { "\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11 }, /* a length of 2^64 - 1 */
                { "\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80", 12 },
                { "\x00\x01", 2 }, /* field 0 */
                { "\x0b", 1 },     /* a group */
                { "\x09\x01", 2 },
        };

        for (size_t i = 0; i < ELEMENTSOF(broken); i++) {
                PbReader r = { broken[i].data, broken[i].data + broken[i].size };
                PbField f;

                assert_int_equal(pb_next(&r, &f), -EBADMSG);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_bytes_on_the_wire),
                cmocka_unit_test(test_round_trip),
                cmocka_unit_test(test_broken_messages),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
