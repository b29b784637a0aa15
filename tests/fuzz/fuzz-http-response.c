/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz.h"
#include "shared/http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        const char *text = (const char *) data;
        size_t head;

        if (http_head_size(text, size, &head) != 1)
                return 0;
        for (int i = 0; i < 2; i++) {
                _cleanup_http_head_ HttpHead h = {};

                if (http_parse_response(text, head, i == 0 ? "GET" : "HEAD", &h) >= 0)
                        assert(h.status >= 100 && h.status <= 999 && h.reason &&
                               (i == 0 || h.framing == HTTP_NO_BODY));
        }
        return 0;
}
