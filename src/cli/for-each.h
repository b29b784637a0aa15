/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "client.h"

/* Commands that take several names go on after a failure and exit 1 at the end. */
int for_each_name(Client *c, char **args, int (*act)(Client *c, const char *name, const void *userdata),
                  const void *userdata);
int container_post(Client *c, const char *name, const char *verb, const Buffer *query);
