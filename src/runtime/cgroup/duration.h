/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "../../basic/macro.h"

int duration_parse(const char *text, usec_t *ret);
