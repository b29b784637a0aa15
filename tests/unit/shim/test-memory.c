/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../cmocka-prelude.h"

#include <sys/mman.h>

#include "basic/fd.h"
#include "shim/memory.h"

static void put(Memory *m, unsigned stream, const char *text) {
        size_t room;
        char *p = stream_memory_begin_read(m, stream, &room);

        assert_true(room >= strlen(text));
        memcpy(p, text, strlen(text));
        stream_memory_end_read(m, stream, strlen(text));
}

static void test_resume_between_read_and_count(void **state) {
        _cleanup_close_ int fd = -EBADF;
        Memory *m, *again;
        size_t n, room;
        char *p;

        assert_int_equal(memory_new(&m, &fd), 0);
        put(m, 0, "counted\n");
        p = stream_memory_begin_read(m, 0, &room);
        memcpy(p, "not yet", 7); /* the kernel has copied, then comes the kill */
        assert_int_equal(memory_map(fd, &again), 0);
        stream_memory_recover(again);
        p = stream_memory_data(again, 0, &n);
        assert_int_equal(n, 15);
        assert_memory_equal(p, "counted\nnot yet", 15);
        (void) stream_memory_data(again, 1, &n);
        assert_int_equal(n, 0);
        (void) munmap(m, MEMORY_SIZE);
        (void) munmap(again, MEMORY_SIZE);
}

static void test_half_a_commit_is_finished(void **state) {
        _cleanup_close_ int fd = -EBADF;
        uint64_t before;
        Memory *m;
        size_t n;

        assert_int_equal(memory_new(&m, &fd), 0);
        put(m, 1, "a\nb\nc");
        before = m->streams[1].position;
        stream_memory_commit(m, 1, 4, 0, 2);
        assert_int_equal(m->ordinal, 2);
        /* As if the kill had come right after the intention was stored. */
        m->streams[1].position = before;
        m->ordinal = 0;
        m->commit.valid = true;
        stream_memory_recover(m);
        assert_int_equal(m->ordinal, 2);
        assert_memory_equal(stream_memory_data(m, 1, &n), "c", 1);
        assert_int_equal(n, 1);
        (void) munmap(m, MEMORY_SIZE);
}

static void test_many_rounds(void **state) {
        _cleanup_close_ int fd = -EBADF;
        char piece[4096], want = 0, next = 0;
        Memory *m;

        assert_int_equal(memory_new(&m, &fd), 0);
        for (unsigned i = 0; i < 500; i++) {
                size_t room, n, take;
                char *p = stream_memory_begin_read(m, 0, &room);

                assert_true(room >= sizeof(piece));
                for (size_t k = 0; k < sizeof(piece); k++)
                        p[k] = next++ | 1;
                stream_memory_end_read(m, 0, sizeof(piece));
                p = stream_memory_data(m, 0, &n);
                take = n > 9000 ? n - i % 7000 : 0;
                for (size_t k = 0; k < take; k++)
                        assert_int_equal(p[k], (char) (want++ | 1));
                if (take > 0)
                        stream_memory_commit(m, 0, take, 0, 1);
        }
        (void) munmap(m, MEMORY_SIZE);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_resume_between_read_and_count),
                cmocka_unit_test(test_half_a_commit_is_finished),
                cmocka_unit_test(test_many_rounds),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
