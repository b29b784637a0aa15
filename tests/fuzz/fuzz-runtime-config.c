/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <linux/bpf.h>

#include "fuzz.h"
#include "runtime/cgroup/device-filter.h"
#include "runtime/cgroup/resources.h"
#include "runtime/error.h"
#include "runtime/process/memory-policy.h"
#include "runtime/process/sysctl.h"
#include "runtime/spec/spec.h"

static void check_process(const SpecProcess *p) {
        assert(p->args && p->args[0] && p->cwd);
        for (size_t i = 0; i < p->n_rlimits; i++)
                assert(p->rlimits[i].name);
}

static void check_devices(const Spec *s) {
        struct bpf_insn code[DEVICE_FILTER_MAX];
        json_object *rules = NULL;
        size_t n_rules = 0, n = 0;

        if (spec_array(s->resources, "linux.resources", "devices", &rules, &n_rules) < 0 ||
            device_filter_build(rules, n_rules, code, &n) <= 0)
                return; /* refused, or all is allowed */
        assert(n > 0 && n <= DEVICE_FILTER_MAX && code[n - 1].code == (BPF_JMP | BPF_EXIT));
        for (size_t i = 0; i < n; i++)
                if (BPF_CLASS(code[i].code) == BPF_JMP && code[i].code != (BPF_JMP | BPF_EXIT))
                        assert(code[i].off >= 0 && i + 1 + (size_t) code[i].off < n);
}

/* What is refused is refused with a message; what is taken is whole. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_resources_ Resources resources = RESOURCES_INIT;
        _cleanup_free_ char *text = malloc(size + 1);
        _cleanup_spec_ Spec s = {};

        if (!text)
                return 0;
        memcpy(text, data, size);
        text[size] = 0;
        if (spec_parse(text, size, &s) < 0) {
                assert(fail_message()[0]);
                return 0;
        }
        assert(s.rootfs && s.oci_version);
        if (s.has_process)
                check_process(&s.process);
        for (size_t i = 0; i < s.n_mounts; i++)
                assert(s.mounts[i].destination && (!s.mounts[i].bind || s.mounts[i].source));
        for (size_t i = 0; i < s.n_net_devices; i++)
                assert(s.net_devices[i].name[0] && s.net_devices[i].inside[0]);
        if (memory_policy_check(s.memory_policy) < 0)
                assert(fail_message()[0]);
        (void) sysctl_check(&s);
        check_devices(&s);
        (void) resources_parse(s.resources, s.oci_version, &resources);
        return 0;
}
