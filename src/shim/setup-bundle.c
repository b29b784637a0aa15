/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../basic/fd.h"
#include "../basic/file.h"
#include "../basic/json.h"
#include "../basic/str.h"
#include "setup.h"

/* oci.json as the engine wrote it, completed with what is known only at start: root, user, cgroup, network
 * namespace. */
#define OCI_MAX (4 * 1024 * 1024)

static int object_in(json_object *o, const char *key, json_object **ret) {
        int r = json_get_object(o, key, ret);

        if (r < 0 || *ret)
                return r;
        r = json_set(o, key, json_object_new_object());
        return r < 0 ? r : json_get_object(o, key, ret);
}

static int set_user(Setup *s, json_object *process) {
        json_object *user, *groups;
        UserIds ids = {};
        int r;

        r = user_resolve(s, strempty(fields_get(&s->conf, "user")), &ids);
        if (r < 0)
                return r;
        r = object_in(process, "user", &user);
        if (r >= 0)
                r = json_set_int(user, "uid", ids.uid);
        if (r >= 0)
                r = json_set_int(user, "gid", ids.gid);
        groups = r >= 0 ? json_get(user, "additionalGids") : NULL;
        if (r >= 0 && !groups && ids.n_groups > 0) {
                r = json_set(user, "additionalGids", json_object_new_array());
                groups = json_get(user, "additionalGids");
        }
        for (size_t i = 0; r >= 0 && i < ids.n_groups; i++)
                r = json_add(groups, json_object_new_int64(ids.groups[i]));
        if (r >= 0) {
                json_object *env = json_get(process, "env");
                bool has = false;

                for (size_t i = 0; env && i < json_object_array_length(env); i++)
                        has = has ||
                              startswith(json_object_get_string(json_object_array_get_idx(env, i)), "HOME=");
                if (!has) {
                        _cleanup_free_ char *home = str_concat("HOME=", ids.home[0] ? ids.home : "/");

                        if (!env) {
                                r = json_set(process, "env", json_object_new_array());
                                env = json_get(process, "env");
                        }
                        if (r >= 0)
                                r = home ? json_add_str(env, home) : -ENOMEM;
                }
        }
        user_ids_done(&ids);
        return r;
}

/* The namespace list with exactly the network entry that is wanted. */
static int set_network(Setup *s, json_object *linux_object) {
        json_object *old = json_get(linux_object, "namespaces"), *list = json_object_new_array(), *entry;
        char path[64];
        int r = 0;

        if (!list)
                return -ENOMEM;
        for (size_t i = 0; r >= 0 && old && i < json_object_array_length(old); i++) {
                json_object *o = json_object_array_get_idx(old, i);

                if (!streq(json_string_or(o, "type", ""), "network"))
                        r = json_add(list, json_object_get(o));
        }
        if (r >= 0 && !s->netns_host) {
                entry = json_object_new_object();
                r = entry ? json_set_str(entry, "type", "network") : -ENOMEM;
                if (r >= 0 && s->netns_fd >= 0) {
                        (void) snprintf(path, sizeof(path), "/proc/%d/fd/%d", getpid(), s->netns_fd);
                        r = json_set_str(entry, "path", path);
                }
                if (r >= 0)
                        r = json_add(list, entry);
        }
        if (r < 0) {
                json_object_put(list);
                return r;
        }
        return json_set(linux_object, "namespaces", list);
}

/* Docker makes a working directory that the image lacks. Symlinks are followed inside the root only. */
static void make_cwd(Setup *s, const char *cwd) {
        struct open_how how = { .flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
                                .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };
        _cleanup_free_ char *copy = strdup(cwd);
        int at = s->root_fd;

        if (!copy || cwd[0] != '/' || strstr(cwd, ".."))
                return;
        at = (int) syscall(SYS_openat2, s->root_fd, copy, &how, sizeof(how));
        if (at >= 0) {
                (void) safe_close(at);
                return;
        }
        for (char *p = copy + 1;; p++) {
                _cleanup_close_ int parent = -EBADF;
                char end = *p, *slash;

                if (end != '/' && end != 0)
                        continue;
                *p = 0;
                slash = strrchr(copy, '/');
                if (slash && slash[1]) {
                        *slash = 0;
                        parent = (int) syscall(SYS_openat2, s->root_fd, copy[0] ? copy : "/", &how,
                                               sizeof(how));
                        *slash = '/';
                        if (parent >= 0)
                                (void) mkdirat(parent, slash + 1, 0755);
                }
                if (end == 0)
                        return;
                *p = '/';
        }
}

static int complete(Setup *s, json_object *spec) {
        json_object *process, *root, *linux_object;
        char rootfs[160];
        int r;

        r = object_in(spec, "process", &process);
        if (r >= 0)
                r = object_in(spec, "root", &root);
        if (r >= 0)
                r = object_in(spec, "linux", &linux_object);
        (void) snprintf(rootfs, sizeof(rootfs), "%s/rootfs", s->run_dir);
        if (r >= 0)
                r = json_set_str(root, "path", rootfs);
        if (r >= 0)
                r = set_user(s, process);
        if (r >= 0)
                r = json_set_str(linux_object, "cgroupsPath", s->cgroup);
        if (r >= 0)
                r = set_network(s, linux_object);
        if (r >= 0)
                make_cwd(s, json_string_or(process, "cwd", "/"));
        return r;
}

/** bundle_write - make run_dir/bundle/config.json. Return: 0 or -errno. */
int bundle_write(Setup *s) {
        _cleanup_json_ json_object *spec = NULL;
        char path[192];
        const char *text;
        int r;

        r = json_load_at(s->dir_fd, "oci.json", OCI_MAX, &spec);
        if (r < 0)
                return setup_fail(s, r, 128, "Cannot read the container's oci.json");
        r = complete(s, spec);
        if (r < 0)
                return r;
        (void) snprintf(path, sizeof(path), "%s/bundle", s->run_dir);
        if (mkdir(path, 0700) < 0 && errno != EEXIST)
                return negative_errno();
        (void) snprintf(path, sizeof(path), "%s/bundle/config.json", s->run_dir);
        text = json_text(spec);
        return text ? write_file_at(AT_FDCWD, path, text, strlen(text), 0600, 0) : -ENOMEM;
}
