/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <json-c/json.h>

#include "manager.h"

/* Docker's GET /info. */
int system_info_json(Manager *m, json_object **ret);
