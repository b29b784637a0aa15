/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz.h"
#include "runtime/error.h"
#include "runtime/spec/spec.h"

/* process.json of exec: refused with a message, or whole. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_free_ char *text = malloc(size + 1);
        _cleanup_json_ json_object *o = NULL;
        SpecProcess p = {};

        if (!text)
                return 0;
        memcpy(text, data, size);
        text[size] = 0;
        if (json_parse(text, size, &o) < 0)
                return 0;
        if (spec_process_parse(o, &p) >= 0) {
                assert(p.args && p.args[0] && p.cwd);
                assert(p.n_gids == 0 || p.gids);
        } else
                assert(fail_message()[0]);
        spec_process_done(&p);
        return 0;
}
