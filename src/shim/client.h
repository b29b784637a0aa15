/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detach-keys.h"
#include "loop.h"
#include "memory.h"
#include "stdio-set.h"

typedef struct Client Client;

/* @fd is consumed, also on failure; @early: memfd of bytes the engine had read already, or -EBADF
 * (consumed). */
int client_new(StdioSet *t, int fd, int early, ClientFlags flags, const DetachKeys *keys);
int client_restore(StdioSet *t, int fd, unsigned slot);
void client_free(Client *c);

void client_write_all(StdioSet *t, unsigned stream, const char *data, size_t size);
bool client_any_full(const StdioSet *t);
bool client_any(const StdioSet *t);
void client_resume_all_input(StdioSet *t);
/* The output has ended: each client is closed as soon as it has taken what is buffered for it. */
void client_check_done_all(StdioSet *t);
void client_free_all(StdioSet *t);

/* The fd store and the memory, see resume.c. */
void client_store_all(struct Shim *s);
