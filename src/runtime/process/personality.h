/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "../spec/spec.h"

int personality_check(const Spec *s, const char **ret_domain);
int personality_apply(const char *domain);
