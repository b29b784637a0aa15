/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "attach-stream.h"

/* What run, start -a and attach share: a session on a container, and the exit status it leads to. */
typedef struct ContainerSession {
        Session session;
        char *kill_target;
        char *resize_target;
        char *wait_target;
        char *inspect_target;
        char *start_target;
} ContainerSession;

typedef struct AttachSettings {
        bool with_stdin;
        bool with_stdout;
        bool with_stderr;
        bool tty;
        bool sig_proxy;
        bool start; /* start it once attach and wait are armed */
        const char *detach_keys;
        const char *wait_condition;
} AttachSettings;

void container_session_init(ContainerSession *s, Client *c);
void container_session_done(ContainerSession *s);
#define _cleanup_container_session_ _cleanup_(container_session_done)

int container_session_connect(ContainerSession *s);
int container_session_run(ContainerSession *s, const char *id, const AttachSettings *settings);
int exit_status_of_start_error(const char *message);
int session_exit_status(const Session *s);
