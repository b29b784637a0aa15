/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <sys/types.h>

#include "config.h"
#include "loop.h"
#include "memory.h"
#include "process.h"
#include "stdio-set.h"

typedef struct Shim Shim;
typedef struct Exec Exec;
typedef struct Control Control;
typedef struct Waiter Waiter;

typedef enum ShimStatus {
        SHIM_STARTING, /* the helper is at work */
        SHIM_RUNNING,
        SHIM_PAUSED,
        SHIM_EXITING, /* the payload is gone, its output is being drained */
        SHIM_EXITED,  /* recorded; clients may still take their last bytes */
} ShimStatus;

/* The object behind one container: everything hangs on this. See shim.c for its life. */
struct Shim {
        char id[CONTAINER_ID_LENGTH + 1];
        char short_id[CONTAINER_SHORT_ID_LENGTH + 1];
        int dir_fd;
        int run_fd;
        Config config;
        History history;
        Loop loop;
        Memory *memory;
        int memory_fd;

        ShimStatus status;
        ExitStatus exit;
        bool oom;
        bool resumed;
        bool failed; /* the start failed: exit.code says how, fail_message why */
        char *fail_message;
        usec_t exited_at;

        Source signals;
        Source listener;
        Source payload; /* pidfd; watched only after a resume, children are reaped by SIGCHLD */
        int cgroup_fd;
        int mount_ns_fd; /* keeps the payload's mounts: taking them apart must not delay the news of its end
                          */
        Source cgroup_events;
        Source memory_events;
        StdioSet stdio;

        /* start */
        pid_t setup_pid;
        Source setup_report;
        int go_fd;
        bool created, go, started, host_shutdown;
        Timer go_timer;
        Source console;

        /* stop, exit */
        Timer stop_timer;
        Timer drain_timer;
        Timer restart_timer;
        Timer settle_timer;
        Timer trim_timer;
        uint64_t drain_ordinal; /* the journal's last at the last look */
        unsigned drain_stuck;   /* looks since it has taken anything */
        bool drain_over;
        bool will_restart;
        uint64_t restarts, restart_delay;
        pid_t delete_pid, remove_pid, shutdown_query_pid, scope_query_pid;
        char *trash;

        Source journal;
        bool journal_blocked;

        Exec *execs;
        Control *controls;
        Waiter *waiters;
};

int shim_new(const char *id, Shim **ret);
int shim_run(Shim *s);

void shim_check_go(Shim *s);
void shim_start_failed(Shim *s, int code, const char *message);
void shim_watch_memory(Shim *s);
void shim_payload_exited(Shim *s, ExitStatus status);
void shim_store_fds(Shim *s);
void shim_hold_mounts(Shim *s);
void shim_record_started(Shim *s);
int shim_watch_payload(Shim *s);

/* finish.c */
void shim_check_drained(Shim *s);
void shim_check_done(Shim *s);
void shim_arm_drain(Shim *s);
void shim_finish_again(Shim *s);
void shim_cancel_restart(Shim *s);
bool shim_on_finish_child(Shim *s, pid_t pid, int wait_status);

/* start.c */
int shim_spawn_setup(Shim *s);
int shim_prepare_stdio(Shim *s);
void shim_on_setup_ended(Shim *s, int wait_status);

/* resume.c */
int shim_resume(Shim *s, bool *ret_resumed);
