/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <linux/bpf.h>

#include "spec.h"

#define DEVICE_FILTER_MAX 4096

/* Exposed for the unit test. */
int device_filter_build(json_object *rules, size_t n_rules, struct bpf_insn *code, size_t *ret_n);
int device_filter_apply(int cgroup_fd, const Spec *s);
int device_filter_check(json_object *resources);
int device_filter_replace(int cgroup_fd, const Spec *s);
