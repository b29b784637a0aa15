/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "../spec/spec.h"

typedef enum RootlessMode {
        ROOTLESS_AUTO,
        ROOTLESS_TRUE,
        ROOTLESS_FALSE,
        _ROOTLESS_MAX,
        _ROOTLESS_INVALID = -EINVAL,
} RootlessMode;

RootlessMode rootless_mode_from_string(const char *text);
bool rootless_in_user_namespace(void);
bool rootless_applies(RootlessMode mode);
int rootless_default_root(char **ret);
int rootless_check(const Spec *s);
int rootless_cgroup_refusal(const Spec *s, const char *path, int error);
int rootless_no_cgroup_check(const Spec *s);
int rootless_cgroup_path(const char *relative, char **ret);
