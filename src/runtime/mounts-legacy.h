/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "mounts.h"

int mount_legacy(const MountContext *c, const SpecMount *m);
