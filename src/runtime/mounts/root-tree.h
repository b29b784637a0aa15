/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "../spec/spec.h"

/*
 * Makes the root and all its mounts in a mount namespace for this purpose alone.
 * @ret_peer: the container's side of its terminal, if it has one.
 *
 * Return: a descriptor of the root, or -errno with a message.
 */
typedef int (*RootBuilder)(void *userdata, int *ret_peer);

int root_tree_check(const Spec *s);
bool root_tree_is_needed(const Spec *s);
int root_tree_check_profile(const char *profile);
int root_tree_build(RootBuilder build, void *userdata, int *ret_peer);
int root_tree_enter(int root_fd);
