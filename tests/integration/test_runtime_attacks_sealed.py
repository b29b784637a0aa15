# SPDX-License-Identifier: LGPL-2.1-or-later
"""The runtime's program where it cannot be mounted read-only: a sealed copy in memory, which nobody may change."""
import fcntl
import hashlib
import os
import subprocess
import sys

import bundle
import outer_filter
import test_runtime_attacks_exe as exe
from attackers import Running, attacker, wait_for_text
from bundle import ROOT, RUNTIME, Bundle, rt

FILTER = [sys.executable, os.path.abspath(outer_filter.__file__), "open_tree"]
SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE

# Catches the copy, tries to change it while it runs and when it runs no more, and says what its content is then.
CATCH = r"""
import ctypes, errno, fcntl, hashlib, mmap, os, sys, time
libc = ctypes.CDLL(None, use_errno=True)
told = set()
def tell(*what):
    if what not in told:
        told.add(what)
        print(*what)
def attempt(name, what):
    try:
        what()
        tell(name, "CHANGED")
    except OSError as e:
        tell(name, errno.errorcode[e.errno])
def call(r):
    if r < 0:
        raise OSError(ctypes.get_errno(), "call")
def attack(fd):
    path = "/proc/self/fd/%d" % fd
    attempt("truncate", lambda: os.truncate(path, 0))
    attempt("grow", lambda: os.truncate(path, 1 << 24))
    for how in (os.O_WRONLY, os.O_RDWR, os.O_RDWR | os.O_APPEND):
        try:
            w = os.open(path, how)
        except OSError as e:
            tell("open", errno.errorcode[e.errno])
            continue
        tell("opened")
        attempt("write", lambda: os.write(w, b"#!/bin/sh\n"))
        attempt("pwrite", lambda: os.pwrite(w, b"x", 100))
        attempt("punch", lambda: call(libc.fallocate(w, 3, 0, 4096)))
        attempt("zero", lambda: call(libc.fallocate(w, 16, 0, 4096)))
        attempt("splice", lambda: os.sendfile(w, os.open("/bin/busybox", os.O_RDONLY), 0, 4096))
        attempt("unseal", lambda: fcntl.fcntl(w, 1033, 0))
        if how & os.O_RDWR:
            attempt("map", lambda: mmap.mmap(w, 4096, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE))
        os.close(w)
    # A private mapping cannot reach the file either, nor one that is made writable later.
    m = libc.mmap
    m.restype = ctypes.c_void_p
    m.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
    p = m(None, 4096, 1, 1, fd, 0)
    if p not in (None, ctypes.c_void_p(-1).value):
        attempt("mprotect", lambda: call(libc.mprotect(ctypes.c_void_p(p), 4096, 3)))
held = []
if sys.argv[1:] == ["unsealed"]:
    fd = os.memfd_create("copy", 2)
    os.write(fd, bytes(8192))
    attack(os.open("/proc/self/fd/%d" % fd, os.O_RDONLY))
    sys.exit()
print("ready")
until = time.monotonic() + 2
while time.monotonic() < until and len(held) < 20:
    for p in os.listdir("/proc"):
        if p.isdigit() and int(p) != os.getpid():
            try:
                fd = os.open("/proc/%s/exe" % p, os.O_RDONLY)
                if "memfd:" in os.readlink("/proc/self/fd/%d" % fd):
                    held.append(fd)
                    tell("caught")
                    attack(fd)
                else:
                    os.close(fd)
            except OSError:
                pass
for fd in held:
    for _ in range(2):
        attack(fd)
    os.lseek(fd, 0, 0)
    print("content", hashlib.sha256(open("/proc/self/fd/%d" % fd, "rb").read()).hexdigest())
print("done")
time.sleep(1000)
"""


def setup():
    bundle.start_tests()


def teardown():
    bundle.end_tests()


def test_the_copy_is_sealed():
    b = Bundle("sleep", "1000")
    b.save()
    with open(b.path + "/out", "ab") as out:
        subprocess.run([*FILTER, RUNTIME, "--root", ROOT, "create", "--bundle", b.path, "--pid-file", b.path + "/pid", b.id],
                       stdin=subprocess.DEVNULL, stdout=out, stderr=out, timeout=30, check=True)
    with open(b.path + "/pid") as f:
        link = "/proc/%d/exe" % int(f.read())
    assert "memfd:" in os.readlink(link), os.readlink(link)
    with open(link, "rb") as f:
        assert fcntl.fcntl(f, fcntl.F_GET_SEALS) & SEALS == SEALS
        assert hashlib.sha256(f.read()).hexdigest() == exe.digest()[0]
    b.delete()


def test_the_attack_changes_a_copy_without_seals():
    out = attacker(CATCH, "unsealed", caps=exe.STRONG).run().out
    for what in ("truncate", "grow", "write", "pwrite", "punch", "map"):
        assert what + " CHANGED" in out, (what, out)


def test_nobody_changes_the_copy():
    before = exe.digest()
    b = attacker(CATCH, caps=exe.STRONG)
    with open(b.rootfs + "/bin/victim", "w") as f:
        f.write("#!/proc/self/exe\n")
    os.chmod(b.rootfs + "/bin/victim", 0o755)
    with Running(b) as r:
        for _ in range(8):
            for program in ("/bin/victim", "/proc/self/exe"):
                subprocess.run([*FILTER, RUNTIME, "--root", ROOT, "exec", b.id, program, "events", "--interval", "1s", "none"],
                               capture_output=True, timeout=30, check=False)
        wait_for_text(b, "done")
    assert "caught" in r.out and "content" in r.out, r.out
    assert "CHANGED" not in r.out, r.out
    assert {line.split()[1] for line in r.out.splitlines() if line.startswith("content")} == {before[0]}, r.out
    assert "write EPERM" in r.out and "map EPERM" in r.out or "open ETXTBSY" in r.out, r.out
    print(r.out)
    assert exe.digest() == before
    assert rt("--version").code == 0
