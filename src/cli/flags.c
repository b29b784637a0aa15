/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "flags.h"

#include <ctype.h>
#include <inttypes.h>

#include "../basic/macro.h"
#include "../basic/str.h"

/** string_list_add - append a borrowed string. Return: 0 or -ENOMEM. */
int string_list_add(StringList *l, const char *s) {
        const char **p = reallocarray(l->items, l->n + 2, sizeof(char *));

        if (!p)
                return -ENOMEM;
        p[l->n++] = s;
        p[l->n] = NULL;
        l->items = p;
        return 0;
}

/** size_parse - "64m", "1.5g", "512kB", "100"; units are powers of 1024. Return: 0, -EINVAL, -ERANGE. */
int size_parse(const char *s, int64_t *ret) {
        static const char units[] = "kmgtp";
        double v, scale = 1;
        char *end;

        if (!isdigit((unsigned char) *s) && *s != '.')
                return -EINVAL;
        if (s[0] == '0' && (s[1] == 'x' || s[1] == 'X'))
                return -EINVAL;
        v = strtod(s, &end);
        if (end == s)
                return -EINVAL;
        if (*end == ' ')
                end++;
        if (*end) {
                const char *u = strchr(units, tolower((unsigned char) *end));

                if (u) {
                        for (const char *i = units; i <= u; i++)
                                scale *= 1024;
                        end++;
                        if (tolower((unsigned char) *end) == 'i')
                                end++;
                }
                if (tolower((unsigned char) *end) == 'b')
                        end++;
                if (*end)
                        return -EINVAL;
        }
        if (v * scale >= 9.2e18)
                return -ERANGE;
        *ret = (int64_t) (v * scale);
        return 0;
}

/** decimal_parse - "1.5" as billionths, exactly. Return: 0, -EINVAL, -ERANGE. */
int decimal_parse(const char *s, int64_t *ret) {
        int64_t v = 0, scale = 1000000000;
        bool digits = false;

        for (; isdigit((unsigned char) *s); s++, digits = true) {
                if (v > 900000000)
                        return -ERANGE;
                v = v * 10 + (*s - '0');
        }
        v *= scale;
        if (*s == '.')
                for (s++; isdigit((unsigned char) *s); s++, digits = true) {
                        scale /= 10;
                        v += (*s - '0') * scale;
                        if (scale == 0 && *s != '0')
                                return -EINVAL;
                }
        if (*s || !digits)
                return -EINVAL;
        *ret = v;
        return 0;
}

/** duration_parse - "1m30s", "1.5h", "500ms" in nanoseconds; "0" too. Return: 0 or -EINVAL. */
int duration_parse(const char *s, int64_t *ret) {
        static const struct {
                const char *name;
                double ns;
        } units[] = {
                { "ns", 1 }, { "us", 1e3 }, { "ms", 1e6 }, { "s", 1e9 }, { "m", 60e9 }, { "h", 3600e9 }
        };
        double v = 0;

        if (streq(s, "0")) {
                *ret = 0;
                return 0;
        }
        if (!*s)
                return -EINVAL;
        while (*s) {
                char *end;
                double n = isdigit((unsigned char) *s) || *s == '.' ? strtod(s, &end) : -1;
                size_t length, i;

                if (n < 0 || end == s)
                        return -EINVAL;
                length = strcspn(end, "0123456789.");
                for (i = 0; i < ELEMENTSOF(units); i++)
                        if (strlen(units[i].name) == length && strncmp(units[i].name, end, length) == 0)
                                break;
                if (i == ELEMENTSOF(units))
                        return -EINVAL;
                v += n * units[i].ns;
                s = end + length;
        }
        if (v >= 9.2e18)
                return -EINVAL;
        *ret = (int64_t) v;
        return 0;
}

static const Flag *find_long(const Flag *flags, const char *name, size_t length) {
        for (; flags && flags->name; flags++)
                if (strlen(flags->name) == length && memcmp(flags->name, name, length) == 0)
                        return flags;
        return NULL;
}

static const Flag *find_short(const Flag *flags, char name) {
        for (; flags && flags->name; flags++)
                if (flags->short_name == name)
                        return flags;
        return NULL;
}

static int bad_value(const Flag *f, const char *value, const char *why, char **reterr) {
        char shown[4] = { '-', f->short_name, ',', 0 };

        *reterr = str_printf("invalid argument \"%s\" for \"%s%s--%s\" flag: %s", value,
                             f->short_name ? shown : "", f->short_name ? " " : "", f->name, why);
        return -EINVAL;
}

static int set_value(const Flag *f, const char *value, void *options, char **reterr) {
        void *p = (char *) options + f->offset;
        int r;

        switch (f->type) {
        case FLAG_BOOL:
                r = *value ? parse_bool(value) : -EINVAL;
                if (r < 0)
                        return bad_value(f, value, "invalid syntax", reterr);
                *(bool *) p = r;
                return 0;
        case FLAG_STRING:
                *(const char **) p = value;
                return 0;
        case FLAG_LIST:
                return string_list_add(p, value);
        case FLAG_INT:
                r = parse_i64(value, INT64_MIN + 1, INT64_MAX, p);
                return r < 0 ? bad_value(f, value, r == -ERANGE ? "value out of range" : "invalid syntax",
                                         reterr)
                             : 0;
        case FLAG_BYTES:
                r = streq(value, "-1") ? (*(int64_t *) p = -1, 0) : size_parse(value, p);
                return r < 0 ? bad_value(f, value, "invalid size", reterr) : 0;
        case FLAG_DECIMAL:
                r = decimal_parse(value, p);
                return r < 0 ? bad_value(f, value, "not a number of CPUs", reterr) : 0;
        }
        return -EINVAL;
}

static int parse_long(const Flag *flags, char ***argv, void *options, char **reterr) {
        const char *arg = **argv + 2, *eq = strchrnul(arg, '=');
        const Flag *f = find_long(flags, arg, (size_t) (eq - arg));

        if (!f) {
                *reterr = str_printf("unknown flag: --%.*s", (int) (eq - arg), arg);
                return -EINVAL;
        }
        if (*eq)
                return set_value(f, eq + 1, options, reterr);
        if (f->type == FLAG_BOOL)
                return set_value(f, "true", options, reterr);
        if (!(*argv)[1]) {
                *reterr = str_printf("flag needs an argument: --%s", f->name);
                return -EINVAL;
        }
        return set_value(f, *++*argv, options, reterr);
}

static int parse_short(const Flag *flags, char ***argv, void *options, char **reterr) {
        const char *all = **argv;
        int r;

        for (const char *p = all + 1; *p; p++) {
                const Flag *f = find_short(flags, *p);

                if (!f) {
                        *reterr = str_printf("unknown shorthand flag: '%c' in %s", *p, all);
                        return -EINVAL;
                }
                if (p[1] == '=')
                        return set_value(f, p + 2, options, reterr);
                if (f->type == FLAG_BOOL) {
                        r = set_value(f, "true", options, reterr);
                        if (r < 0)
                                return r;
                        continue;
                }
                if (p[1])
                        return set_value(f, p + 1, options, reterr);
                if (!(*argv)[1]) {
                        *reterr = str_printf("flag needs an argument: '%c' in %s", *p, all);
                        return -EINVAL;
                }
                return set_value(f, *++*argv, options, reterr);
        }
        return 0;
}

/**
 * flags_parse - sort @argv into @options and positional arguments.
 * @interspersed: flags may follow positional arguments; else the first one ends them (run, exec, create).
 * @ret_args: NULL-terminated array to free(); its strings are @argv's.
 * @reterr: text for the user on failure.
 *
 * Return: 0, 1 if help was asked for (nothing else is set), -EINVAL with @reterr, -ENOMEM.
 */
int flags_parse(const Flag *flags, bool interspersed, char **argv, void *options, char ***ret_args,
                char **reterr) {
        _cleanup_free_ char **args = NULL;
        size_t n = 0;
        bool open = true;
        int r;

        args = new0(char *, strv_length(argv) + 1);
        if (!args)
                return -ENOMEM;
        for (; *argv; argv++) {
                char *a = *argv;

                if (!open || a[0] != '-' || !a[1]) {
                        args[n++] = a;
                        if (!interspersed)
                                open = false;
                        continue;
                }
                if (streq(a, "--")) {
                        open = false;
                        continue;
                }
                if (streq(a, "--help") || (streq(a, "-h") && !find_short(flags, 'h')))
                        return 1;
                r = a[1] == '-' ? parse_long(flags, &argv, options, reterr)
                                : parse_short(flags, &argv, options, reterr);
                if (r < 0)
                        return r;
        }
        *ret_args = TAKE_PTR(args);
        return 0;
}

/** flags_done - free the lists in @options. */
void flags_done(const Flag *flags, void *options) {
        for (; flags && flags->name; flags++)
                if (flags->type == FLAG_LIST) {
                        StringList *l = (StringList *) ((char *) options + flags->offset);

                        l->items = mfree(l->items);
                        l->n = 0;
                }
}

static const char *value_name(const Flag *f) {
        static const char *const names[] = {
                [FLAG_BOOL] = "",    [FLAG_STRING] = "string", [FLAG_LIST] = "list",
                [FLAG_INT] = "int",  [FLAG_BYTES] = "bytes",   [FLAG_DECIMAL] = "decimal",
        };

        return f->value ? f->value : names[f->type];
}

static int compare_names(const void *a, const void *b) {
        return strcmp((*(const Flag *const *) a)->name, (*(const Flag *const *) b)->name);
}

/** flags_print - the "Options:" part of --help, sorted by name. */
void flags_print(const Flag *flags, FILE *f) {
        _cleanup_free_ const Flag **sorted = NULL;
        size_t width = 0, n = 0;

        while (flags[n].name)
                n++;
        sorted = new0(const Flag *, n);
        if (!sorted)
                return;
        for (size_t i = 0; i < n; i++) {
                sorted[i] = &flags[i];
                width = MAX(width, strlen(flags[i].name) + 1 + strlen(value_name(&flags[i])));
        }
        qsort(sorted, n, sizeof(sorted[0]), compare_names);
        for (size_t i = 0; i < n; i++) {
                const Flag *l = sorted[i];
                char shown[5] = { '-', l->short_name, ',', ' ', 0 };

                fprintf(f, "  %s--%s %-*s  %s\n", l->short_name ? shown : "    ", l->name,
                        (int) (width - strlen(l->name) - 1), value_name(l), l->help);
        }
}
