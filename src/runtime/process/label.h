/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "../spec/spec.h"

int label_check(const SpecProcess *p, const char *mount_label);
int label_apply(const SpecProcess *p);
int label_apply_to_keys(const SpecProcess *p);
