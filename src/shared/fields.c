/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fields.h"

#include <stdarg.h>
#include <stdio.h>

#include "../basic/file.h"
#include "../basic/str.h"

/** fields_done - free what fields_parse() made; safe on zeroed fields. */
void fields_done(Fields *f) {
        f->items = mfree(f->items);
        f->text = mfree(f->text);
        f->n = 0;
}

static bool key_is_valid(const char *key) {
        if (!(key[0] >= 'a' && key[0] <= 'z'))
                return false;
        for (const char *p = key; *p; p++)
                if (!((*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9') || *p == '-'))
                        return false;
        return true;
}

static int unescape(char *s) {
        char *out = s;

        for (; *s; s++) {
                if (*s != '\\') {
                        *out++ = *s;
                        continue;
                }
                s++;
                switch (*s) {
                case '\\':
                        *out++ = '\\';
                        break;
                case 'n':
                        *out++ = '\n';
                        break;
                case 't':
                        *out++ = '\t';
                        break;
                case 'r':
                        *out++ = '\r';
                        break;
                default:
                        return -EBADMSG;
                }
        }
        *out = 0;
        return 0;
}

static int parse_one(char *item, Field *ret) {
        char *eq = strchr(item, '=');
        int r;

        if (!eq)
                return -EBADMSG;
        *eq = 0;
        if (!key_is_valid(item))
                return -EBADMSG;
        r = unescape(eq + 1);
        if (r < 0)
                return r;
        *ret = (Field){ item, eq + 1 };
        return 0;
}

/**
 * fields_parse - parse @size bytes of fields text.
 * @separator: '\n' for files and messages, '\t' for state records; one at the end is allowed, empty items
 * are not.
 *
 * Return: 0, -EBADMSG for malformed text, -E2BIG past FIELDS_MAX or FIELDS_TEXT_MAX, -ENOMEM.
 */
int fields_parse(const char *text, size_t size, char separator, Fields *ret) {
        _cleanup_fields_ Fields f = {};
        size_t n = 0;
        int r;

        if (size > FIELDS_TEXT_MAX)
                return -E2BIG;
        if (memchr(text, 0, size))
                return -EBADMSG;
        if (size > 0 && text[size - 1] == separator)
                size--;
        f.text = strndup(text, size);
        if (!f.text)
                return -ENOMEM;
        for (size_t i = 0; i < size; i++)
                n += text[i] == separator;
        if (n + 1 > FIELDS_MAX)
                return -E2BIG;
        f.items = new0(Field, n + 1);
        if (!f.items)
                return -ENOMEM;
        for (char *p = f.text; size > 0;) {
                char *e = strchr(p, separator);

                if (e)
                        *e = 0;
                r = parse_one(p, &f.items[f.n]);
                if (r < 0)
                        return r;
                f.n++;
                if (!e)
                        break;
                p = e + 1;
        }
        *ret = f;
        f = (Fields){};
        return 0;
}

/** fields_load_at - read and parse a file of fields. Return: as fields_parse(), or -errno of reading. */
int fields_load_at(int dir_fd, const char *path, Fields *ret) {
        _cleanup_free_ char *text = NULL;
        size_t size;
        int r;

        r = read_file_at(dir_fd, path, FIELDS_TEXT_MAX, &text, &size);
        if (r < 0)
                return r;
        return fields_parse(text, size, '\n', ret);
}

/** fields_get_nth - the value of the @nth (from 0) field named @key, or NULL. */
const char *fields_get_nth(const Fields *f, const char *key, size_t nth) {
        for (size_t i = 0; i < f->n; i++)
                if (streq(f->items[i].key, key) && nth-- == 0)
                        return f->items[i].value;
        return NULL;
}

/** fields_get - the last value of @key (later ones win), or NULL. */
const char *fields_get(const Fields *f, const char *key) {
        for (size_t i = f->n; i > 0; i--)
                if (streq(f->items[i - 1].key, key))
                        return f->items[i - 1].value;
        return NULL;
}

/** fields_get_u64 - strict decimal. Return: 0, -ENODATA if absent, -EINVAL, -ERANGE. */
int fields_get_u64(const Fields *f, const char *key, uint64_t max, uint64_t *ret) {
        const char *v = fields_get(f, key);

        return v ? parse_u64(v, max, ret) : -ENODATA;
}

/** fields_get_i64_or - the number, or @fallback when absent or malformed. */
int64_t fields_get_i64_or(const Fields *f, const char *key, int64_t fallback) {
        const char *v = fields_get(f, key);
        int64_t n;

        return v && parse_i64(v, INT64_MIN + 1, INT64_MAX, &n) >= 0 ? n : fallback;
}

/** fields_get_bool - true only for "1". */
bool fields_get_bool(const Fields *f, const char *key) {
        return streq_ptr(fields_get(f, key), "1");
}

/** fields_put - append `key=value` and @separator, escaping the value. Return: 0, -E2BIG, -ENOMEM. */
int fields_put(Buffer *b, char separator, const char *key, const char *value) {
        size_t start = b->size;
        int r;

        assert(key_is_valid(key));
        r = buffer_append_str(b, key);
        if (r >= 0)
                r = buffer_append(b, "=", 1);
        while (r >= 0 && *value) {
                size_t n = strcspn(value, "\\\n\t\r");

                r = buffer_append(b, value, n);
                value += n;
                if (r < 0 || !*value)
                        break;
                r = buffer_append(b,
                                  *value == '\\'   ? "\\\\"
                                  : *value == '\n' ? "\\n"
                                  : *value == '\t' ? "\\t"
                                                   : "\\r",
                                  2);
                value++;
        }
        if (r >= 0)
                r = buffer_append(b, &separator, 1);
        if (r < 0) {
                b->size = start;
                if (b->data)
                        b->data[start] = 0;
        }
        return r;
}

/** fields_putf - fields_put() with a formatted value. */
int fields_putf(Buffer *b, char separator, const char *key, const char *fmt, ...) {
        _cleanup_free_ char *s = NULL;
        va_list ap;
        int n;

        va_start(ap, fmt);
        n = vasprintf(&s, fmt, ap);
        va_end(ap);
        if (n < 0) {
                s = NULL;
                return -ENOMEM;
        }
        return fields_put(b, separator, key, s);
}
