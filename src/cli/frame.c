/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "frame.h"

#include <errno.h>

#include "../basic/macro.h"

/**
 * frame_decode - take the next step through a multiplexed stream: bytes of a head, or a piece of one
 * payload.
 * @ret_consumed: used bytes of @data, payload included; 0 only for an empty @data.
 * @ret_payload_size: 0 while a head is being read; then @d->stream and @d->remaining speak of the payload to
 * come.
 *
 * Return: 0, -EBADMSG if this is no frame.
 */
int frame_decode(FrameDecoder *d, const char *data, size_t size, size_t *ret_consumed,
                 const char **ret_payload, size_t *ret_payload_size) {
        size_t n;

        *ret_payload_size = 0;
        *ret_payload = data;
        *ret_consumed = 0;
        if (d->remaining > 0) {
                n = MIN(size, (size_t) d->remaining);
                d->remaining -= (uint32_t) n;
                *ret_payload_size = *ret_consumed = n;
                return 0;
        }
        if (d->have == FRAME_HEAD)
                d->have = 0;
        n = MIN(size, (size_t) (FRAME_HEAD - d->have));
        memcpy(d->head + d->have, data, n);
        d->have += (unsigned) n;
        *ret_consumed = n;
        if (d->have < FRAME_HEAD)
                return 0;
        if (d->head[0] > FRAME_ERROR || d->head[1] || d->head[2] || d->head[3])
                return -EBADMSG;
        d->stream = d->head[0];
        d->remaining = (uint32_t) d->head[4] << 24 | (uint32_t) d->head[5] << 16 |
                       (uint32_t) d->head[6] << 8 | d->head[7];
        return 0;
}
