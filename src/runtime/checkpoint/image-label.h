/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <sys/types.h>

#include "../spec/spec.h"
#include "image-dir.h"

int inventory_module(const char *data, size_t size);
bool label_is_kept(const SpecProcess *p);
int image_label_check(const ImageDir *d, const SpecProcess *p);
int restored_label_check(pid_t pid, const SpecProcess *p);
