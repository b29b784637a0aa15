/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "basic/buffer.h"
#include "fuzz.h"
#include "shared/http.h"

/* Return: was the body well formed so far? */
static bool decode(const char *text, size_t size, size_t step, Buffer *out, size_t *ret_used) {
        size_t done = 0;
        HttpBody b;

        http_body_init(&b, HTTP_CHUNKED, 0);
        while (!b.done && done < size) {
                size_t used, n, piece = MIN(step, size - done);
                const char *payload;

                if (http_body_decode(&b, text + done, piece, &used, &payload, &n) < 0)
                        return false;
                assert(used > 0 && used <= piece && n <= used);
                assert(n == 0 || (payload >= text + done && payload + n <= text + done + piece));
                if (buffer_append(out, payload, n) < 0)
                        return false;
                done += used;
        }
        *ret_used = done;
        return true;
}

/* However the bytes arrive, they mean the same. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_buffer_ Buffer whole = BUFFER_INIT(16 * 1024 * 1024), bytes = BUFFER_INIT(16 * 1024 * 1024);
        size_t used_whole = 0, used_bytes = 0;
        bool a, b;

        a = decode((const char *) data, size, size, &whole, &used_whole);
        b = decode((const char *) data, size, 1, &bytes, &used_bytes);
        assert(a == b);
        if (a)
                assert(used_whole == used_bytes && whole.size == bytes.size &&
                       (whole.size == 0 || memcmp(whole.data, bytes.data, whole.size) == 0));
        return 0;
}
