/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "../basic/fd.h"
#include "fields.h"

/* One SOCK_SEQPACKET datagram: fields text, first field `verb`, up to MESSAGE_FDS_MAX descriptors
 * (docs/contracts.md section 5). */
#define MESSAGE_FDS_MAX 8

typedef struct Message {
        Fields fields;
        int fds[MESSAGE_FDS_MAX];
        size_t n_fds;
} Message;

#define MESSAGE_INIT ((Message) {})
void message_done(Message *m);
#define _cleanup_message_ _cleanup_(message_done)

const char *message_verb(const Message *m);
int message_take_fd(Message *m, size_t index);

int message_receive(int sock, Message *ret);
int message_send(int sock, const Buffer *text, const int *fds, size_t n_fds);

int message_connect(const char *path, bool nonblock);
int message_listen(const char *path, unsigned mode);
int message_put_reply(Buffer *b, const char *seq, int error, const char *text);
