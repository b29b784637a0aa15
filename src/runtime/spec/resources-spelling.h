/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "../../basic/json.h"

int resources_fold_case(json_object *from, json_object **ret);
int resources_respell(json_object *linux_object);
