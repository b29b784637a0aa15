/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "basic/buffer.h"
#include "fuzz.h"
#include "shared/http.h"

/* What was understood comes back unchanged when it is written out and read again. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_(http_query_done) HttpQuery q = {}, again = {};
        _cleanup_buffer_ Buffer b = BUFFER_INIT(64 * 1024 * 1024);
        _cleanup_free_ char *text = strndup((const char *) data, size);

        if (!text || http_query_parse(text, &q) < 0)
                return 0;
        for (size_t i = 0; i < q.n; i++)
                if (http_percent_encode(&b, q.items[i].name) < 0 || buffer_append_str(&b, "=") < 0 ||
                    http_percent_encode(&b, q.items[i].value) < 0 || buffer_append_str(&b, "&") < 0)
                        return 0;
        assert(http_query_parse(b.data, &again) >= 0);
        assert(again.n == q.n);
        for (size_t i = 0; i < q.n; i++)
                assert(streq(q.items[i].name, again.items[i].name) &&
                       streq(q.items[i].value, again.items[i].value));
        return 0;
}
