/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

int hide_host_views(const char *rootfs, bool shared);
