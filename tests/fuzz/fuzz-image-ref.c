/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <assert.h>
#include <stdint.h>

#include "fuzz.h"
#include "engine/image/image-ref.h"

/* What was accepted must read back as itself, and be a file name once `/` is escaped. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_image_ref_ ImageRef r = {}, again = {};
        _cleanup_free_ char *text = strndup((const char *) data, size), *canonical = NULL, *familiar = NULL,
                            *error = NULL;
        _cleanup_free_ char *second = NULL;
        int k;

        k = image_ref_parse(text, &r, &error);
        if (k < 0) {
                assert(k == -EINVAL && error && *error);
                return 0;
        }
        canonical = image_ref_canonical(&r);
        familiar = image_ref_familiar(&r);
        assert(!strchr(canonical, '+') && canonical[0] != '.' && canonical[0] != '/');
        assert(image_ref_parse(canonical, &again, NULL) == 0);
        second = image_ref_canonical(&again);
        assert(streq(canonical, second));
        image_ref_done(&again);
        free(second);
        assert(image_ref_parse(familiar, &again, NULL) == 0);
        second = image_ref_canonical(&again);
        assert(streq(canonical, second));
        return 0;
}
