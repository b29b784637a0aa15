/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Annotations org.systemd.property.NAME: unit properties in GVariant's text form, as runc takes them.
 * Numbers, booleans, strings and arrays of these are understood; everything else is refused by name.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../basic/str.h"
#include "../error.h"
#include "systemd-properties.h"

#define PREFIX "org.systemd.property."
#define VALUE_MAX 16384
#define USEC_PER_SECOND 1000000

typedef struct Parser {
        const char *p;
        char type; /* of a basic value; 0: not known yet */
        bool array;
        Buffer out;
} Parser;

static void skip_space(Parser *x) {
        x->p += strspn(x->p, " \t\n");
}

static bool take(Parser *x, const char *word) {
        const char *end = startswith(x->p, word);

        if (!end)
                return false;
        x->p = end;
        return true;
}

/* "uint64 " or "@t " before a value. */
static int take_type(Parser *x) {
        static const struct {
                const char *word;
                char type;
        } words[] = {
                { "boolean ", 'b' }, { "byte ", 'y' },   { "int16 ", 'n' }, { "uint16 ", 'q' },
                { "int32 ", 'i' },   { "uint32 ", 'u' }, { "int64 ", 'x' }, { "uint64 ", 't' },
                { "double ", 'd' },  { "string ", 's' },
        };

        for (size_t i = 0; i < ELEMENTSOF(words); i++)
                if (take(x, words[i].word)) {
                        x->type = words[i].type;
                        skip_space(x);
                        return 0;
                }
        if (!take(x, "@"))
                return 0;
        if (take(x, "a"))
                x->array = true;
        if (!*x->p || !strchr("bynqiuxtds", *x->p))
                return -EINVAL;
        x->type = *x->p++;
        if (*x->p != ' ')
                return -EINVAL;
        skip_space(x);
        return 0;
}

static int settle_type(Parser *x, char type) {
        if (x->type == 0)
                x->type = type;
        return x->type == type ? 0 : -EINVAL;
}

static int take_string(Parser *x) {
        const char quote = *x->p++;
        int r = settle_type(x, 's');

        while (r >= 0 && *x->p && *x->p != quote) {
                char c = *x->p++;

                if (c == '\\') {
                        static const char names[] = "nt\\'\"", values[] = "\n\t\\'\"";
                        const char *at = *x->p ? strchr(names, *x->p) : NULL;

                        if (!at)
                                return -EINVAL;
                        c = values[at - names];
                        x->p++;
                }
                /* Lines divide the items of an array. */
                if (c == '\n' && x->array)
                        return -EINVAL;
                r = buffer_append(&x->out, &c, 1);
        }
        if (r >= 0 && *x->p != quote)
                return -EINVAL;
        x->p++;
        return r;
}

static int take_integer(Parser *x, char *text) {
        static const struct {
                char type;
                int64_t min;
                uint64_t max;
        } ranges[] = {
                { 'y', 0, UINT8_MAX },          { 'n', INT16_MIN, INT16_MAX }, { 'q', 0, UINT16_MAX },
                { 'i', INT32_MIN, INT32_MAX },  { 'u', 0, UINT32_MAX },        { 'x', INT64_MIN, INT64_MAX },
                { 't', 0, UINT64_MAX },
        };
        bool negative = text[0] == '-';
        const char *digits = text + (text[0] == '-' || text[0] == '+');
        unsigned long long u;
        char *end;

        if (digits[0] < '0' || digits[0] > '9')
                return -EINVAL;
        errno = 0;
        u = strtoull(digits, &end, 0);
        if (*end || errno != 0)
                return -EINVAL;
        for (size_t i = 0; i < ELEMENTSOF(ranges); i++) {
                if (ranges[i].type != x->type)
                        continue;
                if (negative ? u > (uint64_t) - (ranges[i].min + 1) + 1 || (ranges[i].min == 0 && u > 0) :
                               u > ranges[i].max)
                        return -ERANGE;
                return buffer_appendf(&x->out, "%s%llu", negative && u > 0 ? "-" : "", u);
        }
        return -EINVAL;
}

static int take_number(Parser *x) {
        size_t n = strcspn(x->p, " \t\n,]");
        char text[64], *end;

        if (n == 0 || n >= sizeof(text))
                return -EINVAL;
        (void) snprintf(text, sizeof(text), "%.*s", (int) n, x->p);
        x->p += n;
        if (x->type == 0)
                x->type = strpbrk(text, ".eE") && !startswith(text, "0x") ? 'd' : 'i';
        if (x->type != 'd')
                return take_integer(x, text);
        (void) strtod(text, &end);
        return *end || end == text ? -EINVAL : buffer_append_str(&x->out, text);
}

static int take_basic(Parser *x) {
        if (*x->p == '\'' || *x->p == '"')
                return take_string(x);
        if (take(x, "true"))
                return settle_type(x, 'b') < 0 ? -EINVAL : buffer_append(&x->out, "1", 1);
        if (take(x, "false"))
                return settle_type(x, 'b') < 0 ? -EINVAL : buffer_append(&x->out, "0", 1);
        return take_number(x);
}

static int take_array(Parser *x) {
        int r = 0;

        x->array = true;
        x->p++;
        skip_space(x);
        for (bool first = true; r >= 0 && !take(x, "]"); first = false) {
                size_t before;

                if (!first && !take(x, ","))
                        return -EINVAL;
                skip_space(x);
                if (!first)
                        r = buffer_append(&x->out, "\n", 1);
                if (r >= 0)
                        r = take_type(x);
                before = x->out.size;
                if (r >= 0)
                        r = take_basic(x);
                if (r >= 0 && x->out.size == before)
                        return -EINVAL;
                skip_space(x);
        }
        /* Bytes travel as hexadecimal digits: of no use in annotations. */
        return r < 0 ? r : x->type == 0 || x->type == 'y' ? -EINVAL : 0;
}

static int parse_value(const char *text, Parser *x) {
        int r;

        x->p = text;
        skip_space(x);
        r = take_type(x);
        if (r >= 0)
                r = *x->p == '[' ? take_array(x) : x->array ? -EINVAL : take_basic(x);
        skip_space(x);
        return r < 0 ? r : *x->p ? -EINVAL : 0;
}

/* TimeoutStopSec of unit files is TimeoutStopUSec on the bus. */
static int put_seconds(Buffer *b, const char *name, const Parser *x) {
        _cleanup_free_ char *usec = str_printf("%.*sUSec", (int) (strlen(name) - strlen("Sec")), name);
        double seconds;

        if (!usec)
                return -ENOMEM;
        if (x->array || !strchr("ynqiuxtd", x->type))
                return -EINVAL;
        seconds = strtod(x->out.data, NULL);
        if (!(seconds >= 0 && seconds * USEC_PER_SECOND < (double) INT64_MAX))
                return -ERANGE;
        return scope_request_putf(b, usec, "t", "%" PRIu64, (uint64_t) (seconds * USEC_PER_SECOND));
}

static int put_annotation(Buffer *b, const char *name, const char *text) {
        /* What says which processes the unit is about, and where: the driver's own. */
        static const char *const own[] = { "PIDs", "PIDFDs", "Slice", "Controller", "Delegate" };
        Parser x = { .out = BUFFER_INIT(VALUE_MAX) };
        char type[3];
        int r;

        for (size_t i = 0; i < ELEMENTSOF(own); i++)
                if (streq(own[i], name))
                        return fail_text(EINVAL, "config.json: annotations: " PREFIX "%s: cannot be changed",
                                         name);
        if (!scope_property_name_is_valid(name) || strlen(name) > 60)
                return fail_text(EINVAL,
                                 "config.json: annotations: " PREFIX "%s: not the name of a property", name);
        r = parse_value(text, &x);
        if (r >= 0 && endswith(name, "Sec") && !endswith(name, "USec"))
                r = put_seconds(b, name, &x);
        else if (r >= 0) {
                (void) snprintf(type, sizeof(type), "%s%c", x.array ? "a" : "", x.type);
                r = scope_request_put(b, name, type, x.out.data ? x.out.data : "");
        }
        buffer_done(&x.out);
        if (r < 0 && r != -ENOMEM)
                return fail_text(EINVAL,
                                 "config.json: annotations: " PREFIX
                                 "%s: \"%s\" is no value in GVariant's text form that is supported",
                                 name, text);
        return r;
}

/** systemd_put_annotations - append the properties that annotations ask for. Return: 0, -EINVAL with a
 * message, -E2BIG, -ENOMEM. */
int systemd_put_annotations(Buffer *b, json_object *annotations) {
        if (!annotations)
                return 0;
        json_object_object_foreach(annotations, key, value) {
                const char *name = startswith(key, PREFIX);
                int r;

                if (!name)
                        continue;
                if (!json_object_is_type(value, json_type_string))
                        return fail_text(EINVAL, "config.json: annotations: %s: expected a string", key);
                r = put_annotation(b, name, json_object_get_string(value));
                if (r < 0)
                        return r;
        }
        return 0;
}
