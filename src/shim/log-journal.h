/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "../basic/buffer.h"

struct Shim;

int journal_open(struct Shim *s);
void journal_flush_stream(struct Shim *s, unsigned stream);
void journal_identity_changed(void);
bool journal_has_all(const struct Shim *s);

/* Entries of the container's life. @extra: further fields in the native form (journal_put), may be NULL. */
void journal_event(struct Shim *s, const char *message_id, int priority, const char *event,
                   const char *message, const Buffer *extra);
int journal_put(Buffer *b, const char *field, const char *value);
int journal_put_identity(Buffer *b, const char *id, const char *name, const char *tag, const char *image);
