# SPDX-License-Identifier: LGPL-2.1-or-later
"""Mount namespaces of others in containers of an ordinary user."""
import os

from bundle import ns_without
from test_runtime_rootless import UserBundle, rt, setup, teardown  # noqa: F401


def mount_namespace(pid):
    return os.readlink("/proc/%s/ns/mnt" % pid)


def test_no_mount_namespace_of_its_own():
    with open("/proc/self/mountinfo") as f:
        before = f.read()
    b = UserBundle("sleep", "1000")
    ns_without(b, "mount")
    b.config["root"]["readonly"] = True
    b.create()
    assert mount_namespace(b.pid) == mount_namespace("self")
    out = rt("exec", b.id, "sh", "-c", "id -u; readlink /proc/self/ns/mnt; cat /proc/1/cmdline; touch /x; ls /; wc -c < /proc/keys;"
             "echo > /dev/null; touch /dev/shm/x && echo written").out
    assert out.startswith("0\n%s\nsleep" % mount_namespace("self")) and "boot" not in out and out.endswith("\n0\nwritten\n"), out
    assert not os.path.exists(b.rootfs + "/x")
    b.delete()
    with open("/proc/self/mountinfo") as f:
        assert f.read() == before
    b = UserBundle()
    b.linux["namespaces"] = []
    del b.config["hostname"]
    b.fails("rootless container requires user namespaces")


def test_join_the_mount_namespace_of_another_container():
    first = UserBundle("sleep", "1000").create()
    b = UserBundle("sleep", "1000")
    ns_without(b, "user", "mount")
    for kind, name in (("user", "user"), ("mount", "mnt")):
        b.linux["namespaces"].append({"type": kind, "path": "/proc/%d/ns/%s" % (first.pid, name)})
    b.config["root"]["path"] = "/"
    b.create()
    assert mount_namespace(b.pid) == mount_namespace(first.pid)
    assert rt("exec", b.id, "readlink", "/proc/self/ns/mnt").out.strip() == mount_namespace(first.pid)
    b.delete()
    # The host's is not for it to join.
    b = UserBundle()
    ns_without(b, "user", "mount")
    b.linux["namespaces"] += [{"type": "user", "path": "/proc/%d/ns/user" % first.pid}, {"type": "mount", "path": "/proc/self/ns/mnt"}]
    b.fails("join mount namespace /proc/self/ns/mnt: operation not permitted")
    first.delete()
