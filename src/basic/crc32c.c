/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "crc32c.h"

/** crc32c - Castagnoli CRC of @size bytes (RFC 3720 appendix B.4). Bitwise: records are short, a table would
 * cost a page. */
uint32_t crc32c(const void *data, size_t size) {
        const uint8_t *p = data;
        uint32_t crc = UINT32_MAX;

        for (size_t i = 0; i < size; i++) {
                crc ^= p[i];
                for (int bit = 0; bit < 8; bit++)
                        crc = (crc >> 1) ^ (crc & 1 ? UINT32_C(0x82f63b78) : 0);
        }
        return ~crc;
}
