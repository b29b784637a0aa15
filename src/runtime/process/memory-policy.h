/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "../../basic/json.h"

#define MEMORY_POLICY_MODES 7
#define MEMORY_POLICY_FLAGS 3
extern const char *const memory_policy_modes[MEMORY_POLICY_MODES];
extern const char *const memory_policy_flags[MEMORY_POLICY_FLAGS];

int memory_policy_check(json_object *policy);
int memory_policy_apply(json_object *policy);
