/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "error.h"

#include <stdarg.h>
#include <stdio.h>

static const struct {
        int code;
        unsigned status;
        const char *dbus;
} error_table[] = {
        { EINVAL, 400, "org.berth1.Error.InvalidArgument" },
        { EBADMSG, 400, "org.berth1.Error.InvalidArgument" },
        { ENAMETOOLONG, 400, "org.berth1.Error.InvalidArgument" },
        { ERANGE, 400, "org.berth1.Error.InvalidArgument" },
        { E2BIG, 413, "org.berth1.Error.TooLarge" },
        { EPERM, 403, "org.berth1.Error.NotPermitted" },
        { EACCES, 403, "org.berth1.Error.NotPermitted" },
        { ENOENT, 404, "org.berth1.Error.NotFound" },
        { ENXIO, 404, "org.berth1.Error.NotFound" },
        { EEXIST, 409, "org.berth1.Error.Conflict" },
        { EBUSY, 409, "org.berth1.Error.Conflict" },
        { ESRCH, 409, "org.berth1.Error.NotRunning" },
        { EALREADY, 304, "org.berth1.Error.Already" },
        { EOPNOTSUPP, 501, "org.berth1.Error.NotSupported" },
        { ETIMEDOUT, 504, "org.berth1.Error.TimedOut" },
};

/** engine_error_done - free the message; the error may be used again. */
void engine_error_done(EngineError *e) {
        e->message = mfree(e->message);
        e->code = 0;
        e->status = 0;
}

static int set_va(EngineError *e, int error, unsigned status, const char *fmt, va_list ap) {
        int positive = error < 0 ? -error : error;

        if (e) {
                engine_error_done(e);
                e->code = positive;
                e->status = status;
                if (vasprintf(&e->message, fmt, ap) < 0)
                        e->message = NULL;
        }
        return -positive;
}

/** error_set - replace @e (may be NULL) by @error and a text. Return: -|@error|. */
int error_set(EngineError *e, int error, const char *fmt, ...) {
        va_list ap;
        int r;

        va_start(ap, fmt);
        r = set_va(e, error, 0, fmt, ap);
        va_end(ap);
        return r;
}

/** error_set_status - error_set() with an HTTP status that the errno table does not give. */
int error_set_status(EngineError *e, int error, unsigned status, const char *fmt, ...) {
        va_list ap;
        int r;

        va_start(ap, fmt);
        r = set_va(e, error, status, fmt, ap);
        va_end(ap);
        return r;
}

/** error_unsupported - -EOPNOTSUPP naming @option. */
int error_unsupported(EngineError *e, const char *option) {
        return error_set(e, -EOPNOTSUPP, "%s is not supported by this version of berth", option);
}

/** error_fill - make sure a failing call leaves a text behind. Return: -|@error|. */
int error_fill(EngineError *e, int error) {
        if (e && !e->message)
                return error_set(e, error, "%s", strerrordesc_np(error < 0 ? -error : error));
        return error < 0 ? error : -error;
}

/** error_move - move the contents of @from, which is left empty, to @to. */
void error_move(EngineError *to, EngineError *from) {
        engine_error_done(to);
        *to = *from;
        *from = (EngineError){};
}

/** error_http_status - the status for REST; 500 for what the table does not know. */
unsigned error_http_status(const EngineError *e) {
        if (e->status != 0)
                return e->status;
        for (size_t i = 0; i < ELEMENTSOF(error_table); i++)
                if (error_table[i].code == e->code)
                        return error_table[i].status;
        return 500;
}

/** error_dbus_name - the D-Bus error name. */
const char *error_dbus_name(const EngineError *e) {
        for (size_t i = 0; i < ELEMENTSOF(error_table); i++)
                if (error_table[i].code == e->code)
                        return error_table[i].dbus;
        return "org.berth1.Error.Failed";
}
