/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "../spec/spec.h"

uint64_t namespace_flag(NamespaceKind kind);
const char *namespace_file(NamespaceKind kind);
uint64_t namespaces_clone_flags(const Spec *s);

/* While the child is cloned the parent stands in the namespaces that are joined by path. */
typedef struct NamespaceJoin {
        int own_fds[_NS_MAX];
} NamespaceJoin;
bool namespaces_need_helper(const Spec *s);
int namespaces_join(const Spec *s, NamespaceJoin *ret);
int namespaces_enter(const Spec *s);
int namespaces_enter_new_time(const Spec *s);
bool namespace_is_ours(const Spec *s, NamespaceKind kind);
int namespaces_open_mount(const Spec *s, int *ret_fd);
int namespaces_enter_mount(const Spec *s, int fd);
int namespaces_leave(NamespaceJoin *j);
