/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "../spec/spec.h"

int cgroup_owner_apply(int cgroup_fd, const Spec *s);
