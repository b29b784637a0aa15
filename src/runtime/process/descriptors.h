/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>

int descriptors_range(unsigned first, unsigned last, bool on_exec);
int descriptors_close_but(const int *keep, size_t n, unsigned preserve_fds);
