/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <stdio.h>

#include "../basic/str.h"
#include "command.h"
#include "human.h"
#include "list-output.h"

typedef struct InfoOptions {
        const char *format;
} InfoOptions;

static const Flag info_flags[] = {
        { "format", 'f', FLAG_STRING, offsetof(InfoOptions, format), NULL, "Form of the output: 'json'" },
        {},
};

static void print_number(json_object *o, const char *key, const char *title) {
        int64_t n;

        if (json_get_int(o, key, INT64_MIN, INT64_MAX, &n) > 0)
                printf(" %s: %" PRId64 "\n", title, n);
}

static void print_text(json_object *o, const char *key, const char *title) {
        const char *s = json_string_or(o, key, "");

        if (*s)
                printf(" %s: %s\n", title, s);
}

static void print_names(json_object *o, const char *title) {
        if (!o || !json_object_is_type(o, json_type_object))
                return;
        printf(" %s:", title);
        json_object_object_foreach(o, name, value) {
                (void) value;
                printf(" %s", name);
        }
        printf("\n");
}

static void print_list(json_object *o, const char *key, const char *title) {
        json_object *l;

        if (json_get_array(o, key, &l) <= 0 || json_object_array_length(l) == 0)
                return;
        printf(" %s:\n", title);
        for (size_t i = 0; i < json_object_array_length(l); i++)
                printf("  %s\n", strempty(json_object_get_string(json_object_array_get_idx(l, i))));
}

static void print_server(json_object *o) {
        char memory[HUMAN_MAX];
        int64_t bytes = 0;

        printf("Server:\n");
        print_number(o, "Containers", "Containers");
        print_number(o, "ContainersRunning", " Running");
        print_number(o, "ContainersPaused", " Paused");
        print_number(o, "ContainersStopped", " Stopped");
        print_number(o, "Images", "Images");
        print_text(o, "ServerVersion", "Server Version");
        print_text(o, "Driver", "Storage Driver");
        print_text(o, "LoggingDriver", "Logging Driver");
        print_text(o, "CgroupDriver", "Cgroup Driver");
        print_text(o, "CgroupVersion", "Cgroup Version");
        print_names(json_get(o, "Runtimes"), "Runtimes");
        print_text(o, "DefaultRuntime", "Default Runtime");
        print_list(o, "SecurityOptions", "Security Options");
        print_text(o, "KernelVersion", "Kernel Version");
        print_text(o, "OperatingSystem", "Operating System");
        print_text(o, "OSType", "OSType");
        print_text(o, "Architecture", "Architecture");
        print_number(o, "NCPU", "CPUs");
        if (json_get_int(o, "MemTotal", 0, INT64_MAX, &bytes) > 0) {
                human_binary_size(bytes, memory);
                printf(" Total Memory: %s\n", memory);
        }
        print_text(o, "Name", "Name");
        print_text(o, "ID", "ID");
        print_text(o, "DockerRootDir", "Root Dir");
}

static int exec_info(Client *c, void *options, char **args) {
        const InfoOptions *o = options;
        _cleanup_json_ json_object *server = NULL;
        json_object *warnings;
        bool as_json;

        if (format_check(c, o->format, &as_json) < 0)
                return command_fail(c, 1);
        if (!as_json)
                printf("Client: berth\n Version:    " BERTH_VERSION "\n\n");
        if (client_call(c, "GET", "/info", NULL, &server) < 0)
                return command_fail(c, 1);
        if (as_json) {
                print_json_line(server);
                return 0;
        }
        print_server(server);
        (void) fflush(stdout);
        if (json_get_array(server, "Warnings", &warnings) > 0)
                for (size_t i = 0; i < json_object_array_length(warnings); i++)
                        fprintf(stderr, "%s\n",
                                strempty(json_object_get_string(json_object_array_get_idx(warnings, i))));
        return 0;
}

const Command command_info = {
        .name = "info",
        .args = "",
        .usage = "Show facts about the engine and its host",
        .flags = info_flags,
        .options_size = sizeof(InfoOptions),
        .exec = exec_info,
};
