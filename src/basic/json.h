/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <json-c/json.h>

#include "macro.h"

/* Thin helpers over json-c: typed look-ups that say what is wrong, constructors that notice ENOMEM. */
static inline void json_putp(json_object **o) {
        if (*o)
                json_object_put(*o);
}
#define _cleanup_json_ _cleanup_(json_putp)

#define JSON_DEPTH_MAX 64

int json_parse(const char *text, size_t size, json_object **ret);
int json_load_at(int dir_fd, const char *path, size_t max, json_object **ret);

/* NULL when the key is absent or null. A present value of another type gives -EINVAL from the checked
 * getters. */
json_object *json_get(json_object *o, const char *key);
int json_get_object(json_object *o, const char *key, json_object **ret);
int json_get_array(json_object *o, const char *key, json_object **ret);
int json_get_string(json_object *o, const char *key, const char **ret);
int json_get_bool(json_object *o, const char *key, bool *ret);
int json_get_int(json_object *o, const char *key, int64_t min, int64_t max, int64_t *ret);
int json_get_strv(json_object *o, const char *key, char ***ret);

const char *json_string_or(json_object *o, const char *key, const char *fallback);

/* Setters consume @value, also on failure; NULL @value is -ENOMEM. json_set_null stores an explicit null. */
int json_set(json_object *o, const char *key, json_object *value);
int json_set_str(json_object *o, const char *key, const char *value);
int json_set_int(json_object *o, const char *key, int64_t value);
int json_set_bool(json_object *o, const char *key, bool value);
int json_set_null(json_object *o, const char *key);
int json_add(json_object *array, json_object *value);
int json_add_str(json_object *array, const char *value);
/* A new array of the strings, NULL on ENOMEM. */
json_object *json_new_strv(char *const *l);
/* The compact text, without escaped slashes; borrowed from @o until it changes. */
const char *json_text(json_object *o);
