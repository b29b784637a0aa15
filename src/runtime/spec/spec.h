/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "../../basic/json.h"
#include "../../basic/macro.h"

/*
 * config.json, checked and flattened. Strings and JSON sub-trees are borrowed from the document (Spec.root),
 * arrays are owned. What we do not support is refused while parsing, by the name of the field.
 */
#define SPEC_SIZE_MAX (8 * 1024 * 1024)
#define SPEC_LIST_MAX 16384

typedef enum NamespaceKind {
        NS_USER, /* first: setns order */
        NS_CGROUP,
        NS_IPC,
        NS_UTS,
        NS_NET,
        NS_PID,
        NS_MOUNT,
        NS_TIME,
        _NS_MAX,
        _NS_INVALID = -EINVAL,
} NamespaceKind;

typedef struct SpecNamespace {
        bool present;
        const char *path; /* NULL: make a new one */
} SpecNamespace;

typedef struct SpecIdMap {
        uint32_t inside, outside, size;
        bool relative; /* outside is an id of the container, until mount_idmap_resolve() */
} SpecIdMap;

typedef struct SpecMount {
        const char *destination, *source, *type;
        const char *inside_source; /* of a bind mount of something in the container itself: from its root on;
                                      or NULL */
        uint64_t attr_set, attr_clear;         /* MOUNT_ATTR_* of this mount */
        uint64_t rec_attr_set, rec_attr_clear; /* and of everything below it */
        uint64_t propagation;                  /* MS_SHARED, ... */
        bool propagation_recursive;
        bool bind, recursive;
        bool copy_up;
        bool source_nofollow, dest_nofollow, copy_symlink;
        bool remount;
        unsigned long sb_flags; /* MS_* of the file system: sync, ... */
        bool idmap, idmap_recursive;
        SpecIdMap *uid_maps, *gid_maps;
        size_t n_uid_maps, n_gid_maps;
        char *data; /* comma separated, for the file system; owned */
} SpecMount;

typedef enum CapSet {
        CAP_SET_BOUNDING,
        CAP_SET_EFFECTIVE,
        CAP_SET_INHERITABLE,
        CAP_SET_PERMITTED,
        CAP_SET_AMBIENT,
        _CAP_SET_MAX
} CapSet;

typedef struct SpecRlimit {
        int resource;
        const char *name;
        uint64_t soft, hard;
} SpecRlimit;

typedef struct SpecProcess {
        bool terminal;
        uint16_t console_height, console_width;
        bool console_plain; /* its output goes where no terminal is: lines end in \n alone */
        uid_t uid;
        gid_t gid;
        gid_t *gids;
        size_t n_gids;
        bool keep_groups; /* those of whoever called us */
        bool has_umask;
        mode_t umask;
        const char **args, **env; /* NULL-terminated, strings borrowed */
        const char *cwd;
        bool has_caps;
        uint64_t caps[_CAP_SET_MAX];
        SpecRlimit *rlimits;
        size_t n_rlimits;
        bool no_new_privs;
        const char *apparmor, *selinux;
        bool has_oom;
        int oom_score_adj;
        json_object *scheduler, *io_priority, *cpu_affinity;
} SpecProcess;

typedef enum HookPoint {
        HOOK_PRESTART,
        HOOK_CREATE_RUNTIME,
        HOOK_CREATE_CONTAINER,
        HOOK_START_CONTAINER,
        HOOK_POSTSTART,
        HOOK_POSTSTOP,
        _HOOK_MAX,
} HookPoint;

typedef struct SpecHook {
        const char *path;
        const char **args, **env;
        unsigned timeout; /* seconds, 0: none */
} SpecHook;

typedef struct SpecHooks {
        SpecHook *items;
        size_t n;
} SpecHooks;

typedef struct SpecDevice {
        const char *path;
        mode_t mode; /* type and permissions */
        dev_t dev;
        uid_t uid;
        gid_t gid;
} SpecDevice;

typedef struct SpecNetDevice {
        const char *name;   /* in the host's network namespace */
        const char *inside; /* in the container's; may be a template such as "eth%d" */
} SpecNetDevice;

typedef struct Spec {
        json_object *root;
        const char *oci_version, *hostname, *domainname;
        const char *rootfs; /* as written: may be relative to the bundle */
        bool readonly;
        bool has_process;
        SpecProcess process;
        SpecMount *mounts;
        size_t n_mounts;
        SpecHooks hooks[_HOOK_MAX];
        bool any_hook;
        json_object *annotations;
        /* What they say: spec-annotations.c. */
        const char *hook_stdout, *hook_stderr; /* of all hooks; NULL: nowhere, and ours */
        const char *pidfd_receiver;            /* a socket, or NULL */
        const char *mount_context;             /* the mount option that takes mount_label */
        bool fail_unknown_syscalls;

        SpecNamespace ns[_NS_MAX];
        SpecIdMap *uid_maps, *gid_maps;
        size_t n_uid_maps, n_gid_maps;
        SpecDevice *devices;
        size_t n_devices;
        SpecNetDevice *net_devices;
        size_t n_net_devices;
        const char *cgroups_path;
        json_object *resources, *seccomp, *sysctl, *time_offsets, *personality, *memory_policy;
        const char **masked, **readonly_paths;
        uint64_t rootfs_propagation;
        bool rootfs_propagation_recursive;
        const char *mount_label;
        bool ipc_is_hosts; /* joined by its path; known with a mount_label only */

        char *notify_source; /* owned; see activation.c */
} Spec;

int spec_parse(const char *text, size_t size, Spec *ret);
void spec_done(Spec *s);
#define _cleanup_spec_ _cleanup_(spec_done)

int spec_process_parse(json_object *o, SpecProcess *ret);
void spec_process_done(SpecProcess *p);
#define _cleanup_spec_process_ _cleanup_(spec_process_done)

/* For the other parsers of this folder: each names the field in its error. */
int spec_strv(json_object *o, const char *where, const char *key, const char ***ret);
int spec_id_maps(json_object *o, const char *where, const char *key, SpecIdMap **ret, size_t *ret_n);
int spec_string(json_object *o, const char *where, const char *key, const char **ret);
int spec_int(json_object *o, const char *where, const char *key, int64_t min, int64_t max, int64_t *ret);
int spec_flag(json_object *o, const char *where, const char *key, bool *ret);
int spec_object(json_object *o, const char *where, const char *key, json_object **ret);
int spec_array(json_object *o, const char *where, const char *key, json_object **ret, size_t *ret_n);
int spec_linux_parse(json_object *o, Spec *s);
int spec_mounts_parse(json_object *root, Spec *s);
void spec_mounts_enter_root(Spec *s, const char *rootfs);
int spec_annotations_parse(json_object *annotations, Spec *s);
int spec_net_devices_parse(json_object *linux_object, Spec *s);

extern const char *const namespace_names[_NS_MAX];
extern const char *const hook_names[_HOOK_MAX];
bool spec_keeps_groups(json_object *annotations);
int spec_seccomp_receiver(json_object *annotations, const char **ret);
bool spec_has_new(const Spec *s, NamespaceKind kind);
