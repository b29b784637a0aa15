/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <sys/epoll.h>

#include "../basic/macro.h"

/* A raw epoll loop: the resident shim cannot afford a library's pages. */
typedef struct Loop Loop;
typedef struct Source Source;
typedef struct Timer Timer;
typedef void (*SourceCallback)(Source *s, uint32_t revents);
typedef void (*TimerCallback)(Timer *t);

struct Source {
        int fd; /* borrowed: the owner closes it after source_remove() */
        uint32_t events;
        SourceCallback callback;
};

struct Timer {
        Timer *next;
        usec_t at;
        TimerCallback callback;
        bool armed;
};

struct Loop {
        int epoll_fd;
        Timer *timers;
        bool done;
};

#define SOURCE_INIT ((Source){ .fd = -EBADF })

int loop_init(Loop *l);
int loop_run(Loop *l);

int source_watch(Loop *l, Source *s, uint32_t events);
void source_close(Loop *l, Source *s);

void timer_arm(Loop *l, Timer *t, usec_t delay, TimerCallback callback);
void timer_disarm(Loop *l, Timer *t);
