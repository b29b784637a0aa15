/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "../spec/spec.h"

int environment_append(SpecProcess *p, const char *entry);
int environment_unify(SpecProcess *p);
