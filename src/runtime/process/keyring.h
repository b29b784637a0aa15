/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

int keyring_leave(void);
