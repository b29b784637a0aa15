/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../basic/json.h"
#include "../basic/str.h"
#include "create.h"

/* Names that may be given without a path; `runc` stays a name even where only another runtime is installed.
 */
static const char *const runtime_names[] = { "berth-runtime", "crun",  "runc",
                                             "youki",         "runsc", "kata-runtime" };
static const char *const runtime_dirs[] = { BERTH_BINDIR, "/usr/bin", "/usr/local/bin", "/usr/sbin",
                                            "/usr/local/sbin" };

static int find_by_name(const char *name, char **ret) {
        for (size_t i = 0; i < ELEMENTSOF(runtime_dirs); i++) {
                _cleanup_free_ char *path = str_concat(runtime_dirs[i], "/", name);

                if (!path)
                        return -ENOMEM;
                if (access(path, X_OK) >= 0) {
                        *ret = TAKE_PTR(path);
                        return 0;
                }
        }
        return -ENOENT;
}

/** create_find_runtime - HostConfig.Runtime to a path; fills in the default's name. Return: 0, -EINVAL,
 * -ENOMEM. */
int create_find_runtime(CreateContext *c, EngineError *reterr) {
        const char *name = json_string_or(c->host, "Runtime", "");
        int r;

        if (isempty(name) || streq(name, "berth-runtime")) {
                /* Our own belongs to this installation: the start says it if it is missing. */
                c->runtime = strdup(BERTH_BINDIR "/berth-runtime");
                if (!c->runtime)
                        return -ENOMEM;
                return isempty(name) ? json_set_str(c->host, "Runtime", "berth-runtime") : 0;
        }
        if (name[0] == '/') {
                c->runtime = strdup(name);
                if (!c->runtime)
                        return -ENOMEM;
                return access(name, X_OK) >= 0 ? 0
                                               : error_set(reterr, -EINVAL,
                                                           "unknown or invalid runtime name: %s", name);
        }
        for (size_t i = 0; i < ELEMENTSOF(runtime_names); i++)
                if (streq(runtime_names[i], name)) {
                        r = find_by_name(name, &c->runtime);
                        if (r != -ENOENT)
                                return r;
                }
        return error_set(reterr, -EINVAL, "unknown or invalid runtime name: %s", name);
}
