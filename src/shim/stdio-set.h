/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "loop.h"

struct Shim;
struct Exec;
struct Client;
struct StdioSet;

typedef struct Stream {
        Source source;
        struct StdioSet *set;
        unsigned index; /* 0 stdout (or the terminal), 1 stderr */
        bool closed;
} Stream;

/* The three ends of one process's stdio that we hold, and the clients attached to them. */
typedef struct StdioSet {
        struct Shim *shim;
        struct Exec *exec; /* NULL: the container's own, which goes to the journal */
        bool tty;
        Stream streams[2];
        Source in;
        bool in_close_wanted;
        struct Client *clients;
} StdioSet;

void stdio_set_init(StdioSet *t, struct Shim *shim, struct Exec *exec, bool tty);
int stdio_set_make_pipes(StdioSet *t, bool with_stdin, int ret_child[3]);
void stdio_set_adopt_stream(StdioSet *t, unsigned stream, int fd);
int stdio_set_adopt_terminal(StdioSet *t, int fd);
void stdio_set_update(StdioSet *t);
void stdio_set_drain(StdioSet *t);
void stdio_set_close(StdioSet *t);
bool stdio_set_closed(const StdioSet *t);
bool stdio_set_blocked(const StdioSet *t);

/* stdin */
ssize_t stdio_set_write(StdioSet *t, const void *data, size_t size);
void stdio_set_close_input(StdioSet *t);
int stdio_set_resize(StdioSet *t, uint32_t height, uint32_t width);

/* Unsent lines of the container's own streams go to the journal as far as it takes them. */
void stdio_set_flush_journal(StdioSet *t);
