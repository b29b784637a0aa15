/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz.h"
#include "shared/fields.h"

static void check(const char *text, size_t size, char separator) {
        _cleanup_buffer_ Buffer b = BUFFER_INIT(FIELDS_TEXT_MAX * 3);
        _cleanup_fields_ Fields f = {}, again = {};

        if (fields_parse(text, size, separator, &f) < 0) {
                assert(f.n == 0 && !f.items);
                return;
        }
        for (size_t i = 0; i < f.n; i++)
                assert(fields_put(&b, separator, f.items[i].key, f.items[i].value) >= 0);
        if (b.size > FIELDS_TEXT_MAX)
                return;
        assert(fields_parse(b.data ? b.data : "", b.size, separator, &again) >= 0);
        assert(again.n == f.n);
        for (size_t i = 0; i < f.n; i++)
                assert(streq(f.items[i].key, again.items[i].key) &&
                       streq(f.items[i].value, again.items[i].value));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        check((const char *) data, size, '\n');
        check((const char *) data, size, '\t');
        return 0;
}
