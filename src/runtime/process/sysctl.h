/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "../spec/spec.h"

int sysctl_check(const Spec *s);
int sysctl_apply(const Spec *s);
