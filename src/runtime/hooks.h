/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "spec.h"
#include "state.h"

int hooks_run(const Spec *spec, HookPoint point, const State *state, ContainerStatus status);
