/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "../spec/spec.h"
#include "../state.h"
#include "criu.h"

int criu_mounts_check(const Spec *s);
int criu_mounts_dump(CriuCall *c, const Spec *s, const State *st);
void criu_mounts_restore_cgroup(CriuCall *c, const Spec *s, const State *st, const char *cgroup_mount);
int criu_mounts_restore(CriuCall *c, const Spec *s, const State *st);
bool criu_mounts_have(const char *mountinfo, uint64_t id);
