/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "macro.h"

/* A NULL-terminated array of strings, each and the array owned. */
char **strv_free(char **l);
DEFINE_CLEANUP_FUNC(char **, strv_free)
#define _cleanup_strv_ _cleanup_(strv_freep)
size_t strv_length(char *const *l);
int strv_extend(char ***l, const char *s);
int strv_consume(char ***l, char *s);
int strv_split(const char *s, char separator, char ***ret);
char *strv_join(char *const *l, const char *separator);

const char *startswith(const char *s, const char *prefix);
const char *endswith(const char *s, const char *suffix);
char *str_printf(const char *fmt, ...) _printf_(1, 2);
/* str_concat("a", "b") - a new string of all arguments, NULL on ENOMEM. */
char *str_concat_sentinel(const char *first, ...) __attribute__((__sentinel__));
#define str_concat(...) str_concat_sentinel(__VA_ARGS__, NULL)

int parse_u64(const char *s, uint64_t max, uint64_t *ret);
int parse_i64(const char *s, int64_t min, int64_t max, int64_t *ret);
int parse_bool(const char *s);

bool hex_is_valid(const char *s, size_t length);
void hex_encode(const void *data, size_t size, char *ret);
int random_hex(size_t bytes, char *ret);

int signal_from_string(const char *s);
const char *signal_to_name(int sig);
