/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>

#include "../basic/json.h"
#include "../basic/str.h"
#include "oci-seccomp.h"

#define PROFILE_MAX (1024 * 1024)
#define CACHE_MAX 16

/*
 * The expanded default is 20 kB of JSON that never changes: it is kept as a json_object whose serializer
 * hands the finished text out, so that writing oci.json costs a copy.
 */
static int freeze(json_object *o, json_object **ret) {
        json_object *frozen = json_object_new_object();
        char *text = strdup(json_text(o));

        if (!frozen || !text) {
                json_object_put(frozen);
                free(text);
                return -ENOMEM;
        }
        json_object_set_serializer(frozen, json_object_userdata_to_json_string, text,
                                   json_object_free_userdata);
        *ret = frozen;
        return 0;
}

/** seccomp_default - see oci-seccomp.h. Return: 0, -EINVAL when the installed profile is malformed, -ENOMEM,
 * -EIO... */
int seccomp_default(CapabilitySet capabilities, json_object **ret, EngineError *reterr) {
        static struct {
                CapabilitySet capabilities;
                json_object *frozen;
        } cache[CACHE_MAX];
        static json_object *profile;
        static size_t n;
        _cleanup_json_ json_object *expanded = NULL;
        json_object *frozen;
        int r;

        for (size_t i = 0; i < MIN(n, (size_t) CACHE_MAX); i++)
                if (cache[i].capabilities == capabilities) {
                        *ret = json_object_get(cache[i].frozen);
                        return 0;
                }
        if (!profile) {
                r = json_load_at(AT_FDCWD, BERTH_DATA_DIR "/seccomp.json", PROFILE_MAX, &profile);
                if (r < 0)
                        return error_set_status(reterr, r, 500,
                                                "Failed to read the default seccomp profile %s: %s",
                                                BERTH_DATA_DIR "/seccomp.json", strerrordesc_np(-r));
        }
        r = seccomp_expand(profile, capabilities, &expanded, reterr);
        if (r < 0)
                return r;
        r = freeze(expanded, &frozen);
        if (r < 0)
                return r;
        if (cache[n % CACHE_MAX].frozen)
                json_object_put(cache[n % CACHE_MAX].frozen);
        cache[n % CACHE_MAX].capabilities = capabilities;
        cache[n % CACHE_MAX].frozen = frozen;
        n = n + 1 < 2 * CACHE_MAX ? n + 1 : CACHE_MAX;
        *ret = json_object_get(frozen);
        return 0;
}
