# SPDX-License-Identifier: LGPL-2.1-or-later
"""Processes of a container that look at ours while it is among them: exec, and create in a shared pid namespace."""
import os

import bundle
from attackers import Running, attacker
from bundle import ROOT, RUNTIME, TOP, Bundle, rt
from harness import Pty, wait_for

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
# Tells the capabilities and the filter of processes that run our program, read again to be sure that it still does.
RIGHTS = r"""
import os
print("ready")
mine = os.getpid()
told = set()
while True:
    for p in os.listdir("/proc"):
        if p.isdigit() and int(p) != mine:
            try:
                first = os.readlink("/proc/%s/exe" % p)
                with open("/proc/%s/status" % p) as f:
                    status = dict(l.split(":", 1) for l in f.read().splitlines() if ":" in l)
                if first != "/" or os.readlink("/proc/%s/exe" % p) != "/":
                    continue
            except OSError:
                continue
            own = dict(l.split(":", 1) for l in open("/proc/self/status").read().splitlines() if ":" in l)
            tell = {"OURS"}
            for key in ("CapPrm", "CapEff", "CapBnd", "CapInh", "Uid", "Groups", "Seccomp"):
                if status[key].split() != own[key].split():
                    tell.add("RIGHTS %s %s" % (key, status[key]))
            for t in tell - told:
                print(t)
            told |= tell
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


def test_exec_shows_nothing_to_who_may_trace_all():
    """CAP_SYS_PTRACE in the host's user namespace sees through non-dumpable: so there must be nothing to see."""
    seen = peek(["CAP_SYS_PTRACE"], many_execs)
    assert set(seen) <= {"SEEN program", "SEEN memory"}, seen


def test_a_process_that_can_be_taken_over_has_no_rights():
    b = attacker(RIGHTS, caps=["CAP_SYS_PTRACE"])
    b.linux["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_ERRNO"}]}
    with Running(b) as r:
        many_execs(b)
    assert "OURS" in r.out, "none was seen"
    assert "RIGHTS" not in r.out, r.out


def test_terminal_of_a_guarded_exec():
    b = attacker("import time; print('ready'); time.sleep(1000)", caps=["CAP_SYS_PTRACE"])
    with Running(b):
        pty = Pty(RUNTIME, "--root", ROOT, "exec", "--tty", b.id, "sh", "-c", "tty; stty size; ps; echo x >/dev/tty; exit 7")
        pty.expect(r"/dev/pts/\d")
        pty.expect("x")
        assert pty.wait() == 7
        assert rt("exec", b.id, "sh", "-c", "exit 9", check=9)
        r = rt("exec", b.id, "nosuch", check=None)
        assert r.code != 0 and "executable file not found" in r.err, r
        rt("exec", "--detach", "--pid-file", b.path + "/exec-pid", b.id, "sh", "-c",
           "exec sleep 1000 >/dev/null 2>&1")
        with open(b.path + "/exec-pid") as f:
            pid = int(f.read())
        wait_for(lambda: open("/proc/%d/comm" % pid).read() == "sleep\n", 5)
        os.kill(pid, 9)
        os.waitpid(pid, 0)


def test_the_probe_is_fast_enough():
    """In a shared pid namespace the process of a create is seen by who may trace all (docs/runtime-security.md, "What is not
    defended"): that it is shows that the tests above look at the right moment."""
    seen = peek(["CAP_SYS_PTRACE"], many_creates)
    assert "SEEN program" in seen and "SEEN environment" in seen, seen
