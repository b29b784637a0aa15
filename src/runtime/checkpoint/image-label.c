/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Confinement across a checkpoint. A criu that was built without SELinux (Debian's is), or that sees no
 * AppArmor (its file system is not mounted), says nothing of it: the images have no label, and what is
 * restored has that of criu, which is ours and confines nothing.
 */
#include "image-label.h"

#include <fcntl.h>
#include <stdio.h>

#include "../../basic/fd.h"
#include "../../basic/file.h"
#include "../../basic/str.h"
#include "../error.h"
#include "protobuf.h"

/* Of criu's inventory: a magic number, the size of the message, the message. */
#define INVENTORY_SIZE_MAX (64 * 1024)
#define INVENTORY_HEAD 8

enum { INVENTORY_MODULE = 6 };

typedef enum Module {
        MODULE_NONE = 0,
        MODULE_SELINUX = 1,
        MODULE_APPARMOR = 2,
} Module;

static Module module_of(const SpecProcess *p, const char **ret_field, const char **ret_label) {
        if (!isempty(p->selinux)) {
                *ret_field = "process.selinuxLabel";
                *ret_label = p->selinux;
                return MODULE_SELINUX;
        }
        *ret_field = "process.apparmorProfile";
        *ret_label = p->apparmor;
        return isempty(p->apparmor) || streq(p->apparmor, "unconfined") ? MODULE_NONE : MODULE_APPARMOR;
}

/** label_is_kept - whether there is a label or profile that a checkpoint has to keep. */
bool label_is_kept(const SpecProcess *p) {
        const char *field, *label;

        return module_of(p, &field, &label) != MODULE_NONE;
}

/**
 * inventory_module - the security module whose labels are in the images.
 * @data: the whole of inventory.img.
 *
 * Return: 0 for none, its number, or -EBADMSG.
 */
int inventory_module(const char *data, size_t size) {
        int module = MODULE_NONE, r;
        PbReader reader;
        PbField f;

        if (size < INVENTORY_HEAD)
                return -EBADMSG;
        reader = (PbReader) { .p = data + INVENTORY_HEAD, .end = data + size };
        while ((r = pb_next(&reader, &f)) > 0)
                if (f.number == INVENTORY_MODULE && !f.data)
                        module = f.value > INT8_MAX ? -EBADMSG : (int) f.value;
        return r < 0 ? r : module;
}

/**
 * image_label_check - whether the images have the label that the container has.
 *
 * Return: 0, -EOPNOTSUPP if they have none, or -errno; with a message.
 */
int image_label_check(const ImageDir *d, const SpecProcess *p) {
        _cleanup_free_ char *data = NULL;
        _cleanup_close_ int fd = -EBADF;
        const char *field, *label;
        Module module = module_of(p, &field, &label);
        size_t size;
        int r;

        if (module == MODULE_NONE)
                return 0;
        fd = openat(d->fd, CRIU_INVENTORY, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW);
        r = fd < 0 ? negative_errno() : read_fd(fd, INVENTORY_SIZE_MAX, &data, &size);
        if (r >= 0)
                r = inventory_module(data, size);
        if (r < 0)
                return fail_errno(r, "read %s/" CRIU_INVENTORY, d->path);
        if (r == (int) module)
                return 0;
        return fail_text(EOPNOTSUPP, "config.json: %s: \"%s\" is not kept by criu, which %s", field, label,
                         module == MODULE_SELINUX ? "was built without SELinux" : "saw no AppArmor");
}

static int read_current(const char *pid, char **ret) {
        _cleanup_free_ char *path = str_concat("/proc/", pid, "/attr/current");
        int r = path ? read_file_at(AT_FDCWD, path, 4096, ret, NULL) : -ENOMEM;

        return r < 0 ? fail_errno(r, "read the label of process %s", pid) : 0;
}

/**
 * restored_label_check - whether a process that was restored is confined; before it goes on.
 *
 * Return: 0, -EPERM if it has the label of criu in place of its own, or -errno; with a message.
 */
int restored_label_check(pid_t pid, const SpecProcess *p) {
        _cleanup_free_ char *ours = NULL, *its = NULL;
        const char *field, *label, *rest;
        char number[16];
        int r;

        if (module_of(p, &field, &label) == MODULE_NONE)
                return 0;
        (void) snprintf(number, sizeof(number), "%d", (int) pid);
        if ((r = read_current(number, &its)) < 0 || (r = read_current("self", &ours)) < 0)
                return r;
        /* Behind a profile comes its mode. A container may have our label if it was asked for. */
        rest = startswith(its, label);
        if (!streq(ours, its) || (rest && strchr(" \n", *rest)))
                return 0;
        return fail_text(EPERM, "config.json: %s: \"%s\" was not restored by criu", field, label);
}
