/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "spec.h"

int mount_option_apply(SpecMount *m, const char *option);
size_t mount_options_known(const char **ret, size_t max);
