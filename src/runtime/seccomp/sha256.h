/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define SHA256_HEX_SIZE 65

void sha256_hex(const void *data, size_t size, char ret[SHA256_HEX_SIZE]);
