/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Only in builds with sanitizers: defaults that hold also where a caller has cleaned the environment. */

const char *__asan_default_options(void);
const char *__ubsan_default_options(void);

/**
 * __asan_default_options() - read by the sanitizer before main (sanitizer/asan_interface.h).
 *
 * Leaks are not looked for: the search is done by a tracing thread, which a process that has joined
 * another pid namespace (berth-runtime) waits for in vain, and which a filter of system calls (berth-netd)
 * forbids. The exit code is none of our own.
 */
const char *__asan_default_options(void)
{
        return "detect_leaks=0:exitcode=99";
}

/**
 * __ubsan_default_options() - the same for undefined behaviour: it ends the process, with its own code.
 */
const char *__ubsan_default_options(void)
{
        return "halt_on_error=1:print_stacktrace=1:exitcode=99";
}
