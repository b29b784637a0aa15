# SPDX-License-Identifier: LGPL-2.1-or-later
"""Hostile images and configurations against berth-runtime: each ends in an error or in nothing."""
import os
import shutil
import socket

import bundle
from bundle import RUNTIME, TOP, Bundle, rt
from harness import run


def setup():
    bundle.start_tests()


def teardown():
    bundle.end_tests()


def test_symlinks_in_the_image_cannot_redirect_mounts():
    outside = TOP + "/outside"
    os.makedirs(outside, exist_ok=True)
    b = Bundle()
    for name, target in (("dest", "/../../../../../.." + outside), ("abs", outside), ("rel", "../../../../../.." + outside)):
        os.symlink(target, b.rootfs + "/" + name)
        b.config["mounts"].append({"destination": "/%s/in" % name, "type": "tmpfs", "source": "x"})
    b.sh("true")
    assert os.listdir(outside) == [], "a directory was made outside the root"
    # Dangling links are followed inside the root, as for /etc/resolv.conf -> ../run/...
    b = Bundle()
    with open(b.path + "/resolv", "w") as f:
        f.write("nameserver\n")
    os.symlink("../run/resolv/stub", b.rootfs + "/etc/resolv.conf")
    b.config["mounts"].append({"destination": "/etc/resolv.conf", "source": b.path + "/resolv", "options": ["bind", "ro"]})
    assert b.sh("cat /etc/resolv.conf").out == "nameserver\n"
    for name in ("proc", "sys"):
        b = Bundle()
        os.rmdir(b.rootfs + "/" + name)
        os.symlink("/tmp", b.rootfs + "/" + name)
        b.fails("/" + name)
    b = Bundle()
    os.rmdir(b.rootfs + "/dev")
    os.symlink(outside, b.rootfs + "/dev")
    b.run(check=None)
    assert os.listdir(outside) == [], "devices were made outside the root"
    b = Bundle()
    os.symlink("loop", b.rootfs + "/loop")
    b.config["mounts"].append({"destination": "/loop/x", "type": "tmpfs", "source": "x"})
    b.fails("loop")


def test_no_descriptor_or_directory_of_the_host_is_reachable():
    for n in range(3, 30):
        b = Bundle("true")
        b.process["cwd"] = "/proc/self/fd/%d" % n
        b.save()
        r = rt("run", "--bundle", b.path, b.id, check=None)
        assert r.code != 0, "cwd through descriptor %d" % n
        b.gone()
    b = Bundle("sleep", "1000").create().start()
    for n in range(3, 20):
        r = rt("exec", "--cwd", "/proc/self/fd/%d" % n, b.id, "readlink", "/proc/self/cwd", check=None)
        assert r.code != 0, r
    b.delete()


def test_the_runtime_itself_cannot_be_written_or_traced():
    b = Bundle("/proc/self/exe", "--version")
    out = b.run(check=None)
    assert out.code == 0 or "exe" in out.err, out
    path = shutil.which(RUNTIME)
    before = (os.stat(path).st_mtime_ns, os.stat(path).st_size)
    b = Bundle()
    b.process["capabilities"] = {k: ["CAP_SYS_PTRACE", "CAP_DAC_OVERRIDE", "CAP_SYS_ADMIN"] for k in
                                 ("bounding", "effective", "permitted")}
    # The container's own process becomes the runtime's program; another one tries to write to it.
    r = b.sh("/proc/self/exe sleep 0; cat <<E > /tmp/a\n#!/proc/self/exe\nE\nchmod 755 /tmp/a; /tmp/a;"
             "for i in 1 2 3; do for p in /proc/[0-9]*/exe; do echo x > $p; done; done 2>/dev/null; true", check=None)
    assert (os.stat(path).st_mtime_ns, os.stat(path).st_size) == before, r
    # Waiting for start it is not dumpable: its links are root's of the host only.
    b = Bundle("sleep", "1000").create()
    with open("/proc/%d/status" % b.pid) as f:
        status = f.read()
    assert os.stat("/proc/%d/exe" % b.pid, follow_symlinks=False).st_uid == 0, status
    with open("/proc/%d/mountinfo" % b.pid) as f:
        assert TOP not in f.read().replace(b.rootfs, "")
    b.delete()


def test_ptmx_and_console_cannot_be_replaced():
    b = Bundle("true")
    b.process["terminal"] = True
    b.config["mounts"] = [m for m in b.config["mounts"] if m["destination"] not in ("/dev", "/dev/pts", "/dev/shm", "/dev/mqueue")]
    os.makedirs(b.rootfs + "/dev/pts")
    with open(b.rootfs + "/dev/pts/ptmx", "w") as f:
        f.write("not a multiplexer")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(b.path + "/console")
    listener.listen(1)
    b.save()
    r = rt("create", "--bundle", b.path, "--console-socket", b.path + "/console", b.id, check=1)
    assert "not the multiplexer" in r.err, r
    b.gone()
