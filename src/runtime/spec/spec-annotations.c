/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Annotations that crun has made known and that change what a container may do or where it says something.
 * Others are data. One that is not done is refused: whoever wrote it counts on it.
 */
#include "../../basic/str.h"
#include "../error.h"
#include "spec.h"

static int wrong(const char *name, const char *value, const char *expected) {
        return fail_text(EINVAL, "config.json: annotations: %s=\"%s\": expected %s", name, value, expected);
}

static int refuse(json_object *annotations) {
        static const char *const names[] = { "run.oci.seccomp.plugins", "run.oci.seccomp_bpf_data",
                                             "run.oci.systemd.force_cgroup_v1", "run.oci.delegate-cgroup",
                                             "run.oci.handler" };

        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                if (json_get(annotations, names[i]))
                        return fail_text(EOPNOTSUPP, "config.json: annotations: %s: not supported",
                                         names[i]);
        return 0;
}

static int take_path(json_object *annotations, const char *name, const char **ret) {
        *ret = json_string_or(annotations, name, NULL);
        return !*ret || (*ret)[0] == '/' ? 0 : wrong(name, *ret, "an absolute path");
}

static int take_mount_context(json_object *annotations, const char **ret) {
        static const char name[] = "run.oci.mount_context_type";
        static const char *const options[] = { "context", "fscontext", "defcontext", "rootcontext" };
        const char *value = json_string_or(annotations, name, options[0]);

        for (size_t i = 0; i < ELEMENTSOF(options); i++)
                if (streq(options[i], value)) {
                        *ret = options[i];
                        return 0;
                }
        return wrong(name, value, "context, fscontext, defcontext or rootcontext");
}

/**
 * spec_annotations_parse - what the annotations ask of us into @s; all of them have texts.
 *
 * Return: 0, -EINVAL or -EOPNOTSUPP with the annotation in fail_message().
 */
int spec_annotations_parse(json_object *annotations, Spec *s) {
        int r;

        s->mount_context = "context";
        if (!annotations)
                return 0;
        s->fail_unknown_syscalls =
                !streq(json_string_or(annotations, "run.oci.seccomp_fail_unknown_syscall", "0"), "0");
        if ((r = refuse(annotations)) < 0 ||
            (r = take_path(annotations, "run.oci.hooks.stdout", &s->hook_stdout)) < 0 ||
            (r = take_path(annotations, "run.oci.hooks.stderr", &s->hook_stderr)) < 0 ||
            (r = take_path(annotations, "run.oci.pidfd_receiver", &s->pidfd_receiver)) < 0)
                return r;
        return take_mount_context(annotations, &s->mount_context);
}

/**
 * spec_seccomp_receiver - where the listener of a filter goes if linux.seccomp.listenerPath does not say.
 * @ret: NULL if the annotations do not say.
 */
int spec_seccomp_receiver(json_object *annotations, const char **ret) {
        *ret = NULL;
        return annotations ? take_path(annotations, "run.oci.seccomp.receiver", ret) : 0;
}
