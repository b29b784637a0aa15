/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "../../basic/macro.h"

int root_path_open(int root_fd, const char *path, unsigned long long resolve);
/* What may be at the end of a path, or is made there. */
typedef enum RootPathKind {
        ROOT_PATH_ANY, /* must be there */
        ROOT_PATH_FILE,
        ROOT_PATH_DIRECTORY,
} RootPathKind;

int root_path_ensure_parent(int root_fd, const char *path, char **ret_name);
int root_path_ensure_last(int root_fd, const char *path, RootPathKind kind);
int root_path_ensure(int root_fd, const char *path, bool directory, unsigned long long resolve);
