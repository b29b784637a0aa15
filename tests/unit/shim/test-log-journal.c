/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../cmocka-prelude.h"

#include "shim/log-journal.h"

static void test_values_with_newlines(void **state) {
        static const char want[] = "A=plain\nB\n\x05\0\0\0\0\0\0\0x\nyz\x20\nC=\n";
        _cleanup_buffer_ Buffer b = BUFFER_INIT(1024);

        assert_int_equal(journal_put(&b, "A", "plain"), 0);
        assert_int_equal(journal_put(&b, "B", "x\nyz "), 0);
        assert_int_equal(journal_put(&b, "C", ""), 0);
        assert_int_equal(b.size, sizeof(want) - 1);
        assert_memory_equal(b.data, want, sizeof(want) - 1);
}

static void test_identity(void **state) {
        static const char id[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
        _cleanup_buffer_ Buffer b = BUFFER_INIT(4096);

        assert_int_equal(journal_put_identity(&b, id, "web", "", "nginx:1"), 0);
        assert_non_null(strstr(b.data, "CONTAINER_ID=0123456789ab\n"));
        assert_non_null(strstr(b.data, "CONTAINER_TAG=0123456789ab\n"));
        assert_non_null(strstr(b.data, "SYSLOG_IDENTIFIER=0123456789ab\n"));
        assert_non_null(strstr(b.data, "CONTAINER_NAME=web\n"));
        assert_non_null(strstr(b.data, "OBJECT_SYSTEMD_UNIT=berth-0123456789abcdef"));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_values_with_newlines),
                cmocka_unit_test(test_identity),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
