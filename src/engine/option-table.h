/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <json-c/json.h>

#include "error.h"

/*
 * What berth knows of each field of Docker's request objects. A field is either done or refused by name when
 * it asks for something; a field in no table is unknown and left alone, as Docker does with fields newer
 * than itself.
 */
typedef enum OptionType {
        OPTION_BOOL,
        OPTION_INT,
        OPTION_STRING,
        OPTION_STRINGS,       /* array of strings */
        OPTION_STRING_OR_LIST, /* one string counts as a list of one */
        OPTION_ARRAY,
        OPTION_OBJECT,
        OPTION_STRING_MAP, /* object of strings */
} OptionType;

typedef struct Option {
        const char *name;
        OptionType type;
        bool refused;        /* EOPNOTSUPP unless empty, zero, false or equal to @neutral */
        const char *fallback; /* JSON text shown by inspect when the user said nothing; NULL: left out */
        const char *neutral; /* JSON text of one more value that asks for nothing */
} Option;

extern const Option config_options[];
extern const Option host_options[];
extern const Option endpoint_options[];

bool json_is_empty_value(json_object *v);
/* @table ends with a NULL name. @prefix names the object in error texts. A NULL or absent @user gives the
 * defaults. */
int options_merge(const Option *table, const char *prefix, json_object *user, json_object **ret,
                  EngineError *reterr);
