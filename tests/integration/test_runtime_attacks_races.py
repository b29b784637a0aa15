# SPDX-License-Identifier: LGPL-2.1-or-later
"""Somebody exchanges directories for symlinks in a shared root file system while containers are created in it."""
import os
import subprocess
import sys

import bundle
from bundle import ROOT, RUNTIME, TOP, Bundle
from harness import run

OUTSIDE = TOP + "/outside"
ROUNDS = 40

# renameat2(RENAME_EXCHANGE) of each pair of paths, for ever.
FLIP = """
import ctypes, sys
libc = ctypes.CDLL(None)
pairs = [(a.encode(), (a + ".link").encode()) for a in sys.argv[1:]]
print("ready", flush=True)
while True:
    for a, b in pairs:
        libc.syscall(316, -100, a, -100, b, 2)
"""


def setup():
    bundle.start_tests()
    for d in ("", "/in", "/dir", "/new"):
        os.makedirs(OUTSIDE + d, exist_ok=True)
    with open(OUTSIDE + "/file", "w") as f:
        f.write("host\n")


def teardown():
    bundle.end_tests()


def snapshot():
    """All below OUTSIDE: names, owners, modes, contents' and directories' times; and the host's mounts."""
    found = []
    for d, names, files in os.walk(OUTSIDE):
        for n in [d] + [d + "/" + f for f in names + files]:
            st = os.lstat(n)
            found.append((n, st.st_uid, st.st_gid, st.st_mode, st.st_size, st.st_mtime_ns, st.st_ctime_ns))
    with open("/proc/self/mountinfo") as f:
        return sorted(found), sorted(line.split(" ", 2)[2] for line in f)


def race(b, paths, script="true", rounds=ROUNDS):
    """Run the bundle so often while paths of its root are exchanged with PATH.link; (exit codes, all outputs)."""
    b.process["args"] = ["sh", "-c", script]
    b.save()
    before = snapshot()
    flipper = subprocess.Popen([sys.executable, "-c", FLIP] + [b.rootfs + p for p in paths], stdout=subprocess.PIPE)
    flipper.stdout.readline()
    codes, outputs, errors = [], "", set()
    try:
        for _ in range(rounds):
            r = run(RUNTIME, "--root", ROOT, "run", "--bundle", b.path, b.id, check=None)
            # An error is an answer; a signal is not.
            assert 0 <= r.code < 128, r
            codes.append(r.code)
            outputs += r.out
            errors.add(r.err)
            b.gone()
    finally:
        flipper.kill()
        flipper.wait()
        flipper.stdout.close()
    assert snapshot() == before, "something of the host was changed"
    assert 0 in codes, ("not once it was in time", errors)
    return codes, outputs


def shared_root(*directories, files=()):
    """A bundle with these in its root, each with a symlink beside it that leads to OUTSIDE by a relative way out."""
    b = Bundle()
    for n, d in enumerate(directories):
        os.makedirs(b.rootfs + d, exist_ok=True)
        os.symlink(("/.." * 12 if n % 2 else "../" * 12) + OUTSIDE + "/dir", b.rootfs + d + ".link")
    for n in files:
        with open(b.rootfs + n, "w"):
            pass
        os.symlink("../" * 12 + OUTSIDE + "/file", b.rootfs + n + ".link")
    return b


def test_mount_targets():
    b = shared_root("/a", "/a2/b", "/c", files=["/etc/resolv.conf"])
    os.makedirs(b.path + "/volume")
    with open(b.path + "/file", "w") as f:
        f.write("bound\n")
    b.config["mounts"] += [
        {"destination": "/a", "type": "tmpfs", "source": "x"},
        {"destination": "/a/made/below", "type": "tmpfs", "source": "x", "options": ["mode=777"]},
        {"destination": "/a2/b/vol", "source": b.path + "/volume", "options": ["bind"]},
        {"destination": "/c", "type": "tmpfs", "source": "x", "options": ["tmpcopyup"]},
        {"destination": "/etc/resolv.conf", "source": b.path + "/file", "options": ["bind", "ro"]}]
    race(b, ["/a", "/a2/b", "/c", "/etc/resolv.conf"], "echo x >/a2/b/vol/written")


def test_kernel_file_systems():
    b = shared_root("/proc", "/sys", "/dev")
    # procfs is where the directory was, whatever that is called now: the names change while the payload looks, too.
    script = """n=0; until [ -e /proc/1/status ] || [ -e /proc.link/1/status ]; do
        n=$((n + 1)); [ $n -lt 1000 ] || exit 9; done; echo proc"""
    codes, out = race(b, ["/proc", "/sys", "/dev"], script)
    assert 9 not in codes and out.splitlines() == ["proc"] * codes.count(0), (codes, out)


def test_devices_in_the_root():
    b = shared_root("/dev", files=["/dev/null.x"])
    b.config["mounts"] = [m for m in b.config["mounts"] if not m["destination"].startswith("/dev")]
    for name in ("null", "tty", "console", "ptmx"):
        os.symlink("../" * 12 + OUTSIDE + "/file", b.rootfs + "/dev/%s.link" % name)
        os.symlink("../" * 12 + OUTSIDE + "/new/" + name, b.rootfs + "/dev/" + name)
    b.linux["devices"] = [{"path": "/dev/null", "type": "c", "major": 1, "minor": 3, "uid": 1000, "gid": 1000, "fileMode": 0o666},
                          {"path": "/dev/sub/made", "type": "c", "major": 1, "minor": 3, "uid": 1000, "gid": 1000}]
    before = snapshot()
    r = b.run(check=None)
    assert r.code != 0 and "has incorrect" in r.err, r
    os.unlink(b.rootfs + "/dev/null")
    os.unlink(b.rootfs + "/dev/tty")
    assert snapshot() == before
    race(b, ["/dev", "/dev/console"])


def test_masks_and_readonly_paths():
    b = shared_root("/secret", "/fixed", files=["/hidden"])
    b.linux["maskedPaths"] += ["/secret", "/hidden", "/secret/in", "/nothing"]
    b.linux["readonlyPaths"] += ["/fixed", "/fixed/in"]
    race(b, ["/secret", "/fixed", "/hidden"])


def test_working_directory():
    b = shared_root("/work", "/work2")
    b.process["cwd"] = "/work/deep/er"
    _, out = race(b, ["/work", "/work2"], "pwd; if [ -e ../../../file ]; then echo escaped; fi")
    # Inside the root the link leads to a directory of the same name, which is made there.
    assert set(out.split()) <= {"/work/deep/er", "/work.link/deep/er", OUTSIDE + "/dir/deep/er"}, out


def test_sources_that_are_not_to_be_followed():
    b = Bundle()
    volume = b.path + "/volume"
    os.makedirs(volume + "/sub/ours")
    os.makedirs(b.rootfs + "/mnt")
    os.symlink(OUTSIDE, volume + "/sub.link")
    b.rootfs, root = volume, b.rootfs
    b.config["mounts"].append({"destination": "/mnt", "source": volume + "/sub", "options": ["rbind", "src-nofollow"]})
    _, out = race(b, ["/sub"], "ls /mnt")
    b.rootfs = root
    assert "ours" in out.split() and "file" not in out.split() and "dir" not in out.split(), out


def test_exec_in_a_changing_root():
    b = shared_root("/work")
    b.process["args"] = ["sleep", "1000"]
    b.create().start()
    before = snapshot()
    flipper = subprocess.Popen([sys.executable, "-c", FLIP, b.rootfs + "/work"], stdout=subprocess.PIPE)
    flipper.stdout.readline()
    try:
        for _ in range(ROUNDS):
            r = run(RUNTIME, "--root", ROOT, "exec", "--cwd", "/work", b.id, "ls", "-a", ".", check=None)
            assert "file" not in r.out, r
    finally:
        flipper.kill()
        flipper.wait()
        flipper.stdout.close()
    b.delete()
    assert snapshot() == before
