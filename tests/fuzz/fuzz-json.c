/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "basic/json.h"
#include "fuzz.h"

/* What was understood can be written out, and means the same when it is read again. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_json_ json_object *o = NULL, *again = NULL;
        _cleanup_free_ char *text = malloc(size + 1);
        const char *out;

        if (!text)
                return 0;
        memcpy(text, data, size);
        text[size] = 0;
        if (json_parse(text, size, &o) < 0)
                return 0;
        out = json_text(o);
        assert(out);
        assert(json_parse(out, strlen(out), &again) >= 0);
        assert(json_object_equal(o, again));
        return 0;
}
