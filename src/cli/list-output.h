/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "client.h"
#include "flags.h"
#include "table.h"

int filters_add(Client *c, Buffer *query, const StringList *filters);
int format_check(Client *c, const char *format, bool *ret_json);
int short_id(const char *id, bool no_trunc, char **ret);
void print_json_line(json_object *o);
