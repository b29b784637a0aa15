# SPDX-License-Identifier: LGPL-2.1-or-later
"""Processes of a container that look at ours while it is among them: exec, and create in a shared pid namespace."""
import os

import bundle
from attackers import Running, attacker
from bundle import TOP, Bundle, rt

# Looks at every new process as fast as it can, by all that /proc has, and tells what it should not have seen.
PEEK = r"""
import os, sys
marker, state = sys.argv[1], sys.argv[2]
mine, told = os.getpid(), set()
def tell(*what):
    if what not in told:
        told.add(what)
        print("SEEN", *what)
print("ready")
while True:
    for p in os.listdir("/proc"):
        if not p.isdigit() or int(p) == mine:
            continue
        d = "/proc/" + p
        for link in ("root", "cwd"):
            try:
                if os.path.exists(d + "/" + link + "/.." * 9 + marker):
                    tell("host files", link)
            except OSError:
                pass
        try:
            with open(d + "/environ") as f:
                if "HOST_SECRET" in f.read():
                    tell("environment")
        except OSError:
            pass
        try:
            # Our program is a mount of its own, attached nowhere, whose only name is this.
            if os.readlink(d + "/exe") == "/":
                tell("program")
                os.close(os.open(d + "/mem", os.O_RDWR))
                tell("memory")
        except OSError:
            pass
        try:
            for n in os.listdir(d + "/fd"):
                target = os.readlink(d + "/fd/" + n)
                if state in target or "cgroup" in target or target == "/":
                    tell("descriptor", target)
        except OSError:
            pass
"""
MARKER = TOP + "/marker"


def setup():
    bundle.start_tests()
    with open(MARKER, "w"):
        pass


def teardown():
    bundle.end_tests()


def peek(caps, act):
    b = attacker(PEEK, MARKER, TOP, caps=caps)
    with Running(b) as r:
        act(b)
    return sorted(line for line in r.out.splitlines() if line.startswith("SEEN"))


def many_execs(b):
    for _ in range(60):
        rt("exec", b.id, "true", env={"HOST_SECRET": "1"})
    # Those that fail late stay longest.
    for _ in range(20):
        assert rt("exec", b.id, "nosuch", check=None, env={"HOST_SECRET": "1"}).code != 0


def many_creates(b):
    for _ in range(30):
        other = Bundle("true")
        bundle.ns_without(other, "pid")
        other.linux["namespaces"].append({"type": "pid", "path": "/proc/%d/ns/pid" % b.pid})
        other.save()
        rt("run", "--bundle", other.path, other.id, env={"HOST_SECRET": "1"})
        other.gone()


def test_exec_cannot_be_looked_into():
    assert peek([], many_execs) == []


def test_create_in_a_shared_pid_namespace_cannot_be_looked_into():
    assert peek([], many_creates) == []


def test_the_probe_is_fast_enough():
    """CAP_SYS_PTRACE in the host's own user namespace sees through non-dumpable (docs/runtime-security.md, "What is not
    defended"): that it does shows that the tests above look at the right moment."""
    seen = peek(["CAP_SYS_PTRACE"], many_execs)
    assert "SEEN program" in seen or "SEEN environment" in seen, seen
