/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>

/*
 * One byte of type and an optional text per message, between the runtime and the process it sets up. Both
 * ends are SEQPACKET, so a message is whole or absent, and the end of the peer is an end of file.
 */
typedef enum ChannelMessage {
        CHANNEL_EOF = 0,
        CHANNEL_MAPPED = 'U',  /* parent: id maps are written */
        CHANNEL_NETWORK = 'N', /* parent: with the network namespace, before CHANNEL_CGROUP */
        CHANNEL_CGROUP = 'C',  /* parent: the process is in its cgroup */
        CHANNEL_HOOKS = 'H',   /* child: mounts are done, run the host's hooks */
        CHANNEL_GO = 'G',      /* parent: hooks have run */
        CHANNEL_READY = 'R',   /* child: everything is set up */
        CHANNEL_SAVED = 'A',   /* parent: the state is stored; child at start: taken over */
        CHANNEL_ERROR = 'E',   /* child: text follows */
        CHANNEL_NAMESPACES = 'S', /* exec to a child that waits for start, and its answer: namespace-fds.h */
} ChannelMessage;

#define CHANNEL_TEXT_MAX 1024

int channel_pair(int ret[2]);
int channel_send(int fd, ChannelMessage type, const char *text);
int channel_receive(int fd, char text[CHANNEL_TEXT_MAX]);
int channel_receive_from(int fd, int pidfd, char text[CHANNEL_TEXT_MAX]);
int channel_expect(int fd, ChannelMessage type);
