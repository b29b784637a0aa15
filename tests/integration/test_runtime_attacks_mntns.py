# SPDX-License-Identifier: LGPL-2.1-or-later
"""Attacks on and from containers that share their mount namespace with others."""
import os
import random
import signal
import subprocess
import time

import bundle
import test_runtime_attacks_exe as exe
from attackers import Running, attacker, wait_for_text
from bundle import CGROUP, ROOT, RUNTIME, TOP, Bundle, ns_without, rt
from harness import run, wait_for
from test_runtime_mount_namespace import elsewhere, inode, joined, plain, shared, untouched

LIBC = """
import ctypes, errno, os
libc = ctypes.CDLL(None, use_errno=True)
def call(name, r):
    print(name, "DONE" if r >= 0 else errno.errorcode[ctypes.get_errno()])
    return r
"""
# The oldest way out of a chroot: a root below the working directory does not stop "..".
CLIMB = LIBC + """
os.makedirs("/tmp/deep", exist_ok=True)
here = os.open("/", os.O_RDONLY)
os.chroot("/tmp/deep")
os.fchdir(here)
for _ in range(100):
    os.chdir("..")
os.chroot(".")
print("SEES" if os.path.exists(%r) else "inside", "mark" if os.path.exists("/mark") else "no mark")
"""
LEAVE = LIBC + """
fd = os.open("/proc/self/ns/mnt", os.O_RDONLY)
call("setns", libc.setns(fd, 0x20000))
call("userns", libc.unshare(0x10000000))
call("mountns", libc.unshare(0x20000))
print("OUT" if os.path.exists(%r) else "inside")
"""
UNCOVER = LIBC + """
MNT = {"detach": 2, "none": 0}
for path in (b"/proc/sys", b"/proc/keys", b"/proc", b"/sys", b"/"):
    for name, flag in MNT.items():
        call("umount", libc.umount2(path, flag))
    call("remount", libc.mount(b"none", path, None, 32 | 4096, None))
    attr = (ctypes.c_uint64 * 4)(0, 1, 0, 0)
    call("setattr", libc.syscall(442, -100, path, 0x8000, attr, 32))
    call("clone", libc.syscall(428, -100, path, 1))
    call("bind", libc.mount(b"/tmp", path, None, 4096, None))
    call("move", libc.mount(path, b"/tmp", None, 8192, None))
    call("tmpfs", libc.mount(b"none", path, b"tmpfs", 0, None))
    call("propagation", libc.mount(None, path, None, 1 << 20 | 16384, None))
call("pivot", libc.syscall(155, b"/", b"/tmp"))
print("end")
"""


def setup():
    bundle.start_tests()
    os.chmod(TOP, 0o755)


def teardown():
    bundle.end_tests()


def hostile(script, caps=(), make_plain=False):
    b = attacker(script, caps=caps)
    ns_without(b, "mount")
    if make_plain:
        # python comes by hand: nothing may be mounted.
        usr = [m for m in b.config["mounts"] if m["destination"] == "/usr"]
        b.config["mounts"] = []
        b.linux["maskedPaths"] = b.linux["readonlyPaths"] = []
        assert usr
        run("mount", "--rbind", "--make-rprivate", "/usr", b.rootfs + "/usr")
    with open(b.rootfs + "/mark", "w") as f:
        f.write("root of the container")
    return b


def test_no_way_up_from_a_tree():
    b = hostile(CLIMB % TOP)
    assert "CAP_SYS_CHROOT" in b.process["capabilities"]["effective"]
    with untouched():
        assert b.run().out == "inside mark\n"


def test_the_climber_does_leave_a_plain_root():
    # What docs/runtime-security.md says is not defended; and the proof that the attack above is one.
    b = hostile(CLIMB % TOP, make_plain=True)
    try:
        b.save()
        assert rt("run", "--bundle", b.path, b.id).out == "SEES no mark\n"
        for kinds in b.process["capabilities"].values():
            kinds.remove("CAP_SYS_CHROOT")
        b.save()
        r = rt("run", "--bundle", b.path, b.id, check=None)
        assert "PermissionError" in r.err and "SEES" not in r.out, r
    finally:
        run("umount", "-R", "-l", b.rootfs + "/usr")


def test_no_way_out_by_namespaces():
    for uid in (0, 1000):
        b = hostile(LEAVE % TOP)
        b.process["user"] = {"uid": uid, "gid": uid}
        with untouched():
            out = b.run().out
        assert out == "setns EPERM\nuserns EPERM\nmountns EPERM\ninside\n", out


def test_masks_cannot_be_lifted_by_who_may_mount():
    b = hostile(UNCOVER, caps=["CAP_SYS_ADMIN"])
    b.config["root"]["readonly"] = True
    os.makedirs(b.rootfs + "/tmp", exist_ok=True)
    with untouched():
        out = b.run().out
    assert out.endswith("end\n") and "DONE" not in out, out
    assert out.count("umount EINVAL") == 10 and "setattr EINVAL" in out, out


def test_the_runtimes_program():
    for caps in ([], exe.STRONG):
        b = attacker(exe.CATCH, "berth-runtime", "1.5", caps=caps)
        ns_without(b, "mount")
        before = exe.digest()
        with open(b.rootfs + "/bin/victim", "w") as f:
            f.write("#!/proc/self/exe\n")
        os.chmod(b.rootfs + "/bin/victim", 0o755)
        with Running(b) as r:
            for _ in range(12):
                for program in ("/bin/victim", "/proc/self/exe"):
                    rt("exec", b.id, program, "events", check=None)
            wait_for_text(b, "done")
        exe.check(r.out)
        assert exe.digest() == before


def test_descriptors_and_working_directories():
    for make in (shared, plain):
        up = make("sleep", "1000")
        up.create().start()
        for n in range(3, 24):
            for tail in ("", "/../../.."):
                path = "/proc/self/fd/%d%s" % (n, tail)
                r = rt("exec", "--cwd", path, up.id, "ls", check=None)
                assert r.code != 0 and "chdir" in r.err, r
                b = make("ls")
                b.process["cwd"] = path
                if not b.config["mounts"]:
                    continue            # made in the root, where is no procfs
                b.save()
                r = rt("run", "--bundle", b.path, b.id, check=None)
                assert r.code != 0 and "working directory" in r.err or "cwd" in r.err, r
        up.delete()
    b = shared("sleep", "1000").create().start()
    for args in (("ls", "/proc/self/fd"), ("sh", "-c", "ls /proc/self/fd")):
        assert rt("exec", b.id, *args).out.split() in (["0", "1", "2", "3"], ["0", "1", "2"]), args
    assert rt("exec", "--cwd", "/tmp", b.id, "readlink", "/proc/self/cwd").out == "/tmp\n"
    b.delete()


TRAPS = """
mkdir -p /mnt/t && mount -t tmpfs traps /mnt/t && mkdir /mnt/t/dir /mnt/t/real /mnt/t/etc && echo theirs > /mnt/t/etc/mine
ln -s /proc/1/root%(secret)s /mnt/t/magic
ln -s /proc/%(ours)d/cwd /mnt/t/cwd
ln -s /proc/1/root /mnt/t/dir/up
ln -s /mnt/t/etc /mnt/t/real/link
"""


def test_links_of_a_joined_namespace():
    secret = TOP + "/secret"
    os.mkdir(secret)
    with open(secret + "/word", "w") as f:
        f.write("host")
    with elsewhere(TRAPS % {"secret": secret, "ours": os.getpid()}) as pid:
        # It hides the secret, or the host's could not be told from theirs.
        run("nsenter", "-t", str(pid), "-m", "mount", "-t", "tmpfs", "hidden", secret)
        with untouched("self", pid):
            for source in ("/mnt/t/magic", "/mnt/t/dir/up" + secret, "/mnt/t/cwd"):
                b = joined(pid)
                b.config["mounts"].append({"destination": "/vol", "source": source, "options": ["rbind"]})
                b.fails("mount %s on /vol" % source)
                b = joined(pid)
                b.config["root"]["path"] = source
                b.fails("root file system " + source)
            # What is no trap: links and ".." end in that namespace.
            b = joined(pid)
            b.config["mounts"] += [
                {"destination": "/vol", "source": "/mnt/t/real/link", "options": ["bind"]},
                {"destination": "/top", "source": "/mnt/t/../../../../../mnt/t/etc", "options": ["bind"]},
                {"destination": "/secret", "source": secret, "options": ["bind"]}]
            assert b.sh("cat /vol/mine /top/mine; ls /secret").out == "theirs\ntheirs\n"


def test_false_files_of_a_joined_namespace():
    false = ("mount -t tmpfs false /proc; mkdir -p /proc/self/attr/apparmor /proc/sys/kernel /proc/sys/net/ipv4 /proc/thread-self;"
             "for f in self/oom_score_adj self/attr/exec sys/net/ipv4/ip_forward sys/kernel/msgmax self/timens_offsets; do"
             " echo false > /proc/$f; done;"
             "mount -t tmpfs false /dev; echo no device > /dev/null; echo none > /dev/zero;"
             "mount -t tmpfs false /sys/fs/cgroup; echo mine > /sys/fs/cgroup/cgroup.procs")
    with elsewhere(false) as pid:
        def seen(path):
            with open("/proc/%d/root%s" % (pid, path)) as f:
                return f.read()
        with untouched("self", pid):
            b = joined(pid)
            b.fails("/dev/null is not the null device")
        run("nsenter", "-t", str(pid), "-m", "umount", "/dev")
        with untouched("self", pid):
            b = joined(pid)
            b.process["oomScoreAdj"] = 321
            b.linux["sysctl"] = {"net.ipv4.ip_forward": "1", "kernel.msgmax": "4321"}
            b.linux["namespaces"].append({"type": "time"})
            b.linux["timeOffsets"] = {"boottime": {"secs": 100000000}}
            out = b.sh("cat /proc/self/oom_score_adj /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/msgmax;"
                       "cut -d. -f1 /proc/uptime").out.split()
            assert out[:3] == ["321", "1", "4321"] and int(out[3]) > 100000000, out
            for f in ("self/oom_score_adj", "sys/net/ipv4/ip_forward", "sys/kernel/msgmax", "self/timens_offsets"):
                assert seen("/proc/" + f) == "false\n", f
            # The host's cgroups are bound where the container has no cgroup namespace.
            b = joined(pid)
            ns_without(b, "cgroup")
            b.fails("on /sys/fs/cgroup: no such device")
            assert seen("/sys/fs/cgroup/cgroup.procs") == "mine\n"


def processes(cgroup):
    try:
        with open("%s/berth-test/%s/cgroup.procs" % (CGROUP, cgroup)) as f:
            return f.read().split()
    except OSError:
        return []


def test_killed_at_any_time_nothing_is_left():
    rnd = random.Random(7)
    caught = 0
    with untouched():
        for _ in range(40):
            b = shared("sleep", "1000")
            b.save()
            with open(b.path + "/out", "wb") as out:
                p = subprocess.Popen([RUNTIME, "--root", ROOT, "create", "--bundle", b.path, b.id], stdin=subprocess.DEVNULL,
                                     stdout=out, stderr=out)
            time.sleep(rnd.uniform(0, 0.012))
            p.kill()
            caught += p.wait() == -signal.SIGKILL
            rt("delete", "--force", b.id)
            b.gone()
    assert caught > 5, "no create was killed: %d" % caught


def test_the_helper_ends_with_the_first_process():
    # Without a pid namespace nobody else takes it along.
    b = shared("sleep", "1000")
    ns_without(b, "pid")
    b.config["hooks"] = {"createContainer": [{"path": "/bin/sh", "args": ["sh", "-c", "echo up > %s/up; exec sleep 1000" % b.path]}]}
    b.save()
    with untouched():
        with open(b.path + "/out", "wb") as out:
            p = subprocess.Popen([RUNTIME, "--root", ROOT, "create", "--bundle", b.path, b.id], stdin=subprocess.DEVNULL,
                                 stdout=out, stderr=out)
        wait_for(lambda: os.path.exists(b.path + "/up"))
        pids = sorted(map(int, processes(b.id)))
        assert len(pids) == 3, pids      # first process, helper, hook
        with open("/proc/%d/status" % pids[1]) as f:
            assert "PPid:\t%d\n" % pids[0] in f.read()
        os.kill(pids[0], signal.SIGKILL)
        assert p.wait(timeout=20) != 0
        wait_for(lambda: str(pids[1]) not in processes(b.id))
        rt("delete", "--force", b.id)
        b.gone()


def test_exec_never_lands_outside():
    # A container whose first process has gone, and whose pid is another's now, cannot be told by its mount namespace.
    b = shared("sleep", "1000").create().start()
    assert rt("exec", b.id, "readlink", "/proc/self/ns/mnt").out.strip() == inode("self", "mnt")
    state = "%s/%s/status" % (ROOT, b.id)
    with open(state) as f:
        text = f.read()
    assert '"pid":%d,' % b.pid in text
    with open(state, "w") as f:
        f.write(text.replace('"pid":%d,' % b.pid, '"pid":%d,' % os.getpid()))
    r = rt("exec", b.id, "true", check=None)
    assert r.code != 0 and "not running" in r.err, r
    with open(state, "w") as f:
        f.write(text)
    # One that dies while exec is at work.
    for _ in range(10):
        c = shared("sleep", "1000").create().start()
        p = subprocess.Popen([RUNTIME, "--root", ROOT, "exec", c.id, "sh", "-c", "ls /; ls /boot /var/tmp"],
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        os.kill(c.pid, signal.SIGKILL)
        out = p.communicate()[0].decode()
        assert os.path.basename(TOP) not in out, out
        c.delete()
    b.delete()
