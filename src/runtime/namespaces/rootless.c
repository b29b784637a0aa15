/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is different for a caller without the rights of the host's root: an ordinary user, or root of a user
 * namespace only. Nothing of this runs for the real root, except the mapping checks of rootless_check().
 */
#include "rootless.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../basic/file.h"
#include "../../basic/str.h"
#include "../../shared/paths.h"
#include "../cgroup/cgroup.h"
#include "../cgroup/resources.h"
#include "../error.h"
#include "idmap.h"

#define ROOT_NAME "/berth-runtime"

/** rootless_mode_from_string - the value of --rootless. Return: it, or _ROOTLESS_INVALID. */
RootlessMode rootless_mode_from_string(const char *text) {
        static const char *const names[_ROOTLESS_MAX] = { "auto", "true", "false" };

        for (RootlessMode m = 0; m < _ROOTLESS_MAX; m++)
                if (streq(names[m], text))
                        return m;
        return _ROOTLESS_INVALID;
}

/** rootless_in_user_namespace - whether our ids are not the host's own, as far as one can tell inside. */
bool rootless_in_user_namespace(void) {
        static int known = -1;
        _cleanup_free_ char *map = NULL;
        unsigned inside, outside, size;

        if (known < 0) {
                /* A kernel without user namespaces has no such file. */
                known = read_file_at(AT_FDCWD, "/proc/self/uid_map", 64 * 1024, &map, NULL) >= 0 &&
                        !(sscanf(map, "%u %u %u", &inside, &outside, &size) == 3 && inside == 0 &&
                          outside == 0 && size == UINT32_MAX);
        }
        return known > 0;
}

/** rootless_applies - whether a cgroup that we may not make is something to live with. */
bool rootless_applies(RootlessMode mode) {
        if (mode != ROOTLESS_AUTO)
                return mode == ROOTLESS_TRUE;
        return geteuid() != 0 || rootless_in_user_namespace();
}

static bool wants_own_directory(const char *runtime_dir) {
        const char *user = getenv("USER");

        if (geteuid() != 0)
                return true;
        /* Somebody's user namespace, whose root is not the root that /run belongs to. podman leaves USER out
         * for some commands and sets it for others. */
        return !isempty(runtime_dir) && !(user && streq(user, "root")) && rootless_in_user_namespace();
}

/**
 * rootless_default_root - where state is kept without --root.
 * @ret: owned by the caller.
 */
int rootless_default_root(char **ret) {
        const char *runtime_dir = getenv("XDG_RUNTIME_DIR");
        _cleanup_free_ char *path = NULL;

        if (!wants_own_directory(runtime_dir)) {
                path = strdup(BERTH_RUNTIME_ROOT);
        } else if (!isempty(runtime_dir)) {
                if (runtime_dir[0] != '/')
                        return fail_text(EINVAL, "XDG_RUNTIME_DIR \"%s\" is not an absolute path",
                                         runtime_dir);
                path = str_concat(runtime_dir, ROOT_NAME);
                /* Sticky: the rule by which long-lived files there are spared from being cleaned up. */
                if (path && mkdir(path, 0700) >= 0)
                        (void) chmod(path, 01700);
        } else
                path = str_printf("/run/user/%u%s", geteuid(), ROOT_NAME);
        if (!path)
                return -ENOMEM;
        *ret = TAKE_PTR(path);
        return 0;
}

static int check_ids(const Spec *s) {
        const SpecProcess *p = &s->process;

        if (!idmap_contains(s->uid_maps, s->n_uid_maps, p->uid))
                return fail_text(EINVAL,
                                 "config.json: process.user.uid: %u is not mapped in the user namespace",
                                 p->uid);
        if (!idmap_contains(s->gid_maps, s->n_gid_maps, p->gid))
                return fail_text(EINVAL,
                                 "config.json: process.user.gid: %u is not mapped in the user namespace",
                                 p->gid);
        for (size_t i = 0; i < p->n_gids; i++)
                if (!idmap_contains(s->gid_maps, s->n_gid_maps, p->gids[i]))
                        return fail_text(
                                        EINVAL,
                                        "config.json: process.user.additionalGids: %u is not mapped in the user namespace",
                                        p->gids[i]);
        return 0;
}

/* "uid=" and "gid=" are read in the user namespace; the kernel's own answer to one it lacks is a bare
 * EINVAL. */
static int check_mount_ids(const Spec *s, const SpecMount *m) {
        _cleanup_strv_ char **options = NULL;
        int r;

        if (m->bind || !m->data || !strstr(m->data, "id="))
                return 0;
        r = strv_split(m->data, ',', &options);
        if (r < 0)
                return r;
        for (char **o = options; *o; o++) {
                const char *uid = startswith(*o, "uid="), *gid = startswith(*o, "gid=");
                uint64_t id;

                if ((!uid && !gid) || parse_u64(uid ? uid : gid, UINT32_MAX, &id) < 0)
                        continue;
                if (uid ? !idmap_contains(s->uid_maps, s->n_uid_maps, (uint32_t) id) :
                          !idmap_contains(s->gid_maps, s->n_gid_maps, (uint32_t) id))
                        return fail_text(
                                        EINVAL,
                                        "config.json: mounts: %s: option %s: the id is not mapped in the user namespace",
                                        m->destination, *o);
        }
        return 0;
}

/**
 * rootless_check - refuse a config.json that needs ids which the user namespace does not have, or one
 * without a user namespace where only that gives the rights to set a container up.
 *
 * Return: 0, or -errno with the field in the message.
 */
int rootless_check(const Spec *s) {
        bool own_user_ns = spec_has_new(s, NS_USER);
        int r = 0;

        if (geteuid() != 0 && !s->ns[NS_USER].present)
                return fail_text(
                                EPERM,
                                "rootless container requires user namespaces (config.json: linux.namespaces)");
        if (!own_user_ns)
                return 0;
        r = check_ids(s);
        for (size_t i = 0; r >= 0 && i < s->n_mounts; i++)
                r = check_mount_ids(s, &s->mounts[i]);
        if (r < 0)
                return r;
        if (s->process.n_gids > 0 && idmap_denies_groups(s->gid_maps, s->n_gid_maps))
                return fail_text(
                                EPERM,
                                "config.json: process.user.additionalGids: cannot set additional groups in a "
                                "rootless container that maps only the user's own group");
        return 0;
}

static bool limits(int64_t value) {
        return value != RESOURCE_UNSET && value != RESOURCE_MAX;
}

/* The first member of linux.resources that sets a limit ("unlimited" is none), or NULL. Device rules do not
 * count: without rights on the host no device can be made, and only those are bound that are listed. */
static int first_limit(const Spec *s, const char **ret) {
        _cleanup_resources_ Resources r = RESOURCES_INIT;
        int q = resources_parse(s->resources, s->oci_version, &r);

        *ret = NULL;
        if (q < 0)
                return q;
        if (limits(r.memory_max) || limits(r.memory_low) || limits(r.memory_swap_max))
                *ret = "memory";
        else if (limits(r.cpu_weight) || limits(r.cpu_quota) || limits(r.cpu_burst) || r.cpu_idle > 0 ||
                 !isempty(r.cpus) || !isempty(r.mems))
                *ret = "cpu";
        else if (limits(r.pids_max))
                *ret = "pids";
        else if (limits(r.io_weight) || r.n_io_weights > 0 || r.n_io_limits > 0)
                *ret = "blockIO";
        else if (r.n_hugetlb > 0)
                *ret = "hugepageLimits";
        else if (r.n_rdma > 0)
                *ret = "rdma";
        else if (r.unified && json_object_object_length(r.unified) > 0)
                *ret = "unified";
        return 0;
}

/**
 * rootless_cgroup_refusal - whether to go on without a cgroup of our own, since this user may not have one.
 * @error: why it could not be made or entered; its message is the current one.
 *
 * Return: 0 to go on, or -errno with a message when it was asked for by path, or limits were.
 */
int rootless_cgroup_refusal(const Spec *s, const char *path, int error) {
        _cleanup_free_ char *cause = strdup(fail_message());
        const char *limit;
        bool asked;
        int r;

        if (error != -EPERM && error != -EACCES && error != -EROFS)
                return error;
        r = first_limit(s, &limit);
        if (r < 0)
                return r;
        if (!limit && isempty(s->cgroups_path))
                return 0;
        if (!cause)
                return -ENOMEM;
        asked = !isempty(s->cgroups_path);
        return fail_text(
                        error,
                        "%s%s%s: %s (config.json asks for linux.%s%s, and the cgroup %s is not delegated to "
                        "this user)",
                        asked ? "unable to apply cgroup configuration" : "cannot set ", asked ? "" : limit,
                        asked ? "" : " limit: container could not join or create cgroup", cause,
                        limit ? "resources." : "cgroupsPath", limit ? limit : "", path);
}

/**
 * rootless_no_cgroup_check - refuse what a container cannot have that its caller wants without a cgroup.
 *
 * Return: 0, or -errno with the field in the message.
 */
int rootless_no_cgroup_check(const Spec *s) {
        const char *limit;
        int r = first_limit(s, &limit);

        if (r < 0)
                return r;
        /* Root could make the devices that they deny. */
        if (!limit && geteuid() == 0 && s->resources) {
                json_object *rules = json_get(s->resources, "devices");

                if (rules && json_object_is_type(rules, json_type_array) &&
                    json_object_array_length(rules) > 0)
                        limit = "devices";
        }
        if (!limit && isempty(s->cgroups_path))
                return 0;
        return fail_text(EINVAL, "--cgroup-manager disabled: config.json asks for linux.%s%s",
                         limit ? "resources." : "cgroupsPath", limit ? limit : "");
}

/**
 * rootless_cgroup_path - a cgroup beside our own: that one has processes, so it can have no children with
 * limits, and what lies above it is what was delegated.
 * @ret: owned by the caller.
 */
int rootless_cgroup_path(const char *relative, char **ret) {
        _cleanup_free_ char *own = NULL;
        int r;

        r = cgroup_of_pid(getpid(), &own);
        if (r < 0)
                return r;
        *strrchr(own, '/') = 0;
        *ret = str_concat(own, "/", relative);
        return *ret ? 0 : -ENOMEM;
}
