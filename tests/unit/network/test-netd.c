/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../cmocka-prelude.h"

#include "../../../src/network/netd.h"

/* Requests that are answered without touching the kernel. */
static void ask(const char *text, Fields *ret) {
        _cleanup_buffer_ Buffer reply = BUFFER_INIT(FIELDS_TEXT_MAX);
        _cleanup_message_ Message m = MESSAGE_INIT;
        Netd d = NETD_INIT;
        int fd = -EBADF;

        assert_int_equal(fields_parse(text, strlen(text), '\n', &m.fields), 0);
        assert_true(netd_handle(&d, &m, &reply, &fd) >= 0);
        assert_int_equal(fd, -EBADF);
        assert_int_equal(fields_parse(reply.data, reply.size, '\n', ret), 0);
        assert_string_equal(fields_get(ret, "verb"), "reply");
}

static void expect_error(const char *text, int error, const char *word) {
        _cleanup_fields_ Fields f = {};
        uint64_t number;

        ask(text, &f);
        assert_int_equal(fields_get_u64(&f, "errno", 4096, &number), 0);
        assert_int_equal(number, error);
        assert_non_null(fields_get(&f, "message"));
        assert_non_null(strstr(fields_get(&f, "message"), word));
}

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void test_refusals_name_what_is_refused(void **state) {
        expect_error("verb=attach\nseq=1\ncontainer=" ID "\nnetwork=mynet\n", EOPNOTSUPP, "mynet");
        expect_error("verb=attach\nseq=1\ncontainer=" ID "\nnetwork=bridge\npublish=80:80\n", EOPNOTSUPP,
                     "publish");
        expect_error("verb=attach\nseq=1\ncontainer=" ID "\nip=172.17.0.5\n", EOPNOTSUPP, "ip");
        expect_error("verb=detach\nseq=1\ncontainer=" ID "\nforce=1\n", EOPNOTSUPP, "force");
        expect_error("verb=fly\nseq=1\n", EOPNOTSUPP, "fly");
        expect_error("seq=1\n", EOPNOTSUPP, "verb");
}

static void test_ids_are_checked(void **state) {
        expect_error("verb=attach\nseq=1\n", EINVAL, "container");
        expect_error("verb=attach\nseq=1\ncontainer=../../etc/passwd\n", EINVAL, "container");
        expect_error("verb=detach\nseq=1\ncontainer=" ID "0\n", EINVAL, "container");
        expect_error("verb=list\nseq=1\nafter=x\n", EINVAL, "after");
}

static void test_sequence_comes_back(void **state) {
        _cleanup_fields_ Fields f = {};

        ask("verb=detach\nseq=4711\ncontainer=" ID "\n", &f);
        assert_string_equal(fields_get(&f, "seq"), "4711");
        assert_string_equal(fields_get(&f, "errno"), "0");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_refusals_name_what_is_refused),
                cmocka_unit_test(test_ids_are_checked),
                cmocka_unit_test(test_sequence_comes_back),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
