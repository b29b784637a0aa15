# SPDX-License-Identifier: LGPL-2.1-or-later
"""Ways to the runtime's own program through /proc/PID/exe: it must stay as it is whatever is tried."""
import hashlib
import os
import shutil
import struct
import subprocess

import bundle
from attackers import Running, attacker, wait_for_text, with_python
from bundle import ROOT, RUNTIME, TOP, Bundle, rt

PROGRAM = shutil.which(RUNTIME)
STRONG = ["CAP_SYS_PTRACE", "CAP_SYS_ADMIN", "CAP_DAC_READ_SEARCH", "CAP_SYS_RESOURCE"]

# Catches every process that is the runtime's program, keeps the program open, and writes to it once nothing runs it.
CATCH = r"""
import ctypes, errno, os, sys, time
libc = ctypes.CDLL(None, use_errno=True)
name = sys.argv[1]
held, told = [], set()
def tell(*what):
    if what not in told:
        told.add(what)
        print(*what)
def attack(fd):
    path = "/proc/self/fd/%d" % fd
    for how in (os.O_WRONLY, os.O_RDWR, os.O_WRONLY | os.O_TRUNC, os.O_RDWR | os.O_APPEND):
        try:
            w = os.open(path, how)
        except OSError as e:
            tell("error", errno.errorcode[e.errno])
            continue
        tell("WRITABLE")
        os.close(w)
    try:
        os.truncate(path, 0)
        tell("TRUNCATED")
    except OSError as e:
        tell("error", errno.errorcode[e.errno])
    try:
        os.chmod(path, 0o777)
        tell("CHMOD")
    except OSError as e:
        tell("error", errno.errorcode[e.errno])
    # A mount of our own of the same file, which might be made writable.
    tree = libc.syscall(428, fd, b"", 0x1000 | 1)
    if tree >= 0:
        attr = (ctypes.c_uint64 * 4)(0, 1, 0, 0)
        if libc.syscall(442, tree, b"", 0x1000, attr, 32) >= 0:
            tell("REMOUNTED")
    else:
        tell("error", errno.errorcode[ctypes.get_errno()])
    if libc.mount(b"none", path.encode(), None, 32 | 4096, None) >= 0:
        tell("REMOUNTED")
print("ready")
until = time.monotonic() + float(sys.argv[2])
while time.monotonic() < until and len(held) < 20:
    for p in os.listdir("/proc"):
        if p.isdigit() and int(p) != os.getpid():
            try:
                # The payload may have replaced it by the time it is opened.
                fd = os.open("/proc/%s/exe" % p, os.O_RDONLY)
                link = os.readlink("/proc/self/fd/%d" % fd)
                # A file that is a mount of its own, attached nowhere, has no other name.
                if link == "/" or name in link or "memfd:" in link:
                    held.append(fd)
                    tell("caught")
                else:
                    os.close(fd)
            except OSError:
                pass
for fd in held:
    for _ in range(3):
        attack(fd)
print("done")
time.sleep(1000)
"""


def setup():
    bundle.start_tests()


def teardown():
    bundle.end_tests()


def digest(path=PROGRAM):
    st = os.stat(path)
    with open(path, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest(), st.st_size, st.st_mtime_ns, st.st_mode


def check(out):
    assert "caught" in out, "the program was not seen at all: %s" % out
    assert "done" in out, out
    for word in ("WRITABLE", "TRUNCATED", "CHMOD", "REMOUNTED"):
        assert word not in out, out


def catch(runtime, name, caps):
    b = attacker(CATCH, name, "1.5", caps=caps)
    before = digest(runtime)
    with open(b.rootfs + "/bin/victim", "w") as f:
        f.write("#!/proc/self/exe\n")
    os.chmod(b.rootfs + "/bin/victim", 0o755)
    with Running(b) as r:
        for _ in range(12):
            # The interpreter of a script, the program itself, and by the name of a link to it.
            for program in ("/bin/victim", "/proc/self/exe"):
                rt("exec", b.id, program, "events", check=None, runtime=runtime)
        wait_for_text(b, "done")
    check(r.out)
    assert digest(runtime) == before, "the runtime was changed"


def test_installed_program():
    catch(PROGRAM, "berth-runtime", STRONG)


def test_program_by_another_name_in_a_writable_place():
    copy = TOP + "/some-tool"
    shutil.copy(PROGRAM, copy)
    os.chmod(copy, 0o777)
    catch(copy, "some-tool", STRONG)


def test_entrypoint_is_the_program():
    before = digest()
    for args in (["/proc/self/exe", "--version"], ["/bin/script"], ["/proc/1/exe", "--version"], ["/proc/thread-self/exe", "list"]):
        b = Bundle(*args)
        b.process["capabilities"] = {k: b.process["capabilities"][k] + STRONG for k in ("bounding", "effective", "permitted")}
        with open(b.rootfs + "/bin/script", "w") as f:
            f.write("#!/proc/self/exe\n")
        os.chmod(b.rootfs + "/bin/script", 0o755)
        b.run(check=None)
        assert digest() == before, args


def test_program_as_elf_interpreter():
    """A program whose loader is /proc/self/exe: the kernel maps ours into a process of the container."""
    interp = b"/proc/self/exe\0"
    base = 0x10000000
    header = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01", 2, 62, 1, base + 0x1000, 64, 0, 0, 64, 56, 2, 64, 0, 0)
    offset = 64 + 2 * 56
    program = header + struct.pack("<IIQQQQQQ", 3, 4, offset, base + offset, base + offset, len(interp), len(interp), 1) + \
        struct.pack("<IIQQQQQQ", 1, 5, 0, base, base, 0x1001, 0x1001, 0x1000) + interp
    before = digest()
    b = Bundle("/bin/elf", "--version")
    with open(b.rootfs + "/bin/elf", "wb") as f:
        f.write(program.ljust(0x1001, b"\xcc"))
    os.chmod(b.rootfs + "/bin/elf", 0o755)
    b.run(check=None)
    assert digest() == before
    b = with_python(Bundle("sleep", "1000")).create().start()
    shutil.copy(b.path.replace(b.id, "t%d" % (int(b.id[1:]) - 1)) + "/rootfs/bin/elf", b.rootfs + "/bin/elf")
    rt("exec", b.id, "/bin/elf", "--version", check=None)
    b.delete()
    assert digest() == before


def test_waiting_process_runs_a_readonly_program():
    copy = TOP + "/copy-tool"
    shutil.copy(PROGRAM, copy)
    os.chmod(copy, 0o755)
    b = Bundle("sleep", "1000")
    b.save()
    with open(b.path + "/out", "ab") as out:
        subprocess.run([copy, "--root", ROOT, "create", "--bundle", b.path, "--pid-file", b.path + "/pid", b.id],
                       stdin=subprocess.DEVNULL, stdout=out, stderr=out, timeout=30, check=True)
    with open(b.path + "/pid") as f:
        pid = int(f.read())
    fd = os.open("/proc/%d/exe" % pid, os.O_RDONLY)
    assert os.fstatvfs(fd).f_flag & os.ST_RDONLY, "the waiting process runs a writable program"
    b.delete()
    try:
        os.close(os.open("/proc/self/fd/%d" % fd, os.O_WRONLY))
        raise AssertionError("written to, by the host's root")
    except OSError as e:
        assert e.errno == 30, e
    os.close(fd)
