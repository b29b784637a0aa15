/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "client.h"
#include "progress.h"

int upload(Client *c, const char *target, int fd, const char *what, ProgressMode mode);
