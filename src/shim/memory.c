/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "memory.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../basic/fd.h"

/*
 * Output is read from the payload's pipe straight into this memory, so a killed shim loses none of it.
 * `position` packs start, end and a "read is under way" bit, and is stored in one instruction. Invariant:
 * every byte behind `end` is zero. A shim killed between the kernel's copy and the store of the new end
 * therefore finds what had arrived: it ends with the last byte that is not zero (a NUL that was the very
 * last byte read in that instant is the one thing that can be lost).
 */
#define POSITION_READING (1ULL << 63)
#define POSITION(start, end) ((uint64_t) (start) | (uint64_t) (end) << 24)

static size_t position_start(uint64_t p) {
        return (size_t) (p & 0xffffff);
}

static size_t position_end(uint64_t p) {
        return (size_t) (p >> 24 & 0xffffff);
}

static char *stream_buffer(Memory *m, unsigned stream) {
        return (char *) m + MEMORY_HEAD_SIZE + stream * STREAM_BUFFER_SIZE;
}

static void set_position(Memory *m, unsigned stream, uint64_t p) {
        __atomic_store_n(&m->streams[stream].position, p, __ATOMIC_RELEASE);
}

/** memory_map - map an existing memory. Return: 0, -EBADMSG if it is something else, -errno. */
int memory_map(int fd, Memory **ret) {
        struct stat st;
        Memory *m;

        if (fstat(fd, &st) < 0)
                return negative_errno();
        if (!S_ISREG(st.st_mode) || st.st_size != MEMORY_SIZE)
                return -EBADMSG;
        m = mmap(NULL, MEMORY_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (m == MAP_FAILED)
                return negative_errno();
        if (m->magic != MEMORY_MAGIC || m->version != MEMORY_VERSION) {
                (void) munmap(m, MEMORY_SIZE);
                return -EBADMSG;
        }
        *ret = m;
        return 0;
}

/** memory_new - make an empty one. Return: 0 or -errno. */
int memory_new(Memory **ret, int *ret_fd) {
        _cleanup_close_ int fd = memfd_create("berth-shim", MFD_CLOEXEC);
        Memory head = { .magic = MEMORY_MAGIC, .version = MEMORY_VERSION };
        int r;

        _Static_assert(sizeof(Memory) <= MEMORY_HEAD_SIZE, "head too large");
        if (fd < 0 || ftruncate(fd, MEMORY_SIZE) < 0)
                return negative_errno();
        if (pwrite(fd, &head, offsetof(Memory, pid), 0) < 0)
                return negative_errno();
        r = memory_map(fd, ret);
        if (r < 0)
                return r;
        *ret_fd = TAKE_FD(fd);
        return 0;
}

/** memory_trim - give the pages of empty stream buffers back; only for streams without unread bytes. */
void memory_trim(int fd) {
        (void) fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, MEMORY_HEAD_SIZE,
                         2 * STREAM_BUFFER_SIZE);
}

/** stream_memory_data - the bytes that the journal has not got yet. */
char *stream_memory_data(Memory *m, unsigned stream, size_t *ret_size) {
        uint64_t p = m->streams[stream].position;

        *ret_size = position_end(p) - position_start(p);
        return stream_buffer(m, stream) + position_start(p);
}

static void compact(Memory *m, unsigned stream) {
        char *b = stream_buffer(m, stream);
        uint64_t p = m->streams[stream].position;
        size_t start = position_start(p), end = position_end(p), n = end - start;

        /* Source and target must not overlap: until the position is stored, the old bytes are the valid
         * ones. */
        if (end == 0 || n > start)
                return;
        memcpy(b, b + start, n);
        set_position(m, stream, POSITION(0, n));
        memset(b + n, 0, end - n);
}

/**
 * stream_memory_begin_read - where to read into. @ret_room is 0 when the journal must take something first.
 *
 * stream_memory_end_read() has to follow with what came (0 for nothing).
 */
char *stream_memory_begin_read(Memory *m, unsigned stream, size_t *ret_room) {
        uint64_t p;

        if (position_end(m->streams[stream].position) > STREAM_BUFFER_SIZE / 2 ||
            position_start(m->streams[stream].position) == position_end(m->streams[stream].position))
                compact(m, stream);
        p = m->streams[stream].position;
        *ret_room = STREAM_BUFFER_SIZE - position_end(p);
        set_position(m, stream, p | POSITION_READING);
        return stream_buffer(m, stream) + position_end(p);
}

/** stream_memory_end_read - @size bytes were read to where begin_read pointed. */
void stream_memory_end_read(Memory *m, unsigned stream, size_t size) {
        uint64_t p = m->streams[stream].position & ~POSITION_READING;

        set_position(m, stream, POSITION(position_start(p), position_end(p) + size));
}

static void apply_commit(Memory *m) {
        set_position(m, m->commit.stream, m->commit.position);
        m->streams[m->commit.stream].partial = m->commit.partial;
        m->ordinal = m->commit.ordinal;
        __atomic_store_n(&m->commit.valid, false, __ATOMIC_RELEASE);
}

/**
 * stream_memory_commit - the first @size unread bytes are in the journal, as @entries entries.
 *
 * The new values are written down as absolutes first, so a killed shim's successor can finish the step.
 */
void stream_memory_commit(Memory *m, unsigned stream, size_t size, unsigned partial, unsigned entries) {
        uint64_t p = m->streams[stream].position;

        assert(size <= position_end(p) - position_start(p));
        m->commit.position = POSITION(position_start(p) + size, position_end(p));
        m->commit.ordinal = m->ordinal + entries;
        m->commit.partial = partial;
        m->commit.stream = (uint8_t) stream;
        __atomic_store_n(&m->commit.valid, true, __ATOMIC_RELEASE);
        apply_commit(m);
}

/** stream_memory_recover - after a kill: count in what a read() had delivered, see the head of this file. */
void stream_memory_recover(Memory *m) {
        if (m->commit.valid)
                apply_commit(m);
        for (unsigned i = 0; i < 2; i++) {
                uint64_t p = m->streams[i].position;
                size_t end = position_end(p), last = STREAM_BUFFER_SIZE;
                char *b = stream_buffer(m, i);

                if (!(p & POSITION_READING)) {
                        memset(b + end, 0, STREAM_BUFFER_SIZE - end);
                        continue;
                }
                while (last > end && b[last - 1] == 0)
                        last--;
                set_position(m, i, POSITION(position_start(p), last));
        }
}
