/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit-name.h"

#include <stdio.h>
#include <string.h>

#include "../basic/str.h"

/** container_id_is_valid - 64 lower-case hex digits. */
bool container_id_is_valid(const char *id) {
        return strlen(id) == CONTAINER_ID_LENGTH && hex_is_valid(id, CONTAINER_ID_LENGTH);
}

static bool is_alnum(char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/** container_name_is_valid - Docker's rule: [a-zA-Z0-9][a-zA-Z0-9_.-]+, and short enough to be a file name.
 */
bool container_name_is_valid(const char *name) {
        size_t n = strlen(name);

        if (n < 2 || n > 255 || !is_alnum(name[0]))
                return false;
        for (size_t i = 1; i < n; i++)
                if (!is_alnum(name[i]) && !strchr("_.-", name[i]))
                        return false;
        return true;
}

/** unit_name_shim - berth@<id>.service. */
void unit_name_shim(const char *id, char ret[UNIT_NAME_SIZE]) {
        (void) snprintf(ret, UNIT_NAME_SIZE, "berth@%s.service", id);
}

/** unit_name_scope - berth-<id>.scope. */
void unit_name_scope(const char *id, char ret[UNIT_NAME_SIZE]) {
        (void) snprintf(ret, UNIT_NAME_SIZE, "berth-%s.scope", id);
}

/** unit_name_to_id - see unit-name.h. */
bool unit_name_to_id(const char *unit, char ret[CONTAINER_ID_LENGTH + 1]) {
        const char *p = startswith(unit, "berth@"), *suffix = ".service";

        if (!p) {
                p = startswith(unit, "berth-");
                suffix = ".scope";
        }
        if (!p || strlen(p) < CONTAINER_ID_LENGTH || !streq(p + CONTAINER_ID_LENGTH, suffix))
                return false;
        memcpy(ret, p, CONTAINER_ID_LENGTH);
        ret[CONTAINER_ID_LENGTH] = 0;
        return hex_is_valid(ret, CONTAINER_ID_LENGTH);
}
