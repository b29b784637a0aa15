/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * floor ROOTFS CMD...: the least that starting a container can cost: a static program that clones into six
 * new namespaces, pivots into ROOTFS and runs CMD. No configuration, cgroup, mounts, identity, filter or
 * state.
 */
#define _GNU_SOURCE
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int fail(const char *what) {
        perror(what);
        return 1;
}

static int child(char **argv) {
        if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
            mount(argv[1], argv[1], NULL, MS_BIND, NULL) < 0)
                return fail("mount");
        if (chdir(argv[1]) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0)
                return fail("pivot_root");
        (void) execv(argv[2], argv + 2);
        return fail(argv[2]);
}

int main(int argc, char **argv) {
        struct clone_args args = { .flags = CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC |
                                            CLONE_NEWUTS | CLONE_NEWCGROUP,
                                   .exit_signal = SIGCHLD };
        int status;
        long pid;

        if (argc < 3)
                return 2;
        pid = syscall(SYS_clone3, &args, sizeof(args));
        if (pid < 0)
                return fail("clone3");
        if (pid == 0)
                _exit(child(argv));
        if (waitpid((pid_t) pid, &status, 0) < 0)
                return fail("waitpid");
        return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
