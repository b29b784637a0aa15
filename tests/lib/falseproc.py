# SPDX-License-Identifier: LGPL-2.1-or-later
"""Containers whose /proc is false: trees that look like procfs to who only looks at names. A true one is at /true."""
import contextlib
import os

from bundle import TOP
from harness import run, wait_for

FILES = ("self/attr/apparmor/exec", "self/attr/exec", "self/attr/current", "self/attr/keycreate", "self/oom_score_adj",
         "thread-self/attr/exec", "thread-self/attr/apparmor/exec")
# Destination and source of mounts that come after the true procfs; @ stands for the bundle.
COVERS = (("/proc/self/attr/exec", "@/covered"), ("/proc/thread-self/attr/exec", "@/covered"), ("/proc/self/attr", "@/directory"),
          ("/proc/self/attr/exec", "/proc/self/sched"), ("/proc/self/attr/keycreate", "/proc/self/sched"),
          ("/proc/self/attr/exec", "/proc/sys/kernel/core_pattern"), ("/proc/self", "@/directory"), ("/proc/thread-self", "@/directory"))


def make(root):
    """The tree; every file of it would show a write."""
    for name in FILES:
        os.makedirs(os.path.dirname("%s/%s" % (root, name)), exist_ok=True)
        with open("%s/%s" % (root, name), "w"):
            pass


def written(root):
    """The files of the tree that something was written to."""
    return [d + "/" + f for d, _, files in os.walk(root) for f in files
            if not os.path.islink(d + "/" + f) and os.stat(d + "/" + f).st_size > 0]


def _true_proc(b):
    b.linux["readonlyPaths"], b.linux["maskedPaths"] = [], []
    b.config["mounts"].append({"destination": "/true", "type": "proc", "source": "proc"})


def bundles(new):
    """Pairs of a bundle made by new() and the false tree that its /proc is: of the image, bound, copied, laid over."""
    for kind in ("image", "bind", "tmpfs", "over"):
        b = new()
        tree = b.path + "/tree" if kind in ("bind", "over") else b.rootfs + "/proc"
        make(tree)
        if kind != "over":
            b.config["mounts"] = [m for m in b.config["mounts"] if m["destination"] != "/proc"]
        if kind in ("bind", "over"):
            b.config["mounts"].append({"destination": "/proc", "source": tree, "options": ["rbind"]})
        if kind == "tmpfs":
            b.config["mounts"].append({"destination": "/proc", "type": "tmpfs", "source": "x", "options": ["tmpcopyup"]})
        _true_proc(b)
        yield b, tree


def cover(b, target, source):
    """A mount over a part of the true /proc."""
    make(b.path + "/directory")
    make(b.path + "/directory/self")
    with open(b.path + "/covered", "w"):
        pass
    b.config["mounts"].append({"destination": target, "source": source.replace("@", b.path), "options": ["rbind"]})
    _true_proc(b)


def untouched(b):
    """Whether no write went into what cover() has put there."""
    return os.stat(b.path + "/covered").st_size == 0 and written(b.path + "/directory") == []


def without_private_proc(b):
    """A user namespace in the host's pid namespace may not mount a procfs: nothing is left to write through but
    the /proc that is there, which is refused when it is not the kernel's."""
    b.linux["namespaces"] = [n for n in b.linux["namespaces"] if n["type"] != "pid"] + [{"type": "user"}]
    for key in ("uidMappings", "gidMappings"):
        b.linux[key] = [{"containerID": 0, "hostID": 100000, "size": 65536}]
    # A write must fail for what the file is, not for whose it is.
    run("chown", "-R", "100000:100000", b.path)
    for d in (b.path, TOP):
        os.chmod(d, 0o755)
    return b


@contextlib.contextmanager
def hostile(b, change=lambda b: b):
    """A running container whose first process has replaced its /proc by the tree /false."""
    make(b.rootfs + "/false")
    change(b)
    for name in ("bounding", "effective", "permitted"):
        b.process["capabilities"][name] += ["CAP_SYS_ADMIN"]
    _true_proc(b)
    b.process["args"] = ["sh", "-c", "mount -o bind /false /proc && echo ready; sleep 1000"]
    b.create().start()
    wait_for(lambda: "ready" in b.out())
    assert os.path.isfile("/proc/%d/root/proc/thread-self/attr/apparmor/exec" % b.pid)
    try:
        yield b
    finally:
        b.delete()
