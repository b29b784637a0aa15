/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <sys/utsname.h>

#include "../basic/str.h"
#include "command.h"
#include "list-output.h"

typedef struct VersionOptions {
        const char *format;
} VersionOptions;

static const Flag version_flags[] = {
        { "format", 'f', FLAG_STRING, offsetof(VersionOptions, format), NULL, "Form of the output: 'json'" },
        {},
};

static const char *arch(void) {
        static struct utsname u;

        if (uname(&u) < 0)
                return "unknown";
        return streq(u.machine, "x86_64") ? "amd64" : streq(u.machine, "aarch64") ? "arm64" : u.machine;
}

static void print_client(void) {
        printf("Client: berth\n Version:           %s\n API version:       %s\n OS/Arch:           linux/%s\n",
               BERTH_VERSION, API_VERSION, arch());
}

static void print_server(json_object *o) {
        json_object *components;

        printf("\nServer: %s\n", json_string_or(json_get(o, "Platform"), "Name", "berth"));
        printf(" Engine:\n  Version:          %s\n", json_string_or(o, "Version", ""));
        printf("  API version:      %s (minimum version %s)\n", json_string_or(o, "ApiVersion", ""),
               json_string_or(o, "MinAPIVersion", ""));
        printf("  OS/Arch:          %s/%s\n  Kernel:           %s\n", json_string_or(o, "Os", ""),
               json_string_or(o, "Arch", ""), json_string_or(o, "KernelVersion", ""));
        if (json_get_array(o, "Components", &components) <= 0)
                return;
        for (size_t i = 0; i < json_object_array_length(components); i++) {
                json_object *part = json_object_array_get_idx(components, i);

                if (!streq(json_string_or(part, "Name", ""), "Engine"))
                        printf(" %s:\n  Version:          %s\n", json_string_or(part, "Name", ""),
                               json_string_or(part, "Version", ""));
        }
}

static int print_json(json_object *server) {
        _cleanup_json_ json_object *all = json_object_new_object();
        json_object *client = json_object_new_object();
        int r = all ? json_set(all, "Client", client) : -ENOMEM;

        if (r >= 0)
                r = json_set_str(client, "Version", BERTH_VERSION);
        if (r >= 0)
                r = json_set_str(client, "ApiVersion", API_VERSION);
        if (r >= 0)
                r = server ? json_set(all, "Server", json_object_get(server)) : json_set_null(all, "Server");
        if (r >= 0)
                print_json_line(all);
        return r;
}

static int exec_version(Client *c, void *options, char **args) {
        const VersionOptions *o = options;
        _cleanup_json_ json_object *server = NULL;
        bool as_json;
        int r;

        if (format_check(c, o->format, &as_json) < 0)
                return command_fail(c, 1);
        r = client_call(c, "GET", "/version", NULL, &server);
        if (as_json)
                (void) print_json(server);
        else {
                print_client();
                if (r >= 0)
                        print_server(server);
        }
        return r < 0 ? command_fail(c, 1) : 0;
}

const Command command_version = {
        .name = "version",
        .args = "",
        .usage = "Show the versions of client and engine",
        .flags = version_flags,
        .options_size = sizeof(VersionOptions),
        .exec = exec_version,
};
