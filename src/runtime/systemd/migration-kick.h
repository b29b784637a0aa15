/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

void migration_kick(void);
