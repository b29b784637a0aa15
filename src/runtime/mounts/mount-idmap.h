/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "../spec/spec.h"

int mount_idmap_parse(SpecMount *m, const char *text);
int mount_idmap_resolve(const Spec *s, SpecMount *m);
