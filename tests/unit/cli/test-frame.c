/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../cmocka-prelude.h"
#include "basic/buffer.h"
#include "cli/frame.h"

static const char input[] = "\1\0\0\0\0\0\0\5hello\2\0\0\0\0\0\0\3err\1\0\0\0\0\0\0\0\1\0\0\0\0\0\0\1x";

/* Whatever the pieces, the same bytes come out on the same streams. */
static void test_all_splits(void **state) {
        for (size_t piece = 1; piece < sizeof(input); piece++) {
                _cleanup_buffer_ Buffer out = BUFFER_INIT(64), err = BUFFER_INIT(64);
                FrameDecoder d = {};

                for (size_t at = 0; at < sizeof(input) - 1;) {
                        size_t have = MIN(piece, sizeof(input) - 1 - at), consumed, n;
                        const char *payload;

                        assert_int_equal(frame_decode(&d, input + at, have, &consumed, &payload, &n), 0);
                        assert_true(consumed > 0 && consumed <= have && n <= consumed);
                        assert_int_equal(buffer_append(d.stream == FRAME_STDERR ? &err : &out, payload, n),
                                         0);
                        at += consumed;
                }
                assert_string_equal(out.data, "hellox");
                assert_string_equal(err.data, "err");
                assert_int_equal(d.remaining, 0);
        }
}

static void test_large_length(void **state) {
        FrameDecoder d = {};
        const char *payload;
        size_t consumed, n;

        assert_int_equal(frame_decode(&d, "\1\0\0\0\xff\xff\xff\xff", 8, &consumed, &payload, &n), 0);
        assert_int_equal(consumed, 8);
        assert_int_equal(n, 0);
        assert_int_equal(d.remaining, UINT32_MAX);
}

static void test_bad_heads(void **state) {
        const char *payload;
        size_t consumed, n;

        for (size_t i = 0; i < 4; i++) {
                FrameDecoder d = {};
                char head[8] = { 1 };

                head[i] = 4;
                assert_int_equal(frame_decode(&d, head, 8, &consumed, &payload, &n), -EBADMSG);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_all_splits),
                cmocka_unit_test(test_large_length),
                cmocka_unit_test(test_bad_heads),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
