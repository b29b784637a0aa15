/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "../spec/spec.h"

int terminal_connect(const char *socket_path);
int terminal_open(int root_fd, const SpecProcess *p, int *ret_master, int *ret_peer);
int terminal_bind_console(int root_fd, int peer_fd);
int terminal_send(int socket_fd, int master_fd);
int terminal_use(int peer_fd, uid_t uid);
int terminal_attach(int peer_fd, uid_t uid);
