/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "spec.h"

int label_apply(const SpecProcess *p);
