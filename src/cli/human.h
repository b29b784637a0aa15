/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Sizes and times as docker words them. */
#define HUMAN_MAX 64
void human_duration(int64_t seconds, char ret[HUMAN_MAX]);
void human_ago(int64_t unix_time, int64_t now, char ret[HUMAN_MAX]);
void human_size(int64_t bytes, int precision, char ret[HUMAN_MAX]);
void human_binary_size(int64_t bytes, char ret[HUMAN_MAX]);
void human_date(int64_t unix_time, char ret[HUMAN_MAX]);
