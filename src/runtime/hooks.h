/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "hook-output.h"
#include "seccomp/seccomp-filter.h"
#include "spec/spec.h"
#include "state.h"

int hooks_run_inside(const Spec *spec, const State *state, ContainerStatus status,
                     const SeccompFilter *filter, const HookFiles *files);
int hooks_run_on_root(const Spec *spec, const State *state, int root_fd, const HookFiles *files);
int hooks_run(const Spec *spec, HookPoint point, const State *state, ContainerStatus status);
