/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The same as self-protect.c, before the C library has started: the program's entry point looks whether we
 * were started from a writable mount and, if so, executes us again from a read-only one. Starting the C
 * library costs three times as much as the exec itself (it asks the processor for its features, which traps
 * in virtual machines), so it is worth starting it once only.
 *
 * Nothing of the C library may be used here, no thread-local storage, no stack protector. What goes wrong is
 * left to self_protect(), which tries everything again and knows how to tell.
 */
#include "early-protect.h"

#include <linux/mount.h>
#include <linux/prctl.h>
#include <linux/types.h>
#include <sys/syscall.h>

#define SELF "/proc/self/exe"
#define CURRENT_DIRECTORY (-100L)     /* AT_FDCWD */
#define EMPTY_PATH 0x1000L            /* AT_EMPTY_PATH */
#define CLOSE_ON_EXEC 02000000L       /* O_CLOEXEC */
#define STATFS_READ_ONLY 1L           /* ST_RDONLY */

/* struct statfs of the system call, for 64-bit architectures with the generic layout. */
typedef struct KernelStatfs {
        long type, block_size, blocks, blocks_free, blocks_available, files, files_free;
        int fsid[2];
        long name_length, fragment_size, flags, spare[4];
} KernelStatfs;

static long system_call(long nr, long a, long b, long c, long d, long e) {
        register long r10 __asm__("r10") = d;
        register long r8 __asm__("r8") = e;
        long r;

        __asm__ volatile("syscall"
                         : "=a"(r)
                         : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
                         : "rcx", "r11", "memory");
        return r;
}

static bool equal(const char *a, const char *b) {
        while (*a && *a == *b) {
                a++;
                b++;
        }
        return *a == *b;
}

/* Commands that put a process of ours into a container. A false alarm costs an exec, nothing else. */
static bool runs_payload(char **argv) {
        static const char names[][8] = { "create", "run", "exec", "restore" };

        for (char **a = argv; *a; a++)
                for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
                        if (equal(*a, names[i]))
                                return true;
        return false;
}

/**
 * early_protect - start again from a read-only mount of our own file, if that is needed and possible.
 * @stack: as the kernel left it: argc, argv, NULL, environment, NULL.
 */
__attribute__((used)) void early_protect(long *stack) {
        struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };
        char **argv = (char **) (stack + 1), **environment = argv + stack[0] + 1;
        KernelStatfs fs;
        long fd;

        if (stack[0] < 1 || !runs_payload(argv + 1))
                return;
        if (system_call(SYS_statfs, (long) SELF, (long) &fs, 0, 0, 0) < 0 || (fs.flags & STATFS_READ_ONLY))
                return;
        if (system_call(SYS_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
                return;
        fd = system_call(SYS_open_tree, CURRENT_DIRECTORY, (long) SELF, OPEN_TREE_CLONE | CLOSE_ON_EXEC, 0,
                         0);
        if (fd < 0)
                return;
        if (system_call(SYS_mount_setattr, fd, (long) "", EMPTY_PATH, (long) &attr, sizeof(attr)) >= 0)
                (void) system_call(SYS_execveat, fd, (long) "", (long) argv, (long) environment, EMPTY_PATH);
        (void) system_call(SYS_close, fd, 0, 0, 0, 0);
}

/* The stack is the kernel's: rsp points to argc; rdx must be zero for the C library's own entry point. */
__asm__(".globl berth_entry\n"
        ".type berth_entry, @function\n"
        "berth_entry:\n"
        "        xorl %ebp, %ebp\n"
        "        movq %rsp, %rbx\n"
        "        movq %rsp, %rdi\n"
        "        andq $-16, %rsp\n"
        "        call early_protect\n"
        "        movq %rbx, %rsp\n"
        "        xorl %edx, %edx\n"
        "        jmp _start\n");
