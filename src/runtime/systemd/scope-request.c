/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "scope-request.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/** scope_type_is_known - the D-Bus types a property may have. */
bool scope_type_is_known(const char *type) {
        static const char *const types[] = { "y",  "b",  "n",  "q",  "i",  "u",  "x",  "t",     "d",    "s",
                                             "ay", "an", "aq", "ai", "au", "ax", "at", "ad",    "as",   "ab",
                                             "a(ss)", "a(st)" };

        for (size_t i = 0; i < ELEMENTSOF(types); i++)
                if (streq(types[i], type))
                        return true;
        return false;
}

/** scope_property_name_is_valid - whether @name looks like a property: letters and digits, a capital first.
 */
bool scope_property_name_is_valid(const char *name) {
        size_t n = strlen(name);

        return n >= 3 && n <= 64 && name[0] >= 'A' && name[0] <= 'Z' &&
               strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") == n;
}

/** scope_request_begin - the first fields of a request. */
int scope_request_begin(Buffer *b, const char *verb, const char *unit) {
        int r = fields_put(b, '\n', "verb", verb);

        return r < 0 ? r : fields_put(b, '\n', "unit", unit);
}

/** scope_request_put - append one property. Return: 0, -E2BIG past the size of a request, -ENOMEM. */
int scope_request_put(Buffer *b, const char *name, const char *type, const char *value) {
        assert(scope_property_name_is_valid(name));
        assert(scope_type_is_known(type));
        return fields_putf(b, '\n', "property", "%s %s %s", name, type, value);
}

/** scope_request_put_optional - as scope_request_put(), for a property that not every systemd has. */
int scope_request_put_optional(Buffer *b, const char *name, const char *type, const char *value) {
        assert(scope_property_name_is_valid(name));
        assert(scope_type_is_known(type));
        return fields_putf(b, '\n', "optional", "%s %s %s", name, type, value);
}

/** scope_request_putf - scope_request_put() with a formatted value. */
int scope_request_putf(Buffer *b, const char *name, const char *type, const char *fmt, ...) {
        _cleanup_free_ char *value = NULL;
        va_list ap;
        int n;

        va_start(ap, fmt);
        n = vasprintf(&value, fmt, ap);
        va_end(ap);
        if (n < 0) {
                value = NULL;
                return -ENOMEM;
        }
        return scope_request_put(b, name, type, value);
}

/** scope_property_done - release a parsed property. */
void scope_property_done(ScopeProperty *p) {
        free(p->name);
        *p = (ScopeProperty) {};
}

/** scope_property_parse - take the value of a property line apart. Return: 0, -EBADMSG, -ENOMEM. */
int scope_property_parse(const char *text, ScopeProperty *ret) {
        ScopeProperty p = { .name = strdup(text) };
        int r = -EBADMSG;

        if (!p.name)
                return -ENOMEM;
        p.type = strchr(p.name, ' ');
        if (p.type) {
                *p.type++ = 0;
                p.value = strchr(p.type, ' ');
        }
        if (p.value) {
                *p.value++ = 0;
                if (scope_property_name_is_valid(p.name) && scope_type_is_known(p.type))
                        r = 0;
        }
        if (r < 0)
                scope_property_done(&p);
        else
                *ret = p;
        return r;
}
