/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Docker's multiplexed stream: 1 byte stream, 3 zero bytes, big-endian length, payload. */
#define FRAME_HEAD 8

typedef enum FrameStream {
        FRAME_STDIN = 0,
        FRAME_STDOUT = 1,
        FRAME_STDERR = 2,
        FRAME_ERROR = 3, /* the daemon's own words */
} FrameStream;

typedef struct FrameDecoder {
        uint8_t head[FRAME_HEAD];
        unsigned have;      /* bytes of the head; FRAME_HEAD inside a payload */
        uint32_t remaining; /* of the payload */
        FrameStream stream; /* of the payload, valid while remaining > 0 */
} FrameDecoder;

int frame_decode(FrameDecoder *d, const char *data, size_t size, size_t *ret_consumed,
                 const char **ret_payload, size_t *ret_payload_size);
