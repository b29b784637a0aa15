/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "../spec/spec.h"

void caps_add(uint64_t *set, const char *name);
const char *caps_name(unsigned cap);
unsigned caps_last(void);
bool caps_any(void);
bool caps_have(unsigned cap);
int caps_raise(uint64_t set);
int caps_drop_bounding(const uint64_t caps[_CAP_SET_MAX]);
int caps_apply(const uint64_t caps[_CAP_SET_MAX], uint64_t kept);
