/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "../shared/message.h"
#include "container.h"

/* @error: 0 or -errno; @reply: the reply's fields, NULL when the shim went away first (borrowed). */
typedef void (*ShimReply)(Container *c, int error, const Fields *reply, void *userdata);

/* Accept shims on the engine's own socket. */
int shim_link_listen(Manager *m);

/* Connect to the shim of @c and subscribe. -ENOENT/-ECONNREFUSED: nobody is there. */
int shim_link_connect(Container *c);
ShimLink *shim_link_free(ShimLink *l);

/*
 * Send @verb (fields in @text without verb and seq, may be NULL) to the shim of @c; waits in a bounded queue
 * while there is no connection. @fds are consumed, also on failure. @reply may be NULL.
 */
int shim_send(Container *c, const char *verb, const Buffer *text, const int *fds, size_t n_fds,
              ShimReply reply, void *userdata);
/* Drop what is queued for a shim that will not come: clients that wait are answered or closed. */
void shim_queue_flush(Container *c, bool removed);
