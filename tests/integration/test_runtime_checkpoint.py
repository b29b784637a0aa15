# SPDX-License-Identifier: LGPL-2.1-or-later
"""berth-runtime checkpoint and restore: what was there before is there again, and a failure leaves no mess."""
import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import time

import bundle
from bundle import CGROUP, ROOT, RUNTIME, TOP, Bundle, ns_without, read_until, receive_fd, rt
from harness import needs, run, timeout, wait_for

COUNT = "i=0; while :; do i=$((i+1)); echo $i > /tmp/count.new; mv /tmp/count.new /tmp/count; sleep 0.05; done"


def setup():
    bundle.start_tests()


def teardown():
    bundle.end_tests()


class Subject(Bundle):
    """A bundle whose container goes to b.images and comes back."""

    def __init__(self, script=COUNT):
        super().__init__("sh", "-c", script)
        self.images, self.work = self.path + "/images", self.path + "/work"
        os.symlink("busybox", self.rootfs + "/bin/mv")

    def up(self, *options):
        return self.create(*options).start()

    def count(self):
        try:
            with open(self.rootfs + "/tmp/count") as f:
                return int(f.read() or 0)
        except FileNotFoundError:
            return 0

    def checkpoint(self, *options, check=0, **kw):
        return rt("checkpoint", "--image-path", self.images, "--work-path", self.work, *options, self.id, check=check, **kw)

    def restore(self, *options, check=0, stdin=subprocess.DEVNULL):
        with open(self.path + "/out", "ab") as out:
            p = subprocess.run([RUNTIME, "--root", ROOT, "restore", "--detach", "--bundle", self.path, "--image-path",
                                self.images, "--work-path", self.work, "--pid-file", self.path + "/pid", *options, self.id],
                               stdin=stdin, stdout=out, stderr=out, timeout=60)
        assert p.returncode == check, "%d: %s%s" % (p.returncode, self.out(), self.log("restore"))
        if check == 0:
            with open(self.path + "/pid") as f:
                self.pid = int(f.read())
        return self

    def log(self, what):
        try:
            with open("%s/%s.log" % (self.work, what)) as f:
                return "".join(line for line in f if "Error" in line or "Warn" in line)
        except FileNotFoundError:
            return ""

    def cycle(self, *options):
        self.checkpoint(*options)
        self.reap()
        self.gone()
        return self.restore(*options)

    def reap(self):
        os.waitpid(self.pid, 0)

    def proc(self, name):
        with open("/proc/%d/%s" % (self.pid, name)) as f:
            return f.read()


def test_memory_goes_on():
    b = Subject().up()
    wait_for(lambda: b.count() >= 3)
    b.checkpoint()
    b.reap()
    b.gone()
    before = b.count()
    assert "does not exist" in rt("state", b.id, check=1).err
    assert os.path.exists(b.images + "/inventory.img") and os.path.exists(b.work + "/dump.log")
    b.restore()
    s = b.state()
    assert s["status"] == "running" and s["pid"] == b.pid and s["bundle"] == b.path, s
    wait_for(lambda: b.count() > before)
    assert b.count() < before + 100, "it began anew"
    with open("/proc/self/mountinfo") as f:
        assert b.path not in f.read(), "the root file system is mounted on the host"
    rt("kill", b.id, "KILL")
    assert b.wait() == signal.SIGKILL
    assert b.state()["status"] == "stopped"
    b.delete()


def test_help_of_every_command():
    listed = [line.split()[0] for line in rt("--help").out.split("Commands:")[1].split("Options:")[0].splitlines() if line]
    assert "checkpoint" in listed and len(listed) >= 17, listed
    for c in listed:
        r = rt(c, "--help")
        assert "Usage: berth-runtime [GLOBAL OPTIONS] %s" % c in r.out and not r.err, r
    assert "--tcp-established" in rt("checkpoint", "--help").out and "--console-socket" in rt("restore", "-h").out
