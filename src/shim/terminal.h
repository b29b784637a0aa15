/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "stdio-set.h"

/* The runtime makes the terminal and sends its master side over a socket (OCI --console-socket). */
int terminal_listen(struct Shim *s, const char *name, Source *source, SourceCallback callback);
int terminal_receive(Loop *loop, Source *source, StdioSet *set);
void terminal_receive_pending(Source *source, StdioSet *set);
