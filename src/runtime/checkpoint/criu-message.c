/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "criu-message.h"

#include <limits.h>

#include "../../basic/str.h"
#include "protobuf.h"

enum {
        RESPONSE_TYPE = 1,
        RESPONSE_SUCCESS = 2,
        RESPONSE_RESTORE = 4,
        RESPONSE_NOTIFY = 5,
        RESPONSE_VERSION = 10,
};
enum { RESTORE_PID = 1 };
enum { NOTIFY_EVENT = 1, NOTIFY_PID = 2 };
enum { VERSION_MAJOR = 1, VERSION_MINOR = 2, VERSION_GIT = 3, VERSION_SUBLEVEL = 4 };

/* A pid that is none would be signalled and waited for, as a group or as everybody: that one stays 0. */
static void take_pid(CriuResponse *a, uint64_t value) {
        a->pid = value > INT_MAX ? 0 : (pid_t) value;
}

static int parse_notify(CriuResponse *a, const PbField *f) {
        PbReader r = { f->data, f->data + f->size };
        PbField g;
        int q;

        while ((q = pb_next(&r, &g)) > 0)
                if (g.number == NOTIFY_EVENT && g.data) {
                        size_t n = MIN(g.size, sizeof(a->event) - 1);

                        memcpy(a->event, g.data, n);
                        a->event[n] = 0;
                } else if (g.number == NOTIFY_PID && !g.data)
                        take_pid(a, g.value);
        return q;
}

static int parse_restore(CriuResponse *a, const PbField *f) {
        PbReader r = { f->data, f->data + f->size };
        PbField g;
        int q;

        while ((q = pb_next(&r, &g)) > 0)
                if (g.number == RESTORE_PID && !g.data)
                        take_pid(a, g.value);
        return q;
}

static int parse_version(CriuResponse *a, const PbField *f) {
        PbReader r = { f->data, f->data + f->size };
        unsigned part[3] = {};
        bool git = false;
        PbField g;
        int q;

        while ((q = pb_next(&r, &g)) > 0) {
                int i = g.number == VERSION_MAJOR    ? 0 :
                        g.number == VERSION_MINOR    ? 1 :
                        g.number == VERSION_SUBLEVEL ? 2 :
                                                       -1;

                git = git || g.number == VERSION_GIT;
                if (i < 0 || g.data)
                        continue;
                if (g.value > 99)
                        return -EBADMSG;
                part[i] = (unsigned) g.value;
        }
        if (q < 0)
                return q;
        /* Between two releases it says the older one's number: it has what the newer one will. */
        a->version = git ? CRIU_VERSION_OF(part[0], part[1] + 1, 0) :
                           CRIU_VERSION_OF(part[0], part[1], part[2]);
        return 0;
}

/**
 * criu_response_parse - one message of criu.
 *
 * Return: 0, or -EBADMSG when it is none that can be understood; fields that we do not know are skipped.
 */
int criu_response_parse(const char *data, size_t size, CriuResponse *ret) {
        PbReader r = { data, data + size };
        CriuResponse a = {};
        PbField f;
        int q;

        while ((q = pb_next(&r, &f)) > 0) {
                if (f.number == RESPONSE_TYPE && !f.data)
                        a.type = f.value;
                else if (f.number == RESPONSE_SUCCESS && !f.data)
                        a.success = f.value != 0;
                else if (f.number == RESPONSE_NOTIFY && f.data)
                        q = parse_notify(&a, &f);
                else if (f.number == RESPONSE_RESTORE && f.data)
                        q = parse_restore(&a, &f);
                else if (f.number == RESPONSE_VERSION && f.data)
                        q = parse_version(&a, &f);
                if (q < 0)
                        break;
        }
        if (q < 0)
                return q;
        *ret = a;
        return 0;
}
