/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "system-http.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "../basic/clock.h"
#include "../basic/json.h"
#include "../basic/str.h"
#include "../shared/paths.h"
#include "http-server.h"
#include "system-info.h"

#define TEXT(x) TEXT_(x)
#define TEXT_(x) #x
#define API_VERSION "1." TEXT(API_MINOR_MAX)
#define API_VERSION_MIN "1." TEXT(API_MINOR_MIN)

static int ping(Manager *m, HttpRequest *req, EngineError *reterr) {
        req->extra_headers =
                        "Builder-Version: 1\r\nSwarm: inactive\r\n"
                             "Cache-Control: no-cache, no-store, must-revalidate\r\n"
                        "Pragma: no-cache\r\n";
        return http_reply_text(req, 200, "text/plain; charset=utf-8", "OK");
}

/* GOARCH names, as clients expect. */
static const char *architecture(const struct utsname *u) {
        static const struct {
                const char *machine, *name;
        } table[] = {
                { "x86_64", "amd64" },    { "aarch64", "arm64" },       { "i686", "386" },
                { "armv7l", "arm" },      { "ppc64le", "ppc64le" },     { "s390x", "s390x" },
                { "riscv64", "riscv64" }, { "loongarch64", "loong64" },
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++)
                if (streq(u->machine, table[i].machine))
                        return table[i].name;
        return u->machine;
}

static void format_build_time(char ret[RFC3339_MAX]) {
        struct stat st;

        ret[0] = 0;
        if (stat("/proc/self/exe", &st) >= 0)
                format_rfc3339((usec_t) st.st_mtim.tv_sec * USEC_PER_SEC, ret);
}

/* Consumes @details. */
static int add_component(json_object *components, const char *name, const char *version,
                         json_object *details) {
        _cleanup_json_ json_object *o = json_object_new_object(), *d = details;
        int r;

        if (!o || !d)
                return -ENOMEM;
        r = json_set_str(o, "Name", name);
        if (r >= 0)
                r = json_set_str(o, "Version", version);
        if (r >= 0)
                r = json_set(o, "Details", json_object_get(d));
        return r < 0 ? r : json_add(components, json_object_get(o));
}

static int put_engine_facts(json_object *o, const struct utsname *u, const char *api, const char *api_min) {
        char built[RFC3339_MAX];
        int r;

        format_build_time(built);
        r = json_set_str(o, "ApiVersion", api);
        if (r >= 0)
                r = json_set_str(o, "MinAPIVersion", api_min);
        if (r >= 0)
                r = json_set_str(o, "GitCommit", "");
        if (r >= 0)
                r = json_set_str(o, "GoVersion", "");
        if (r >= 0)
                r = json_set_str(o, "Os", "linux");
        if (r >= 0)
                r = json_set_str(o, "Arch", architecture(u));
        if (r >= 0)
                r = json_set_str(o, "KernelVersion", u->release);
        return r < 0 ? r : json_set_str(o, "BuildTime", built);
}

static int version_json(const char *systemd_version, json_object **ret) {
        _cleanup_json_ json_object *o = json_object_new_object(), *components = json_object_new_array(),
                                   *details = json_object_new_object(), *platform = json_object_new_object();
        struct utsname u;
        int r;

        if (!o || !components || !details || !platform)
                return -ENOMEM;
        (void) uname(&u);
        r = put_engine_facts(details, &u, API_VERSION, API_VERSION_MIN);
        if (r >= 0)
                r = json_set_str(details, "Experimental", "false");
        if (r >= 0)
                r = add_component(components, "Engine", BERTH_VERSION, json_object_get(details));
        if (r >= 0)
                r = add_component(components, "berth-runtime", BERTH_VERSION, json_object_new_object());
        if (r >= 0)
                r = add_component(components, "systemd", systemd_version, json_object_new_object());
        if (r >= 0)
                r = json_set_str(platform, "Name", "berth");
        if (r >= 0)
                r = json_set(o, "Platform", json_object_get(platform));
        if (r >= 0)
                r = json_set(o, "Components", json_object_get(components));
        if (r >= 0)
                r = json_set_str(o, "Version", BERTH_VERSION);
        if (r >= 0)
                r = put_engine_facts(o, &u, API_VERSION, API_VERSION_MIN);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(o);
        return 0;
}

/* A /version request that waits for PID 1 to say its own. */
typedef struct PendingVersion {
        HttpRequest *request;
        sd_bus_slot *slot;
} PendingVersion;

static PendingVersion *pending_version_free(PendingVersion *p) {
        (void) sd_bus_slot_unref(p->slot);
        free(p);
        return NULL;
}
DEFINE_CLEANUP_FUNC(PendingVersion *, pending_version_free)

static void on_client_left(HttpRequest *req, void *userdata) {
        (void) pending_version_free(userdata);
}

static int reply_version(HttpRequest *req, const char *systemd_version) {
        _cleanup_error_ EngineError error = {};
        json_object *o;
        int r;

        r = version_json(systemd_version, &o);
        return r < 0 ? http_reply_error(req, r, &error) : http_reply_json(req, 200, o);
}

static int on_systemd_version(sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        _cleanup_(pending_version_freep) PendingVersion *p = userdata;
        const char *version = "unknown";

        if (!sd_bus_message_is_method_error(reply, NULL))
                (void) sd_bus_message_read(reply, "v", "s", &version);
        p->request->cancel = NULL;
        (void) reply_version(p->request, version);
        return 0;
}

static int get_version(Manager *m, HttpRequest *req, EngineError *reterr) {
        _cleanup_(pending_version_freep) PendingVersion *p = new0(PendingVersion, 1);
        int r;

        if (!p)
                return -ENOMEM;
        p->request = req;
        r = sd_bus_call_method_async(m->bus, &p->slot, "org.freedesktop.systemd1",
                                     "/org/freedesktop/systemd1", "org.freedesktop.DBus.Properties", "Get",
                                     on_systemd_version, p, "ss", "org.freedesktop.systemd1.Manager",
                                     "Version");
        if (r < 0)
                return reply_version(req, "unknown");
        req->cancel = on_client_left;
        req->userdata = TAKE_PTR(p);
        return 0;
}

static int get_info(Manager *m, HttpRequest *req, EngineError *reterr) {
        json_object *o;
        int r;

        r = system_info_json(m, &o);
        return r < 0 ? r : http_reply_json(req, 200, o);
}

/* There are none: an empty list is the truth, not a gap. */
static int get_plugins(Manager *m, HttpRequest *req, EngineError *reterr) {
        return http_reply_json(req, 200, json_object_new_array());
}

static const Route routes[] = {
        { "GET", "/_ping", 0, ping },
        { "HEAD", "/_ping", 0, ping },
        { "GET", "/version", 0, get_version },
        { "GET", "/info", 0, get_info },
        { "GET", "/plugins", 0, get_plugins },
};

/** system_http_register - see system-http.h. */
int system_http_register(Manager *m) {
        return HTTP_SERVER_ADD_ROUTES(m->http, routes);
}
