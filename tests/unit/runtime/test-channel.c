/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../cmocka-prelude.h"

#include <unistd.h>

#include "runtime/channel.h"
#include "runtime/error.h"

/* The kernel tells first that our message was not read, and has the peer's last words only then. */
static void test_last_words(void **state) {
        char text[CHANNEL_TEXT_MAX] = "";
        int ends[2];

        assert_int_equal(channel_pair(ends), 0);
        assert_int_equal(channel_send(ends[0], CHANNEL_SAVED, NULL), 0);
        assert_int_equal(channel_send(ends[1], CHANNEL_ERROR, "mount on /x"), 0);
        (void) close(ends[1]);
        assert_int_equal(channel_receive(ends[0], text), CHANNEL_ERROR);
        assert_string_equal(text, "mount on /x");
        assert_int_equal(channel_receive(ends[0], text), CHANNEL_EOF);
        assert_int_equal(channel_send(ends[0], CHANNEL_SAVED, NULL), -EPIPE);
        (void) close(ends[0]);
}

static void test_silent_end(void **state) {
        char text[CHANNEL_TEXT_MAX] = "";
        int ends[2];

        assert_int_equal(channel_pair(ends), 0);
        assert_int_equal(channel_send(ends[0], CHANNEL_SAVED, NULL), 0);
        (void) close(ends[1]);
        assert_int_equal(channel_receive(ends[0], text), CHANNEL_EOF);
        assert_int_equal(channel_expect(ends[0], CHANNEL_READY), -EPIPE);
        assert_non_null(strstr(fail_message(), "ended unexpectedly"));
        (void) close(ends[0]);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_last_words),
                cmocka_unit_test(test_silent_end),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
