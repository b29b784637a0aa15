/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "../shared/message.h"
#include "shim.h"

int control_listen(Shim *s);
int control_restore_listener(Shim *s, int fd);
/* Ask the engine for clients that wait for this start; without an engine the start goes on at once. */
void control_connect_engine(Shim *s);
void control_free_all(Shim *s);

/* Events go to all that subscribed. Begin with event_begin(), add fields, send. */
int event_begin(Buffer *b, const char *event);
void event_send(Shim *s, const Buffer *b);
void event_simple(Shim *s, const char *event);

/* For answers that come later; the connection may be gone by then (and its memory be another's), so it is
 * looked up by a number that is never used twice. */
typedef struct ReplyTo {
        uint64_t control;
        char seq[24];
} ReplyTo;
void reply_send(Shim *s, const ReplyTo *to, int error, const char *message);
