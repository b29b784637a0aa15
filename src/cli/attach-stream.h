/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "client.h"
#include "frame.h"
#include "terminal.h"

#define SESSION_CONTROLS 8
#define SESSION_SIGNALS 16

/* One attached stream, and what goes with it until the process behind it has ended. See attach-stream.c. */
typedef struct Session {
        Client *client;
        Connection stream; /* upgraded */
        Connection wait;   /* head read; fd < 0: nobody tells the exit code */
        HttpHead wait_head;
        Connection start; /* request sent, answer to come; fd < 0: runs already */
        bool framed;
        bool with_stdin;
        bool tty;
        const char *detach_keys;
        const char *kill_target;   /* signals are forwarded here; NULL: they end this program */
        const char *resize_target; /* NULL: no terminal to follow */
        const char *wait_again;    /* target that tells the exit code if the first wait breaks off */
        const char *inspect;       /* target that tells whether the container still runs */

        /* Results. */
        bool start_failed;
        bool detached;
        int stdout_error; /* errno of a failed write; EPIPE: the reader left */
        int died_of;   /* a signal that asked this program to end */
        int exit_code; /* -1: unknown */

        /* Internal. */
        FrameDecoder decoder;
        Buffer out;
        size_t out_written;
        int out_fd;
        Buffer in;
        bool stdin_open;
        bool stream_open;
        bool write_open;
        bool asked;  /* the second wait was sent */
        bool looked; /* whether the container still runs */
        int signal_fd;
        int controls[SESSION_CONTROLS];
        int signals[SESSION_SIGNALS];
        size_t n_signals;
        unsigned n_interrupts;
        Terminal terminal;
        DetachKeys keys;
} Session;

void session_init(Session *s, Client *c);
void session_done(Session *s);
#define _cleanup_session_ _cleanup_(session_done)

int session_stream_head(Session *s);
int session_run(Session *s);
