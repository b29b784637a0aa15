/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

bool root_is_mounted_on_nothing(void);
int hide_host_views(const char *rootfs, bool shared);
