#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Run a command where / is the file system that a kernel begins with, which is mounted on nothing: as in an initial RAM disk.
That one is changed for good, so only for virtual machines: ramdisk.py COMMAND..."""
import ctypes
import os
import sys

LIBC = ctypes.CDLL(None, use_errno=True)
AT_FDCWD, AT_RECURSIVE, OPEN_TREE_CLONE, MOVE_MOUNT_F_EMPTY_PATH = -100, 0x8000, 1, 4
OPEN_TREE, MOVE_MOUNT = 428, 429
CLONE_NEWNS, MS_REC, MS_PRIVATE, MS_SHARED, MNT_DETACH = 0x20000, 0x4000, 1 << 18, 1 << 20, 2
DIRECTORIES = ("usr", "var", "etc", "run", "proc", "sys", "dev", "tmp")


def call(name, result):
    if result < 0:
        raise OSError(ctypes.get_errno(), "%s: %s" % (name, os.strerror(ctypes.get_errno())))
    return result


def enter():
    call("unshare", LIBC.unshare(CLONE_NEWNS))
    call("mount", LIBC.mount(None, b"/", None, MS_REC | MS_PRIVATE, None))
    trees = {n: call("open_tree", LIBC.syscall(OPEN_TREE, AT_FDCWD, b"/" + n.encode(), OPEN_TREE_CLONE | AT_RECURSIVE)) for n in DIRECTORIES}
    links = {n: os.readlink("/" + n) for n in os.listdir("/") if os.path.islink("/" + n)}
    namespace = os.open("/proc/self/ns/mnt", os.O_RDONLY)
    call("umount2", LIBC.umount2(b"/", MNT_DETACH))
    call("setns", LIBC.setns(namespace, CLONE_NEWNS))
    os.chdir("/")
    for name, fd in trees.items():
        os.makedirs("/" + name, exist_ok=True)
        call("move_mount", LIBC.syscall(MOVE_MOUNT, fd, b"", AT_FDCWD, b"/" + name.encode(), MOVE_MOUNT_F_EMPTY_PATH))
        os.close(fd)
    os.close(namespace)
    for name, target in links.items():
        if not os.path.lexists("/" + name):
            os.symlink(target, "/" + name)
    # As systemd has it, and as criu expects it of what was so at the checkpoint.
    call("mount", LIBC.mount(None, b"/", None, MS_REC | MS_SHARED, None))


if __name__ == "__main__":
    enter()
    os.execvp(sys.argv[1], sys.argv[1:])
