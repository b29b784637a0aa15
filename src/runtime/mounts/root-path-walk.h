/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

int root_path_walk(int root_fd, const char *path, unsigned long long resolve);
