/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "../spec/spec.h"

int keyring_leave(const SpecProcess *p);
