/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

#include "../../basic/json.h"

int resources_complete(json_object *update, json_object *stored);
int resources_merge(json_object *stored, json_object *update);
int resources_parse_size(const char *text, int64_t *ret);
