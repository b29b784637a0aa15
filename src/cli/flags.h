/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Docker's flag syntax over one table per command; values land in the command's options struct. */
typedef enum FlagType {
        FLAG_BOOL,     /* bool */
        FLAG_STRING,   /* const char *, points into argv */
        FLAG_LIST,     /* StringList */
        FLAG_INT,      /* int64_t */
        FLAG_BYTES,    /* int64_t, "512m" */
        FLAG_DECIMAL,  /* int64_t, billionths: "1.5" */
} FlagType;

typedef struct StringList {
        const char **items; /* NULL or NULL-terminated; the strings point into argv */
        size_t n;
} StringList;

typedef struct Flag {
        const char *name;
        char short_name; /* 0: none */
        FlagType type;
        size_t offset;
        const char *value; /* what --help calls the value; NULL: by type */
        const char *help;
} Flag;

int flags_parse(const Flag *flags, bool interspersed, char **argv, void *options, char ***ret_args,
                char **reterr);
void flags_done(const Flag *flags, void *options);
void flags_print(const Flag *flags, FILE *f);
int string_list_add(StringList *l, const char *s);

int size_parse(const char *s, int64_t *ret);
int decimal_parse(const char *s, int64_t *ret);
int duration_parse(const char *s, int64_t *ret);
