/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * `checkpoint`: criu writes all of a running container into a directory. Before the container is touched
 * everything that can be refused is refused; after a failure it runs on, and the directory has no inventory,
 * without which nothing takes it for a checkpoint.
 */
#include "checkpoint.h"

#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "../../basic/fd.h"
#include "../../basic/file.h"
#include "../../basic/str.h"
#include "../cgroup/cgroup.h"
#include "../error.h"
#include "../kernel-call.h"
#include "../namespaces/rootless.h"
#include "criu-mounts.h"
#include "image-label.h"

#define DUMP_LOG "dump.log"
#define MEMORY_DEVICES 1 /* the major number of null, zero, random, ... */
#define PTY_DEVICES 136  /* the first of PTY_MAJORS for the slaves of pseudo terminals */
#define PTY_MAJORS 8
#define MOUNTINFO_MAX (16 * 1024 * 1024)

/** criu_check_spec - what criu could not make again as it was is refused. Return: 0, -EPERM, -EOPNOTSUPP. */
int criu_check_spec(const Spec *s) {
        static const NamespaceKind own[] = { NS_MOUNT, NS_USER, NS_CGROUP };

        if (geteuid() != 0 || rootless_in_user_namespace())
                return fail_text(EPERM, "checkpoint and restore are only for root");
        for (size_t i = 0; i < ELEMENTSOF(own); i++)
                if (s->ns[own[i]].path)
                        return fail_text(EOPNOTSUPP,
                                         "checkpoint and restore: a %s namespace by path is not supported",
                                         namespace_names[own[i]]);
        if (s->n_net_devices > 0)
                return fail_text(EOPNOTSUPP, "checkpoint and restore: linux.netDevices is not supported");
        return criu_mounts_check(s);
}

/* A file or device (/dev/null of the host), but no terminal. */
static bool is_plain(const struct statx *sx) {
        return S_ISREG(sx->stx_mode) || (S_ISCHR(sx->stx_mode) && sx->stx_rdev_major == MEMORY_DEVICES);
}

static bool is_pseudo_terminal(const struct statx *sx) {
        return S_ISCHR(sx->stx_mode) && sx->stx_rdev_major >= PTY_DEVICES &&
               sx->stx_rdev_major < PTY_DEVICES + PTY_MAJORS;
}

/* criu's name of something that is not the container's; false if it needs none. */
static bool name_foreign(const struct statx *sx, char *name, size_t size) {
        if (is_plain(sx))
                (void) snprintf(name, size, "file[%llx:%llx]", (unsigned long long) sx->stx_mnt_id,
                                (unsigned long long) sx->stx_ino);
        else if (is_pseudo_terminal(sx))
                (void) snprintf(name, size, "tty[%llx:%llx]",
                                (unsigned long long) makedev(sx->stx_rdev_major, sx->stx_rdev_minor),
                                (unsigned long long) makedev(sx->stx_dev_major, sx->stx_dev_minor));
        else
                return false;
        return true;
}

/*
 * What a standard descriptor is, as criu names it. A file of a mount that the container does not have can
 * only be given from outside again, which criu has to be told.
 */
static int describe_fd(CriuCall *c, const char *mountinfo, pid_t pid, int fd, json_object *list) {
        char path[64], target[PATH_MAX];
        struct statx sx;
        ssize_t n;

        (void) snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int) pid, fd);
        n = readlink(path, target, sizeof(target) - 1);
        if (n < 0)
                return errno == ENOENT ? json_add_str(list, "") : fail_errno(errno, "read %s", path);
        target[n] = 0;
        if (statx(AT_FDCWD, path, 0, STATX_TYPE | STATX_INO | STATX_MNT_ID, &sx) < 0)
                return fail_errno(errno, "stat %s", path);
        if ((sx.stx_mask & STATX_MNT_ID) && !criu_mounts_have(mountinfo, sx.stx_mnt_id) &&
            name_foreign(&sx, target, sizeof(target)))
                criu_add_external(c, "%s", target);
        return json_add_str(list, target);
}

/* The restore has to give new ones in their place: which is in a file beside the images. */
static int save_stdio(CriuCall *c, const State *st, int images_fd) {
        _cleanup_json_ json_object *list = json_object_new_array();
        _cleanup_free_ char *mountinfo = NULL;
        char path[64];
        const char *text;
        int r;

        if (!list)
                return -ENOMEM;
        (void) snprintf(path, sizeof(path), "/proc/%d/mountinfo", (int) st->pid);
        r = read_file_at(AT_FDCWD, path, MOUNTINFO_MAX, &mountinfo, NULL);
        if (r < 0)
                return fail_errno(r, "read %s", path);
        for (int fd = 0; fd < 3; fd++) {
                r = describe_fd(c, mountinfo, st->pid, fd, list);
                if (r < 0)
                        return r;
        }
        text = json_text(list);
        if (!text)
                return -ENOMEM;
        r = write_file_at(images_fd, CRIU_STDIO_FILE, text, strlen(text), 0600, WRITE_REPLACE);
        return r < 0 ? fail_errno(r, "write " CRIU_STDIO_FILE) : 0;
}

/* Namespaces that were given to the container are not part of it. */
static int add_namespaces(CriuCall *c, const Spec *s, const State *st) {
        static const struct {
                NamespaceKind kind;
                const char *name, *key;
        } given[] = { { NS_NET, "net", CRIU_NET_KEY }, { NS_PID, "pid", CRIU_PID_KEY } };
        char path[64];
        struct stat sb;

        for (size_t i = 0; i < ELEMENTSOF(given); i++) {
                if (!s->ns[given[i].kind].path)
                        continue;
                (void) snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int) st->pid, given[i].name);
                if (stat(path, &sb) < 0)
                        return fail_errno(errno, "stat %s", path);
                criu_add_external(c, "%s[%llu]:%s", given[i].name, (unsigned long long) sb.st_ino,
                                  given[i].key);
        }
        return 0;
}

static int add_dump_options(CriuCall *c, const CheckpointOptions *o, const Spec *s, const State *st) {
        _cleanup_free_ char *freezer = NULL;
        const char *cgroup_mount;
        int r;

        criu_add_number(c, CRIU_PID, (uint64_t) st->pid);
        criu_add_text(c, CRIU_ROOT, st->rootfs);
        criu_add_number(c, CRIU_LEAVE_RUNNING, o->leave_running);
        criu_add_text(c, CRIU_PARENT_IMAGES, o->parent_path);
        if (o->pre_dump || o->parent_path)
                criu_add_number(c, CRIU_TRACK_MEMORY, true);
        c->patient = o->criu.lazy_pages;
        if (o->page_address)
                criu_add_page_server(c, o->page_address, o->page_port);
        if (o->status_fd >= 0)
                criu_add_status_fd(c, o->status_fd);
        r = criu_add_network_lock(c, o->criu.network_lock, true);
        if (r >= 0)
                r = cgroup_find_mount(&cgroup_mount);
        if (r < 0)
                return r;
        /* All at once, so that nothing can fork away meanwhile. */
        freezer = str_concat(cgroup_mount, st->cgroup);
        if (!freezer)
                return -ENOMEM;
        criu_add_text(c, CRIU_FREEZE_CGROUP, freezer);
        r = criu_mounts_dump(c, s, st);
        return r < 0 ? r : add_namespaces(c, s, st);
}

/* criu freezes and thaws the cgroup, and one that died in between left it as it was then: what was paused is
 * to be paused again, the rest is not. */
static void freeze_as_before(const State *st, ContainerStatus before) {
        _cleanup_close_ int cgroup = cgroup_open(st->cgroup);
        bool freeze = before == STATUS_PAUSED;

        if (cgroup >= 0 && cgroup_is_frozen(cgroup) != freeze)
                (void) cgroup_freeze(cgroup, freeze);
}

typedef struct DumpNotify {
        const ImageDir *images;
        const SpecProcess *process;
} DumpNotify;

/* All is written, and nothing ended yet: what fails here lets the container run on. */
static int on_notify(void *userdata, const char *event, pid_t pid, int fd) {
        const DumpNotify *n = userdata;

        return streq(event, "post-dump") ? image_label_check(n->images, n->process) : 0;
}

static int dump(const CheckpointOptions *o, const State *st, ImageDir *d) {
        _cleanup_criu_ CriuCall c = CRIU_CALL_INIT;
        _cleanup_spec_ Spec spec = {};
        DumpNotify notify = { .images = d, .process = &spec.process };
        int r;

        r = container_config(st, &spec);
        if (r >= 0)
                r = criu_check_spec(&spec);
        if (r >= 0)
                r = image_dir_make(o->criu.image_path, o->criu.work_path, DUMP_LOG, d);
        if (r >= 0 && o->parent_path)
                r = image_dir_check_parent(d, o->parent_path);
        if (r < 0)
                return r;
        r = criu_add_common(&c, &o->criu, &spec, d, DUMP_LOG);
        if (r >= 0)
                r = add_dump_options(&c, o, &spec, st);
        if (r >= 0 && !o->pre_dump && label_is_kept(&spec.process)) {
                c.notify = on_notify;
                c.userdata = &notify;
                criu_add_number(&c, CRIU_NOTIFY, true);
        }
        d->touched = r >= 0;
        if (r >= 0 && !o->pre_dump)
                r = save_stdio(&c, st, d->fd);
        if (r >= 0)
                r = criu_perform(&c, o->pre_dump ? CRIU_PRE_DUMP : CRIU_DUMP, NULL);
        return r;
}

static int check(const CheckpointOptions *o, const State *st, ContainerStatus status) {
        _cleanup_free_ char *path = NULL;
        int r;

        if (status != STATUS_RUNNING && status != STATUS_PAUSED)
                return fail_text(EINVAL, "cannot checkpoint container \"%s\" in the %s state", o->id,
                                 status_to_string(status));
        /* criu would freeze that of the caller. */
        if (isempty(st->cgroup))
                return fail_text(EOPNOTSUPP,
                                 "checkpoint: a container without a cgroup of its own is not supported");
        if (o->parent_path && o->parent_path[0] == '/')
                return fail_text(EINVAL, "--parent-path %s: has to be relative to the image directory",
                                 o->parent_path);
        r = criu_find(&path);
        return r < 0 ? r : 0;
}

/**
 * container_checkpoint - write a running container into a directory; without leave_running and pre_dump it
 * is gone then.
 *
 * Return: 0, or -errno with a message; the container runs on, or is paused as before.
 */
int container_checkpoint(const CheckpointOptions *o) {
        _cleanup_image_dir_ ImageDir d = IMAGE_DIR_INIT;
        _cleanup_state_ State st = STATE_INIT;
        ContainerStatus status;
        int r;

        r = state_load(o->root, o->id, true, &st);
        if (r < 0)
                return r;
        status = state_status(&st);
        r = check(o, &st, status);
        if (r < 0)
                return r;
        r = dump(o, &st, &d);
        if (r < 0) {
                _cleanup_free_ char *message = strdup(fail_message());

                image_dir_discard(&d);
                freeze_as_before(&st, status);
                (void) fail_text(r, "%s", strempty(message));
        }
        if (r < 0 || o->leave_running || o->pre_dump)
                return r;
        state_done(&st); /* the lock is delete's now */
        return container_delete(o->root, o->id, true);
}
