/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <sys/types.h>

#include "../basic/macro.h"
#include "../shared/paths.h"

/*
 * What a shim must still know after kill -9: a memfd that lives in systemd's fd store and is mapped, so
 * keeping it up to date costs a store instruction. Holes stay holes: an idle container touches one page of
 * it.
 */
#define MEMORY_MAGIC 0x6d696873626572ULL
#define MEMORY_VERSION 2
#define EXECS_MAX 64
#define CLIENTS_MAX 128
#define EXEC_ID_MAX 64

typedef enum FdRole {
        FD_ROLE_IN,
        FD_ROLE_OUT,
        FD_ROLE_ERR,
        FD_ROLE_LISTENER,
        _FD_ROLE_MAX,
        /* Found by what they are, not by inode. */
        FD_ROLE_PTY,
        FD_ROLE_PIDFD,
        FD_ROLE_MEMORY,
        _FD_ROLE_INVALID = -EINVAL,
} FdRole;

typedef struct FdIdentity {
        uint64_t device;
        uint64_t inode;
} FdIdentity;

typedef struct StreamMemory {
        uint64_t position; /* see stream_* below */
        uint32_t partial;  /* pieces of the current line that are out already */
        char partial_id[33];
        bool closed;
} StreamMemory;

typedef struct ExecMemory {
        char id[EXEC_ID_MAX + 1];
        bool used;
        bool tty;
        int32_t pid;
        FdIdentity fds[3];
} ExecMemory;

typedef enum ClientFlags {
        CLIENT_STDIN = 1 << 0,
        CLIENT_STDOUT = 1 << 1,
        CLIENT_STDERR = 1 << 2,
        CLIENT_MUX = 1 << 3,
        CLIENT_INPUT_ENDED = 1 << 4,
        CLIENT_PENDING = 1 << 5, /* bytes for it were only in the dead shim's memory */
} ClientFlags;

typedef struct ClientMemory {
        bool used;
        bool waiter;
        uint8_t condition;
        int16_t exec; /* slot of the exec it belongs to, -1: the container */
        uint32_t flags;
        uint8_t n_keys;
        uint8_t keys[16];
} ClientMemory;

typedef struct Memory {
        uint64_t magic;
        uint32_t version;
        int32_t pid;
        uint8_t status;
        bool stop_wanted;
        bool no_restart;
        bool input_closed;
        bool finished; /* all was done: what is in the fd store is of the run before */
        bool exit_known;
        bool oom;
        int32_t exit_code, exit_signal;
        uint64_t started_at;
        uint64_t epoch;
        uint64_t ordinal; /* of the last entry that went to the journal */
        uint32_t height, width;
        char cgroup[256];
        char name[256];
        FdIdentity fds[_FD_ROLE_MAX];
        struct {
                uint64_t position;
                uint64_t ordinal;
                uint32_t partial;
                uint8_t stream;
                bool valid;
        } commit;
        StreamMemory streams[2];
        ExecMemory execs[EXECS_MAX];
        ClientMemory clients[CLIENTS_MAX];
        /* New fields go to the end, where the memory of an older shim has zeros. */
        uint64_t stop_deadline; /* CLOCK_MONOTONIC, 0: nobody stops it */
        uint64_t exited_at;     /* its end was seen, and exit_* and oom say how; 0: not yet */
        bool restart_decided, will_restart;
        uint64_t restarts, restart_delay;
} Memory;

#define MEMORY_HEAD_SIZE (64 * 1024)
#define STREAM_BUFFER_SIZE (64 * 1024)
#define MEMORY_SIZE (MEMORY_HEAD_SIZE + 2 * STREAM_BUFFER_SIZE)

int memory_new(Memory **ret, int *ret_fd);
int memory_map(int fd, Memory **ret);
void memory_trim(int fd);

/* A stream's bytes between read() and the journal. */
char *stream_memory_data(Memory *m, unsigned stream, size_t *ret_size);
char *stream_memory_begin_read(Memory *m, unsigned stream, size_t *ret_room);
void stream_memory_end_read(Memory *m, unsigned stream, size_t size);
void stream_memory_commit(Memory *m, unsigned stream, size_t size, unsigned partial, unsigned entries);
void stream_memory_recover(Memory *m);
