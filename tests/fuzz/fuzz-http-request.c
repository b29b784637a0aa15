/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz.h"
#include "shared/http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_http_head_ HttpHead h = {};
        const char *text = (const char *) data;
        size_t head;

        if (http_head_size(text, size, &head) != 1)
                return 0;
        assert(head <= size && head <= HTTP_HEAD_MAX);
        if (http_parse_request(text, head, &h) < 0) {
                assert(!h.text);
                return 0;
        }
        assert(h.target[0] == '/' && h.n_headers <= HTTP_HEADERS_MAX);
        for (size_t i = 0; i < h.n_headers; i++)
                assert(http_header(&h, h.headers[i].name) && !strpbrk(h.headers[i].value, "\r\n"));
        (void) http_header_has_token(&h, "Connection", "upgrade");
        return 0;
}
