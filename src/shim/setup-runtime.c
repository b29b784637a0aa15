/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../basic/fd.h"
#include "../basic/file.h"
#include "../basic/str.h"
#include "process.h"
#include "runtime-error.h"
#include "setup.h"

/* The OCI runtime by its command line, so that any of them will do. */

static int run(Setup *s, char *const argv[]) {
        static const int stdio[3] = { 0, 1, 2 };
        pid_t pid;
        int status, r;

        r = process_spawn(argv, stdio, 3, &pid);
        if (r < 0)
                return r;
        while (waitpid(pid, &status, 0) < 0)
                if (errno != EINTR)
                        return negative_errno();
        return status == 0 ? 0 : WIFEXITED(status) && WEXITSTATUS(status) == 127 ? -ENOEXEC : -EPROTO;
}

static int missing_program(Setup *s, const char *what, const char *name, int n) {
        if (memchr(name, '/', (size_t) n))
                return setup_fail(
                                s, -ENOENT, 127,
                                "OCI runtime %s failed: exec: \"%.*s\": "
                                  "stat %.*s: no such file or directory",
                                what, n, name, n, name);
        return setup_fail(s, -ENOENT, 127,
                          "OCI runtime %s failed: exec: \"%.*s\": executable file not found in $PATH", what,
                          n, name);
}

/* Clients tell 127 from 126 by Docker's own words, whatever the runtime's were. */
static int failed(Setup *s, const char *log, const char *what, int error) {
        _cleanup_free_ char *message = runtime_error_read(log);
        const char *open, *shut;
        int code;

        if (!message)
                return setup_fail(s, -EIO, 128, "OCI runtime %s failed: %s%s", what, s->runtime,
                                  error == -ENOEXEC ? ": the runtime could not be run" : " gave no reason");
        code = runtime_error_code(message);
        open = strchr(message, '`');
        shut = open ? strchr(open + 1, '`') : NULL;
        if (code == 127 && strcasestr(message, "executable file") && shut)
                return missing_program(s, what, open + 1, (int) (shut - open - 1));
        if (code == 126 && !strstr(message, "permission denied"))
                return setup_fail(s, -EACCES, code, "OCI runtime %s failed: %s: permission denied", what,
                                  message);
        if (code == 127 && !strstr(message, "no such file or directory") &&
            !strstr(message, "executable file not found in $PATH"))
                return setup_fail(s, -ENOENT, code, "OCI runtime %s failed: %s: no such file or directory",
                                  what, message);
        return setup_fail(s, -EIO, code, "OCI runtime %s failed: %s", what, message);
}

/* A start that was killed half-way leaves the runtime's own state, which would refuse the id for ever. */
static void forget_killed_start(Setup *s) {
        char state[192];

        (void) snprintf(state, sizeof(state), BERTH_RUNTIME_ROOT "/%s", s->id);
        if (access(state, F_OK) >= 0)
                runtime_delete_forced(s);
}

/** runtime_create - RUNTIME create. Return: 0 and the payload's pid, or -errno with the reason noted. */
int runtime_create(Setup *s, pid_t *ret) {
        char bundle[192], pid_file[192], log[192], console[192];
        _cleanup_free_ char *text = NULL;
        char *argv[24];
        size_t n = 0, size;
        uint64_t pid;
        int r;

        (void) snprintf(bundle, sizeof(bundle), "%s/bundle", s->run_dir);
        (void) snprintf(pid_file, sizeof(pid_file), "%s/pid", s->run_dir);
        (void) snprintf(log, sizeof(log), "%s/runtime.log", s->run_dir);
        (void) unlink(log);
        forget_killed_start(s);
        argv[n++] = (char *) s->runtime;
        argv[n++] = (char *) "--root";
        argv[n++] = (char *) BERTH_RUNTIME_ROOT;
        argv[n++] = (char *) "--log";
        argv[n++] = log;
        argv[n++] = (char *) "--log-format";
        argv[n++] = (char *) "json";
        argv[n++] = (char *) "create";
        argv[n++] = (char *) "--bundle";
        argv[n++] = bundle;
        argv[n++] = (char *) "--pid-file";
        argv[n++] = pid_file;
        if (s->tty) {
                (void) snprintf(console, sizeof(console), "%s/console.sock", s->run_dir);
                argv[n++] = (char *) "--console-socket";
                argv[n++] = console;
        }
        argv[n++] = s->id;
        argv[n] = NULL;
        r = run(s, argv);
        if (r < 0)
                return failed(s, log, "create", r);
        r = read_file_at(AT_FDCWD, pid_file, 64, &text, &size);
        if (r < 0)
                return setup_fail(s, r, 128, "%s left no pid file", s->runtime);
        text[strcspn(text, "\n")] = 0;
        r = parse_u64(text, INT32_MAX, &pid);
        if (r < 0 || pid == 0)
                return setup_fail(s, -EPROTO, 128, "%s left a bad pid file", s->runtime);
        *ret = (pid_t) pid;
        return 0;
}

/** runtime_start - RUNTIME start. Return: 0 or -errno with the reason noted. */
int runtime_start(Setup *s) {
        char log[192];
        char *const argv[] = { (char *) s->runtime,
                               (char *) "--root",
                               (char *) BERTH_RUNTIME_ROOT,
                               (char *) "--log",
                               log,
                               (char *) "--log-format",
                               (char *) "json",
                               (char *) "start",
                               s->id,
                               NULL };
        int r;

        (void) snprintf(log, sizeof(log), "%s/runtime.log", s->run_dir);
        r = run(s, argv);
        return r < 0 ? failed(s, log, "start", r) : 0;
}

/** runtime_delete_forced - whatever a failed create left. */
void runtime_delete_forced(Setup *s) {
        char *const argv[] = { (char *) s->runtime,
                               (char *) "--root",
                               (char *) BERTH_RUNTIME_ROOT,
                               (char *) "--log",
                               (char *) "/dev/null",
                               (char *) "delete",
                               (char *) "--force",
                               s->id,
                               NULL };

        (void) run(s, argv);
}
