#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Run a program under a filter that knows no new system calls, as older container engines have it.

Usage: outer_filter.py NAME[,NAME...] PROGRAM [ARGUMENT...]     the named calls answer ENOSYS
"""
import ctypes
import errno
import os
import struct
import sys

# The same on all architectures: these calls are younger than the common table.
NUMBERS = {"open_tree": 428, "move_mount": 429, "fsopen": 430, "fsconfig": 431, "fsmount": 432, "fspick": 433,
           "clone3": 435, "close_range": 436, "openat2": 437, "mount_setattr": 442}
MOUNT_API = "open_tree,move_mount,fsopen,fsconfig,fsmount,fspick,mount_setattr"
PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 22, 2


def instruction(code, yes, no, k):
    return struct.pack("HBBI", code, yes, no, k)


def program(names, answer):
    """Load the number; each comparison that holds jumps to the last instruction."""
    code = [instruction(0x20, 0, 0, 0)]
    for i, n in enumerate(names):
        code.append(instruction(0x15, len(names) - i, 0, NUMBERS[n]))
    return b"".join(code + [instruction(0x06, 0, 0, 0x7fff0000), instruction(0x06, 0, 0, 0x50000 | answer)])


def install(names, answer=errno.ENOSYS):
    code = program(names, answer)
    buf = ctypes.create_string_buffer(code, len(code))
    fprog = struct.pack("HxxxxxxP", len(code) // 8, ctypes.addressof(buf))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.c_char_p(fprog), 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "seccomp")


if __name__ == "__main__":
    install(sys.argv[1].split(","))
    os.execvp(sys.argv[2], sys.argv[2:])
