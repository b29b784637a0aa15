/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

int forwarding_enable_ipv4(void);
int forwarding_enable_ipv6(void);
