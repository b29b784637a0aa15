/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

struct Shim;

typedef enum WaitCondition {
        WAIT_EXIT, /* not-running and next-exit: the shim only lives around one run */
        WAIT_REMOVED,
        _WAIT_INVALID = -22,
} WaitCondition;

WaitCondition wait_condition_from_string(const char *s);
int waiter_new(struct Shim *s, int fd, WaitCondition condition);
int waiter_restore(struct Shim *s, int fd, unsigned slot);
void waiter_answer(struct Shim *s, WaitCondition condition);
void waiter_store_all(struct Shim *s);
