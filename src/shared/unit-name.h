/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

#include "paths.h"

#define UNIT_NAME_SIZE (CONTAINER_ID_LENGTH + 32)

bool container_id_is_valid(const char *id);
bool container_name_is_valid(const char *name);
void unit_name_shim(const char *id, char ret[UNIT_NAME_SIZE]);
void unit_name_scope(const char *id, char ret[UNIT_NAME_SIZE]);
/* The id of a `berth@<id>.service` or `berth-<id>.scope`: false for any other unit. */
bool unit_name_to_id(const char *unit, char ret[CONTAINER_ID_LENGTH + 1]);
