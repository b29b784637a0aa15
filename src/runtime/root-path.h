/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "../basic/macro.h"

int root_path_open(int root_fd, const char *path, unsigned long long resolve);
int root_path_ensure(int root_fd, const char *path, bool directory, unsigned long long resolve);
