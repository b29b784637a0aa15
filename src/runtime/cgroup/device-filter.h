/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <linux/bpf.h>

#include "../spec/spec.h"

#define DEVICE_FILTER_MAX 4096
#define DEVICE_ANY INT64_MIN

typedef struct DeviceRule {
        char type; /* a, b, c */
        int64_t major, minor;
        unsigned access; /* BPF_DEVCG_ACC_* */
        bool allow;
} DeviceRule;

int device_rule_parse(json_object *o, DeviceRule *ret);
bool device_rule_is_for_all(const DeviceRule *rule);
extern const DeviceRule device_rules_always[];
extern const size_t device_rules_always_n;

/* Exposed for the unit test. */
int device_filter_build(json_object *rules, size_t n_rules, struct bpf_insn *code, size_t *ret_n);
int device_filter_apply(int cgroup_fd, const Spec *s);
int device_filter_check(json_object *resources);
int device_filter_replace(int cgroup_fd, const Spec *s);
