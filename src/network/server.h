/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <systemd/sd-event.h>

#include "../shared/message.h"

/*
 * Clients on a SEQPACKET socket. One request of a client is in work at a time: its next one is read when the
 * reply to the last is gone, so a client that does not read costs one reply and delays nobody else.
 */
typedef struct Server Server;

/*
 * Fills @reply, may set *ret_fd (consumed by the server). Negative: the connection is closed without a
 * reply.
 */
typedef int (*ServerHandler)(const Message *request, Buffer *reply, int *ret_fd, void *userdata);

int server_new(sd_event *event, int listen_fd, ServerHandler handler, void *userdata, Server **ret);
Server *server_free(Server *s);
DEFINE_CLEANUP_FUNC(Server *, server_free)

/* Called when the last client has gone. */
typedef void (*ServerIdleHandler)(void *userdata);
void server_set_idle_handler(Server *s, ServerIdleHandler handler);
size_t server_connections(const Server *s);
