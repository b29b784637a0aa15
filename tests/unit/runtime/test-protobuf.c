/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "../../../src/runtime/checkpoint/criu-message.h"
#include "../../../src/runtime/checkpoint/image-dir.h"
#include "../../../src/runtime/checkpoint/image-label.h"
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

#define PARSE(_bytes, _ret) criu_response_parse(_bytes, sizeof(_bytes) - 1, _ret)

static void test_answers_of_criu(void **state) {
        static const char long_event[] = "\x08\x06\x2a\x52\x0a\x50"
                                         "0123456789012345678901234567890123456789"
                                         "0123456789012345678901234567890123456789";
        CriuResponse a;

        assert_int_equal(PARSE("\x08\x02\x10\x01\x22\x03\x08\x91\x4e", &a), 0);
        assert_true(a.type == 2 && a.success && a.pid == 10001 && !a.event[0]);
        assert_int_equal(PARSE("\x08\x06\x2a\x07\x0a\x03"
                               "abc\x10\x05",
                               &a),
                         0);
        assert_true(a.type == CRIU_TYPE_NOTIFY && a.pid == 5);
        assert_string_equal(a.event, "abc");
        assert_int_equal(PARSE(long_event, &a), 0);
        assert_int_equal(strlen(a.event), CRIU_EVENT_MAX - 1);
        /* -1, 2^31, 2^64 - 1: nobody to signal. */
        assert_int_equal(PARSE("\x22\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", &a), 0);
        assert_int_equal(a.pid, 0);
        assert_int_equal(PARSE("\x22\x06\x08\x80\x80\x80\x80\x08", &a), 0);
        assert_int_equal(a.pid, 0);
        /* Broken inside, and a known field of another kind. */
        assert_int_equal(PARSE("\x22\x02\x08\x80", &a), -EBADMSG);
        assert_int_equal(PARSE("\x0a\x01\x07\x20\x03", &a), 0);
        assert_true(a.type == 0 && a.pid == 0);
}

static void test_versions_of_criu(void **state) {
        CriuResponse a;

        assert_int_equal(PARSE("\x08\x0a\x10\x01\x52\x06\x08\x04\x10\x01\x20\x01", &a), 0);
        assert_int_equal(a.version, CRIU_VERSION_OF(4, 1, 1));
        assert_int_equal(PARSE("\x52\x04\x08\x03\x10\x0b", &a), 0);
        assert_int_equal(a.version, CRIU_VERSION_OF(3, 11, 0));
        /* Made from between two releases. */
        assert_int_equal(PARSE("\x52\x07\x08\x03\x10\x12\x1a\x01g", &a), 0);
        assert_int_equal(a.version, CRIU_VERSION_OF(3, 19, 0));
        assert_int_equal(PARSE("\x52\x05\x08\x03\x10\xe8\x07", &a), -EBADMSG);
}

static void test_names_of_descriptors(void **state) {
        static const char *const bad[] = { "",
                                           "{}",
                                           "[]",
                                           "[\"\",\"\"]",
                                           "[\"\",\"\",\"\",\"\"]",
                                           "[\"\",\"\",7]",
                                           "[\"\",null,\"\"]",
                                           "[\"\",\"\",[\"pipe:[1]\"]]",
                                           "[\"pipe:[1\\u0000]\",\"\",\"\"]" };
        static const char good[] = "[\"/dev/null\",\"pipe:[5]\",\"file[1f:2]\"]";
        _cleanup_stdio_names_ StdioNames n = {};

        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                assert_int_equal(stdio_names_parse(bad[i], strlen(bad[i]), &n), -EBADMSG);
        assert_int_equal(stdio_names_parse(good, strlen(good), &n), 0);
        assert_null(n.names[0]);
        assert_string_equal(n.names[1], "pipe:[5]");
        assert_string_equal(n.names[2], "file[1f:2]");
}

static void test_inventory(void **state) {
        static const char head[] = "\x16\x31\x31\x58\x04\0\0\0";

        /* Version 2; module 1 or 2; a field of bytes with the number of the module. */
        assert_int_equal(inventory_module("\x16\x31\x31\x58\x04\0\0\0\x08\x02\x30\x01", 12), 1);
        assert_int_equal(inventory_module("\x16\x31\x31\x58\x04\0\0\0\x30\x02\x08\x02", 12), 2);
        assert_int_equal(inventory_module("\x16\x31\x31\x58\x03\0\0\0\x32\x01\x01", 11), 0);
        assert_int_equal(inventory_module("\x16\x31\x31\x58\x03\0\0\0\x30\xff\x7f", 11), -EBADMSG);
        assert_int_equal(inventory_module("\x16\x31\x31\x58\x01\0\0\0\x30", 9), -EBADMSG);
        assert_int_equal(inventory_module(head, 8), 0);
        assert_int_equal(inventory_module(head, 7), -EBADMSG);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_bytes_on_the_wire),
                cmocka_unit_test(test_round_trip),
                cmocka_unit_test(test_broken_messages),
                cmocka_unit_test(test_answers_of_criu),
                cmocka_unit_test(test_versions_of_criu),
                cmocka_unit_test(test_names_of_descriptors),
                cmocka_unit_test(test_inventory),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
