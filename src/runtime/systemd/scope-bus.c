/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Transient scopes by sd-bus. The manager is asked over the bus, which carries JobRemoved of a job whose
 * client is there without a subscription; where there is no bus, over the manager's private socket.
 * That would save the broker, but a manager sets up all its objects for each private connection, and tells
 * it everything that happens: three times the time of a call over the bus (measured, systemd 257).
 */
#include "scope-bus.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "../../basic/clock.h"
#include "../../basic/str.h"
#include "scope-request.h"

#define CALL_TIMEOUT (25 * USEC_PER_SEC)
#define MANAGER "org.freedesktop.systemd1", "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager"
#define BYTES_MAX 8192

static int fail(ScopeBus *b, int error, const char *text) {
        free(b->error_text);
        b->error_text = strdup(text);
        return error < 0 ? error : -EIO;
}

static int set_text(char **p, const char *text) {
        free(*p);
        *p = strdup(text);
        return *p ? 0 : -ENOMEM;
}

static int on_job_removed(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        const char *path, *unit, *result;
        ScopeBus *b = userdata;
        uint32_t id;

        if (!b->unit || sd_bus_message_read(m, "uoss", &id, &path, &unit, &result) < 0 ||
            !streq(unit, b->unit))
                return 0;
        if (set_text(&b->job_gone, path) < 0 || set_text(&b->job_result, result) < 0)
                return -ENOMEM;
        return 0;
}

static int connect_to(const char *address, sd_bus **ret) {
        sd_bus *bus = NULL;
        int r;

        r = sd_bus_new(&bus);
        if (r >= 0)
                r = sd_bus_set_address(bus, address);
        if (r >= 0)
                r = sd_bus_start(bus);
        if (r < 0) {
                sd_bus_unref(bus);
                return r;
        }
        *ret = bus;
        return 0;
}

static int open_user(sd_bus **ret) {
        const char *dir = getenv("XDG_RUNTIME_DIR");
        _cleanup_free_ char *address = NULL;
        int r = sd_bus_open_user(ret);

        if (r >= 0 || isempty(dir) || dir[0] != '/' || strpbrk(dir, "%,;="))
                return r;
        address = str_concat("unix:path=", dir, "/systemd/private");
        return !address ? -ENOMEM : connect_to(address, ret) < 0 ? r : 0;
}

static int open_system(sd_bus **ret) {
        int r = sd_bus_open_system(ret);

        if (r < 0 && connect_to("unix:path=/run/systemd/private", ret) >= 0)
                r = 0;
        return r;
}

/** scope_bus_open - begin to connect; a failure is told by the first call. */
void scope_bus_open(ScopeBus *b, bool user) {
        int r;

        *b = (ScopeBus) {};
        r = user ? open_user(&b->bus) : open_system(&b->bus);
        if (r >= 0)
                r = sd_bus_match_signal_async(b->bus, NULL, "org.freedesktop.systemd1",
                                              "/org/freedesktop/systemd1",
                                              "org.freedesktop.systemd1.Manager", "JobRemoved",
                                              on_job_removed, NULL, b);
        b->open_error = r < 0 ? r : 0;
        /* Authentication makes progress while the request is still being written on the other side. */
        while (r > 0)
                r = sd_bus_process(b->bus, NULL);
}

/** scope_bus_done - close the connection. */
void scope_bus_done(ScopeBus *b) {
        sd_bus_close_unref(b->bus);
        free(b->unit);
        free(b->job);
        free(b->job_gone);
        free(b->job_result);
        free(b->error_text);
        *b = (ScopeBus) {};
}

static int check_open(ScopeBus *b) {
        char text[256];

        if (b->open_error == 0)
                return 0;
        (void) snprintf(text, sizeof(text), "cannot connect to systemd: %s", strerror(-b->open_error));
        return fail(b, b->open_error, text);
}

static int append_number(sd_bus_message *m, char type, const char *text) {
        int64_t i;
        uint64_t u;
        char *end;
        double d;

        switch (type) {
        case 'y':
                return parse_u64(text, UINT8_MAX, &u) < 0 ? -EBADMSG
                                                          : sd_bus_message_append(m, "y", (uint8_t) u);
        case 'n':
                return parse_i64(text, INT16_MIN, INT16_MAX, &i) < 0
                                       ? -EBADMSG
                                       : sd_bus_message_append(m, "n", (int16_t) i);
        case 'q':
                return parse_u64(text, UINT16_MAX, &u) < 0 ? -EBADMSG :
                                                             sd_bus_message_append(m, "q", (uint16_t) u);
        case 'i':
                return parse_i64(text, INT32_MIN, INT32_MAX, &i) < 0
                                       ? -EBADMSG
                                       : sd_bus_message_append(m, "i", (int32_t) i);
        case 'u':
                return parse_u64(text, UINT32_MAX, &u) < 0 ? -EBADMSG :
                                                             sd_bus_message_append(m, "u", (uint32_t) u);
        case 'x':
                return parse_i64(text, INT64_MIN, INT64_MAX, &i) < 0 ? -EBADMSG
                                                                     : sd_bus_message_append(m, "x", i);
        case 't':
                return parse_u64(text, UINT64_MAX, &u) < 0 ? -EBADMSG : sd_bus_message_append(m, "t", u);
        case 'd':
                d = strtod(text, &end);
                return end == text || *end ? -EBADMSG : sd_bus_message_append(m, "d", d);
        default:
                return -EBADMSG;
        }
}

static int append_basic(sd_bus_message *m, char type, const char *text) {
        if (type == 's')
                return sd_bus_message_append(m, "s", text);
        if (type == 'b')
                return !streq(text, "0") && !streq(text, "1")
                                       ? -EBADMSG
                                       : sd_bus_message_append(m, "b", text[0] == '1');
        return append_number(m, type, text);
}

/* Bytes are written as two hexadecimal digits each. */
static int append_bytes(sd_bus_message *m, const char *text) {
        size_t n = strlen(text) / 2;
        uint8_t bytes[BYTES_MAX];

        if (strlen(text) % 2 != 0 || n > sizeof(bytes) ||
            strspn(text, "0123456789abcdef") != strlen(text))
                return -EBADMSG;
        for (size_t i = 0; i < n; i++) {
                char digits[3] = { text[2 * i], text[2 * i + 1], 0 };

                bytes[i] = (uint8_t) strtoul(digits, NULL, 16);
        }
        return sd_bus_message_append_array(m, 'y', bytes, n);
}

static int append_item(sd_bus_message *m, const char *item_type, char *text) {
        char *second;

        if (item_type[0] != '(')
                return append_basic(m, item_type[0], text);
        second = strchr(text, ' ');
        if (!second)
                return -EBADMSG;
        *second++ = 0;
        if (streq(item_type, "(ss)"))
                return sd_bus_message_append(m, "(ss)", text, second);
        {
                uint64_t u;

                return parse_u64(second, UINT64_MAX, &u) < 0 ? -EBADMSG :
                                                               sd_bus_message_append(m, "(st)", text, u);
        }
}

static int append_array(sd_bus_message *m, const char *item_type, char *text) {
        int r;

        if (streq(item_type, "y"))
                return append_bytes(m, text);
        r = sd_bus_message_open_container(m, 'a', item_type);
        for (char *item = *text ? text : NULL, *end; r >= 0 && item; item = end) {
                end = strchr(item, '\n');
                if (end)
                        *end++ = 0;
                r = *item ? append_item(m, item_type, item) : -EBADMSG;
        }
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_property(sd_bus_message *m, const ScopeProperty *p) {
        int r;

        r = sd_bus_message_open_container(m, 'r', "sv");
        if (r >= 0)
                r = sd_bus_message_append(m, "s", p->name);
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'v', p->type);
        if (r >= 0)
                r = p->type[0] == 'a' ? append_array(m, p->type + 1, p->value) :
                                        append_basic(m, p->type[0], p->value);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_properties(ScopeBus *b, sd_bus_message *m, const Fields *request) {
        int r;

        r = sd_bus_message_open_container(m, 'a', "(sv)");
        for (size_t i = 0; r >= 0 && i < request->n; i++) {
                _cleanup_scope_property_ ScopeProperty p = {};
                _cleanup_free_ char *text = NULL;

                if (!streq(request->items[i].key, "property") &&
                    (b->bare || !streq(request->items[i].key, "optional")))
                        continue;
                r = scope_property_parse(request->items[i].value, &p);
                if (r >= 0)
                        r = append_property(m, &p);
                if (r < 0) {
                        text = str_concat("malformed unit property: ", request->items[i].value);
                        return fail(b, r, strempty(text));
                }
        }
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int on_reply(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        const sd_bus_error *e = sd_bus_message_get_error(m);
        ScopeBus *b = userdata;
        const char *path;

        if (e) {
                b->exists = sd_bus_error_has_name(e, "org.freedesktop.systemd1.UnitExists");
                b->unknown = sd_bus_error_has_name(e, "org.freedesktop.systemd1.NoSuchUnit");
                b->error = -sd_bus_message_get_errno(m);
                if (b->error >= 0)
                        b->error = -EIO;
                return set_text(&b->error_text, isempty(e->message) ? e->name : e->message);
        }
        if (sd_bus_message_read(m, "o", &path) < 0)
                return -EBADMSG;
        return set_text(&b->job, path);
}

/* Send @m, a method that makes a job, and wait until that is done. */
static int run_job(ScopeBus *b, sd_bus_message *m) {
        usec_t end = now_monotonic() + CALL_TIMEOUT;
        int r;

        b->job = mfree(b->job);
        b->job_gone = mfree(b->job_gone);
        b->error = 0;
        b->exists = b->unknown = false;
        r = sd_bus_call_async(b->bus, NULL, m, on_reply, b, CALL_TIMEOUT);
        while (r >= 0 && b->error == 0 && !(b->job && streq_ptr(b->job, b->job_gone))) {
                usec_t now = now_monotonic();

                r = sd_bus_process(b->bus, NULL);
                if (r != 0)
                        continue;
                if (now >= end)
                        return fail(b, -ETIMEDOUT, "systemd did not finish the job in time");
                r = sd_bus_wait(b->bus, end - now);
        }
        if (r < 0)
                return fail(b, r, "the connection to systemd broke");
        if (b->error < 0)
                return b->error;
        if (!streq(b->job_result, "done")) {
                _cleanup_free_ char *text = str_concat("the job of systemd ended as: ", b->job_result);

                return fail(b, -EIO, strempty(text));
        }
        return 0;
}

static int begin(ScopeBus *b, const Fields *request, const char *method, sd_bus_message **ret) {
        const char *unit = fields_get(request, "unit");
        int r = check_open(b);

        if (r < 0)
                return r;
        if (isempty(unit) || set_text(&b->unit, unit) < 0)
                return fail(b, -EBADMSG, "no unit is named");
        r = sd_bus_message_new_method_call(b->bus, ret, MANAGER, method);
        return r < 0 ? fail(b, r, strerror(-r)) : 0;
}

/* A unit that has failed would stay for ever. @wait: or it need not be gone at once, if it has failed at
 * all. */
static void reset_failed(ScopeBus *b, bool wait) {
        sd_bus_message *m = NULL;

        if (wait)
                (void) sd_bus_call_method(b->bus, MANAGER, "ResetFailedUnit", NULL, NULL, "s", b->unit);
        else if (sd_bus_message_new_method_call(b->bus, &m, MANAGER, "ResetFailedUnit") >= 0 &&
                 sd_bus_message_append(m, "s", b->unit) >= 0 && sd_bus_message_set_expect_reply(m, 0) >= 0 &&
                 sd_bus_send(b->bus, m, NULL) >= 0)
                (void) sd_bus_flush(b->bus);
        sd_bus_message_unref(m);
}

/* An older manager does not know all properties; which are worth having without is said by the caller. */
static int with_or_without_optional(ScopeBus *b, const Fields *request,
                                    int (*once)(ScopeBus *b, const Fields *request)) {
        int r;

        b->bare = false;
        r = once(b, request);
        if (r >= 0 || b->exists || !fields_get(request, "optional"))
                return r;
        b->bare = true;
        return once(b, request);
}

static int start_once(ScopeBus *b, const Fields *request) {
        sd_bus_message *m = NULL;
        int r;

        r = begin(b, request, "StartTransientUnit", &m);
        if (r < 0)
                return r;
        r = sd_bus_message_append(m, "ss", b->unit, "fail");
        if (r >= 0)
                r = append_properties(b, m, request);
        if (r >= 0)
                r = sd_bus_message_append(m, "a(sa(sv))", 0);
        if (r >= 0)
                r = run_job(b, m);
        sd_bus_message_unref(m);
        return r;
}

/**
 * scope_bus_start - make the scope and wait until its processes are in it. A unit of that name that has
 * failed or is on its way out is given one chance to go.
 *
 * Return: 0, -EEXIST for a unit in use, or -errno.
 */
int scope_bus_start(ScopeBus *b, const Fields *request) {
        int r = with_or_without_optional(b, request, start_once);

        if (r < 0 && b->exists) {
                reset_failed(b, true);
                r = start_once(b, request);
        }
        return r < 0 && b->exists ? -EEXIST : r;
}

static int set_once(ScopeBus *b, const Fields *request) {
        sd_bus_error e = SD_BUS_ERROR_NULL;
        sd_bus_message *m = NULL;
        int r;

        r = begin(b, request, "SetUnitProperties", &m);
        if (r < 0)
                return r;
        r = sd_bus_message_append(m, "sb", b->unit, 1);
        if (r >= 0)
                r = append_properties(b, m, request);
        if (r >= 0) {
                r = sd_bus_call(b->bus, m, CALL_TIMEOUT, &e, NULL);
                if (r < 0)
                        (void) fail(b, r, e.message ? e.message : strerror(-r));
        }
        sd_bus_error_free(&e);
        sd_bus_message_unref(m);
        return r;
}

/**
 * scope_bus_set - change properties for as long as the unit lives. PID 1 writes the files of the cgroup when
 * it has answered; it does so before it looks at the next message, so that one's answer is waited for too.
 */
int scope_bus_set(ScopeBus *b, const Fields *request) {
        int r = with_or_without_optional(b, request, set_once);

        if (r < 0)
                return r;
        (void) sd_bus_call_method(b->bus, "org.freedesktop.systemd1", "/org/freedesktop/systemd1",
                                  "org.freedesktop.DBus.Peer", "Ping", NULL, NULL, NULL);
        return 0;
}

/* Return: 1 when the unit has this description, 0 when it has another or is not there. */
static int has_description(ScopeBus *b, const char *description) {
        _cleanup_free_ char *path = NULL, *text = NULL;

        if (sd_bus_path_encode("/org/freedesktop/systemd1/unit", b->unit, &path) < 0)
                return -ENOMEM;
        if (sd_bus_get_property_string(b->bus, "org.freedesktop.systemd1", path,
                                       "org.freedesktop.systemd1.Unit", "Description", NULL, &text) < 0)
                return 0;
        return streq(text, description);
}

/** scope_bus_stop - end the scope, if it is there (and has the description that is asked for). */
int scope_bus_stop(ScopeBus *b, const Fields *request) {
        const char *description = fields_get(request, "description");
        sd_bus_message *m = NULL;
        int r;

        r = begin(b, request, "StopUnit", &m);
        if (r < 0)
                return r;
        if (description && has_description(b, description) == 0) {
                sd_bus_message_unref(m);
                return 0;
        }
        r = sd_bus_message_append(m, "ss", b->unit, "replace");
        if (r >= 0)
                r = run_job(b, m);
        sd_bus_message_unref(m);
        if (r < 0 && b->unknown)
                return 0;
        if (r >= 0)
                reset_failed(b, fields_get_bool(request, "reset"));
        return r;
}

/** scope_bus_attach - move a process into the unit, or a cgroup below it: who may not write to the cgroups
 * above both where it is and where it goes has to ask. */
int scope_bus_attach(ScopeBus *b, const Fields *request) {
        const char *subgroup = fields_get(request, "subgroup");
        sd_bus_error e = SD_BUS_ERROR_NULL;
        sd_bus_message *m = NULL;
        uint64_t pid;
        int r;

        r = begin(b, request, "AttachProcessesToUnit", &m);
        if (r < 0)
                return r;
        if (fields_get_u64(request, "pid", INT32_MAX, &pid) < 0)
                r = fail(b, -EBADMSG, "no process is named");
        if (r >= 0)
                r = sd_bus_message_append(m, "ssau", b->unit, strempty(subgroup), 1, (uint32_t) pid);
        if (r >= 0) {
                r = sd_bus_call(b->bus, m, CALL_TIMEOUT, &e, NULL);
                if (r < 0)
                        (void) fail(b, r, e.message ? e.message : strerror(-r));
        }
        sd_bus_error_free(&e);
        sd_bus_message_unref(m);
        return r < 0 ? r : 0;
}
