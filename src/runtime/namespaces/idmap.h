/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "../spec/spec.h"

int idmap_write(pid_t pid, const SpecIdMap *uids, size_t n_uids, const SpecIdMap *gids, size_t n_gids);
bool idmap_outside(const SpecIdMap *maps, size_t n, uint32_t inside, uint32_t *ret);
bool idmap_contains(const SpecIdMap *maps, size_t n, uint32_t inside);
bool idmap_denies_groups(const SpecIdMap *gids, size_t n);
int idmap_namespace(const Spec *s, const SpecMount *m);
int idmap_apply(const SpecMount *m, int mount_fd, int user_fd);
