/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "json.h"

#include <math.h>

#include "file.h"
#include "str.h"

/* json-c takes NaN and Infinity for numbers; nobody we pass them on to could read them. */
static bool has_non_finite(json_object *o) {
        if (json_object_is_type(o, json_type_double))
                return !isfinite(json_object_get_double(o));
        if (json_object_is_type(o, json_type_array)) {
                for (size_t i = 0; i < json_object_array_length(o); i++)
                        if (has_non_finite(json_object_array_get_idx(o, i)))
                                return true;
        } else if (json_object_is_type(o, json_type_object)) {
                json_object_object_foreach(o, key, value) {
                        (void) key;
                        if (has_non_finite(value))
                                return true;
                }
        }
        return false;
}

static bool mentions_non_finite(const char *text, size_t size) {
        return memmem(text, size, "NaN", 3) || memmem(text, size, "Infinity", 8);
}

/**
 * json_parse - parse exactly one value; trailing white space only.
 *
 * Return: 0, -EBADMSG for malformed text, -ENODATA for empty input, -ENOMEM.
 */
int json_parse(const char *text, size_t size, json_object **ret) {
        struct json_tokener *tok;
        enum json_tokener_error e;
        json_object *o;
        size_t used;

        if (!text || strspn(text, " \t\r\n") >= size)
                return -ENODATA;
        if (size > INT32_MAX)
                return -EBADMSG;
        tok = json_tokener_new_ex(JSON_DEPTH_MAX);
        if (!tok)
                return -ENOMEM;
        json_tokener_set_flags(tok, JSON_TOKENER_STRICT | JSON_TOKENER_ALLOW_TRAILING_CHARS);
        o = json_tokener_parse_ex(tok, text, (int) size);
        e = json_tokener_get_error(tok);
        if (e == json_tokener_continue) {
                /* A bare number ends only with the input; a NUL tells the parser so. */
                o = json_tokener_parse_ex(tok, "", 1);
                e = json_tokener_get_error(tok);
                used = size;
        } else
                used = json_tokener_get_parse_end(tok);
        json_tokener_free(tok);
        if (e != json_tokener_success || used + strspn(text + used, " \t\r\n") < size ||
            (mentions_non_finite(text, size) && has_non_finite(o))) {
                json_object_put(o);
                return -EBADMSG;
        }
        if (!o)
                return -EBADMSG;
        *ret = o;
        return 0;
}

/** json_load_at - read and parse a file of at most @max bytes. */
int json_load_at(int dir_fd, const char *path, size_t max, json_object **ret) {
        _cleanup_free_ char *text = NULL;
        size_t size;
        int r;

        r = read_file_at(dir_fd, path, max, &text, &size);
        if (r < 0)
                return r;
        return json_parse(text, size, ret);
}

/** json_get - borrowed value of @key, NULL if absent, null, or @o is no object. */
json_object *json_get(json_object *o, const char *key) {
        json_object *v;

        if (!o || !json_object_is_type(o, json_type_object) || !json_object_object_get_ex(o, key, &v))
                return NULL;
        return v;
}

static int get_typed(json_object *o, const char *key, json_type type, json_object **ret) {
        json_object *v = json_get(o, key);

        if (v && !json_object_is_type(v, type))
                return -EINVAL;
        *ret = v;
        return v != NULL;
}

/** json_get_object - borrowed. Return: 1, 0 when absent (NULL is stored), -EINVAL for another type. */
int json_get_object(json_object *o, const char *key, json_object **ret) {
        return get_typed(o, key, json_type_object, ret);
}

/** json_get_array - borrowed. Return: as json_get_object(). */
int json_get_array(json_object *o, const char *key, json_object **ret) {
        return get_typed(o, key, json_type_array, ret);
}

/** json_get_string - borrowed text. Return: 1, 0 when absent (@ret untouched), -EINVAL for another type or
 * embedded NUL. */
int json_get_string(json_object *o, const char *key, const char **ret) {
        json_object *v;
        int r = get_typed(o, key, json_type_string, &v);

        if (r <= 0)
                return r;
        if (strlen(json_object_get_string(v)) != (size_t) json_object_get_string_len(v))
                return -EINVAL;
        *ret = json_object_get_string(v);
        return 1;
}

/** json_get_bool - Return: 1, 0 when absent (@ret untouched), -EINVAL for another type. */
int json_get_bool(json_object *o, const char *key, bool *ret) {
        json_object *v;
        int r = get_typed(o, key, json_type_boolean, &v);

        if (r > 0)
                *ret = json_object_get_boolean(v);
        return r;
}

/** json_get_int - Return: 1, 0 when absent (@ret untouched), -EINVAL for another type, -ERANGE. */
int json_get_int(json_object *o, const char *key, int64_t min, int64_t max, int64_t *ret) {
        json_object *v;
        int64_t n;
        int r = get_typed(o, key, json_type_int, &v);

        if (r <= 0)
                return r;
        n = json_object_get_int64(v);
        if (n < min || n > max)
                return -ERANGE;
        *ret = n;
        return 1;
}

/** json_get_strv - copies of an array of strings. Return: 1, 0 when absent (@ret untouched), -EINVAL,
 * -ENOMEM. */
int json_get_strv(json_object *o, const char *key, char ***ret) {
        _cleanup_strv_ char **l = new0(char *, 1);
        json_object *v;
        int r = get_typed(o, key, json_type_array, &v);

        if (r <= 0)
                return r;
        if (!l)
                return -ENOMEM;
        for (size_t i = 0; i < json_object_array_length(v); i++) {
                json_object *s = json_object_array_get_idx(v, i);

                if (!json_object_is_type(s, json_type_string) ||
                    strlen(json_object_get_string(s)) != (size_t) json_object_get_string_len(s))
                        return -EINVAL;
                r = strv_extend(&l, json_object_get_string(s));
                if (r < 0)
                        return r;
        }
        *ret = TAKE_PTR(l);
        return 1;
}

/** json_string_or - borrowed text of @key, @fallback when absent or of another type. */
const char *json_string_or(json_object *o, const char *key, const char *fallback) {
        const char *s = fallback;

        (void) json_get_string(o, key, &s);
        return s;
}

/** json_set - store and consume @value. Return: 0 or -ENOMEM. */
int json_set(json_object *o, const char *key, json_object *value) {
        if (!value)
                return -ENOMEM;
        if (json_object_object_add(o, key, value) < 0) {
                json_object_put(value);
                return -ENOMEM;
        }
        return 0;
}

/** json_set_str - store a copy of @value; NULL stores null. */
int json_set_str(json_object *o, const char *key, const char *value) {
        return value ? json_set(o, key, json_object_new_string(value)) : json_set_null(o, key);
}

/** json_set_int - store a number. */
int json_set_int(json_object *o, const char *key, int64_t value) {
        return json_set(o, key, json_object_new_int64(value));
}

/** json_set_bool - store a truth value. */
int json_set_bool(json_object *o, const char *key, bool value) {
        return json_set(o, key, json_object_new_boolean(value));
}

/** json_set_null - store an explicit null. */
int json_set_null(json_object *o, const char *key) {
        return json_object_object_add(o, key, NULL) < 0 ? -ENOMEM : 0;
}

/** json_add - append and consume @value. Return: 0 or -ENOMEM. */
int json_add(json_object *array, json_object *value) {
        if (!value)
                return -ENOMEM;
        if (json_object_array_add(array, value) < 0) {
                json_object_put(value);
                return -ENOMEM;
        }
        return 0;
}

/** json_add_str - append a copy of @value. */
int json_add_str(json_object *array, const char *value) {
        return json_add(array, json_object_new_string(value));
}

/** json_new_strv - see json.h; NULL @l gives an empty array. */
json_object *json_new_strv(char *const *l) {
        _cleanup_json_ json_object *a = json_object_new_array();

        if (!a)
                return NULL;
        for (; l && *l; l++)
                if (json_add_str(a, *l) < 0)
                        return NULL;
        return TAKE_PTR(a);
}

/** json_text - see json.h. */
const char *json_text(json_object *o) {
        return json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
}
