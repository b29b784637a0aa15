# SPDX-License-Identifier: LGPL-2.1-or-later
"""Checkpoints whose memory travels by itself: page servers, and pages that come after the restore."""
import os
import shutil
import signal
import socket
import subprocess

import bundle
from bundle import ROOT, RUNTIME, rt
from checkpoint import Subject, has_capability, reap_some
from harness import needs, skip, timeout, wait_for

# A few megabytes that are not all the same, and a line for each time that they are looked at.
MEMORY = ("x=$(seq 1 300000); trap 'echo ${#x} $(echo \"$x\" | md5sum) >>/tmp/seen' USR1; "
          "echo ready >/tmp/ready; while :; do sleep 0.1; done")


def setup():
    bundle.start_tests()


def teardown():
    bundle.end_tests()


class Memory(Subject):
    def __init__(self):
        super().__init__(MEMORY)
        for applet in ("md5sum", "seq"):
            if not os.path.islink(self.rootfs + "/bin/" + applet):
                os.symlink("busybox", self.rootfs + "/bin/" + applet)

    def seen(self):
        try:
            with open(self.rootfs + "/tmp/seen") as f:
                return f.read().splitlines()
        except FileNotFoundError:
            return []

    def look(self):
        n = len(self.seen())
        os.kill(self.pid, signal.SIGUSR1)
        wait_for(lambda: len(self.seen()) > n, what="the container to look at its memory")
        return self.seen()[-1]

    def up(self, *options):
        super().up(*options)
        wait_for(lambda: os.path.exists(self.rootfs + "/tmp/ready"))
        return self

    def elsewhere(self):
        """The same container as on another host, under another name."""
        other = Memory()
        shutil.copytree(self.rootfs + "/tmp", other.rootfs + "/tmp", dirs_exist_ok=True)
        other.images = self.images
        other.save()
        return other

    def pages(self):
        return sum(os.path.getsize(self.images + "/" + f) for f in os.listdir(self.images) if f.startswith("pages-"))


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def listening(port):
    with open("/proc/net/tcp") as f:
        return any(line.split()[1].endswith(":%04X" % port) and line.split()[3] == "0A" for line in f.readlines()[1:])


class Lazy:
    """A checkpoint that waits to be asked for its memory; leaves none behind when it fails."""

    def __init__(self, b, *options):
        self.port = free_port()
        self.b = b
        self.reader, writer = os.pipe()
        with open(b.path + "/out", "ab") as out:
            self.process = subprocess.Popen(
                [RUNTIME, "--root", ROOT, "checkpoint", "--image-path", b.images, "--work-path", b.work, "--network-lock", "nftables",
                 "--lazy-pages", "--page-server", "127.0.0.1:%d" % self.port, "--status-fd", str(writer), *options, b.id],
                stdin=subprocess.DEVNULL, stdout=out, stderr=out, pass_fds=(writer,))
        os.close(writer)

    def ready(self):
        assert os.read(self.reader, 10) == b"\0", self.b.out() + self.b.log("dump")
        assert listening(self.port)
        return self

    def end(self):
        os.close(self.reader)
        code = self.process.wait(20)
        assert code == 0, "%d: %s%s" % (code, self.b.out(), self.b.log("dump"))


def daemon(b, port=None):
    """`criu lazy-pages` on the side of the restore."""
    os.makedirs(b.work, exist_ok=True)
    server = ["--page-server", "--address", "127.0.0.1", "--port", str(port)] if port else []
    return subprocess.Popen(["criu", "lazy-pages", "--images-dir", b.images, "--work-dir", b.work, "-v4", "-o", "lazy.log", *server],
                            stdin=subprocess.DEVNULL)


def test_page_server():
    """Memory goes to a page server in another directory, everything else into the image directory."""
    b = Memory().up()
    before = b.look()
    port = free_port()
    pages = b.path + "/pages"
    os.mkdir(pages)
    server = subprocess.Popen(["criu", "page-server", "--images-dir", pages, "--port", str(port), "--address", "127.0.0.1", "-o", "ps.log", "-v4"],
                              stdin=subprocess.DEVNULL)
    wait_for(lambda: listening(port))
    b.checkpoint("--page-server", "127.0.0.1:%d" % port)
    b.reap()
    b.gone()
    assert server.wait(20) == 0
    assert b.pages() == 0, "memory is here"
    assert sum(os.path.getsize(pages + "/" + f) for f in os.listdir(pages) if f.startswith("pages-")) > 1 << 20
    for f in os.listdir(pages):
        if f.endswith(".img"):
            shutil.move(pages + "/" + f, b.images + "/" + f)
    b.restore()
    assert b.look() == before
    b.delete()


def test_page_server_that_is_not_there():
    b = Memory().up()
    r = b.checkpoint("--page-server", "127.0.0.1:%d" % free_port(), check=1)
    assert "Can't connect to server 127.0.0.1" in r.err, r
    assert b.state()["status"] == "running" and not os.path.exists(b.images)
    b.look()
    b.delete()


@needs("controllers")       # criu's server of pages needs CAP_SYS_RESOURCE, which root does not have in bed 1
def test_lazy_migration():
    """The memory comes over the network while the restored container runs already."""
    b = Memory().up()
    before = b.look()
    lazy = Lazy(b).ready()
    assert os.path.exists(b.images + "/inventory.img") and b.pages() < 1 << 20, "all memory was written"
    assert lazy.process.poll() is None and b.state()["status"] != "stopped"
    other = b.elsewhere()
    d = daemon(other, lazy.port)
    other.restore("--lazy-pages")
    assert other.look() == before
    lazy.end()
    assert d.wait(20) == 0
    b.reap()
    b.gone()
    assert other.state()["status"] == "running"
    assert other.look() == before
    other.delete()


def test_lazy_restore_from_files():
    b = Memory().up()
    before = b.look()
    b.checkpoint()
    b.reap()
    d = daemon(b)
    b.restore("--lazy-pages")
    assert b.look() == before
    assert d.wait(20) == 0
    b.delete()


def test_lazy_restore_waits_for_the_daemon():
    b = Memory().up()
    before = b.look()
    b.checkpoint()
    b.reap()
    with open(b.path + "/out", "ab") as out:
        p = subprocess.Popen([RUNTIME, "--root", ROOT, "restore", "--detach", "--lazy-pages", "--bundle", b.path, "--image-path", b.images,
                              "--work-path", b.work, "--pid-file", b.path + "/pid", b.id], stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    wait_for(lambda: "inotify" in os.popen("ls -l /proc/%d/fd 2>/dev/null" % p.pid).read(), what="restore to wait")
    d = daemon(b)
    assert p.wait(20) == 0, b.out()
    with open(b.path + "/pid") as f:
        b.pid = int(f.read())
    assert b.look() == before and d.wait(20) == 0
    b.delete()


@timeout(120)
def test_pages_that_never_come():
    """The other side ends between a restore's beginning and its end: criu then hangs, the restore does not."""
    if has_capability(24):      # CAP_SYS_RESOURCE
        skip("needs a server of pages that fails, as criu's does without it")
    b = Memory().up()
    before = b.look()
    lazy = Lazy(b).ready()
    other = b.elsewhere()
    d = daemon(other, lazy.port)
    other.restore("--lazy-pages", check=1)
    assert "wait for criu: connection timed out" in other.out() and "uffd" in other.out(), other.out()
    other.gone()
    d.wait(10)
    assert lazy.process.wait(10) == 1 and "criu failed" in b.out(), b.out()
    os.close(lazy.reader)
    assert b.state()["status"] == "running" and b.look() == before
    assert not {"inventory.img", "descriptors.json"} & set(os.listdir(b.images) if os.path.exists(b.images) else ())
    b.delete()


def test_killed_lazy_checkpoint():
    """Nobody serves the memory any more, and the container goes on."""
    for sig in (signal.SIGKILL, signal.SIGTERM):
        b = Memory().up()
        before = b.look()
        lazy = Lazy(b).ready()
        # Others can ask about it meanwhile.
        assert b.state()["status"] == "running" and rt("list").out.count(b.id) >= 1
        lazy.process.send_signal(sig)
        assert lazy.process.wait(10) == -sig
        wait_for(lambda: not listening(lazy.port), what="the server of pages to end")
        wait_for(lambda: not reap_some(), what="criu to end")
        os.close(lazy.reader)
        assert b.look() == before
        shutil.rmtree(b.images)
        b.checkpoint()
        b.reap()
        b.restore()
        assert b.look() == before
        b.delete()


def test_deleted_while_it_serves():
    b = Memory().up()
    lazy = Lazy(b).ready()
    lazy.process.kill()
    lazy.process.wait()
    os.close(lazy.reader)
    b.delete()
    wait_for(lambda: not listening(lazy.port) and not reap_some(), what="criu to end")


def test_killed_lazy_restore():
    """At several moments; then it can be deleted, and once more restored."""
    b = Memory().up()
    before = b.look()
    b.checkpoint()
    b.reap()
    for delay in (0.0, 0.02, 0.05, 0.08, 0.12):
        d = daemon(b)
        wait_for(lambda: os.path.exists(b.work + "/lazy-pages.socket"))
        with open(b.path + "/out", "ab") as out:
            p = subprocess.Popen([RUNTIME, "--root", ROOT, "restore", "--detach", "--lazy-pages", "--bundle", b.path, "--image-path", b.images,
                                  "--work-path", b.work, b.id], stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        try:
            p.wait(delay)
        except subprocess.TimeoutExpired:
            p.kill()
        p.wait()
        if os.path.exists(ROOT + "/" + b.id):
            b.delete()
        d.kill()
        d.wait()
        b.gone()
        wait_for(lambda: not reap_some(), what="criu to end")
        if os.path.exists(b.work + "/lazy-pages.socket"):
            os.unlink(b.work + "/lazy-pages.socket")
    d = daemon(b)
    b.restore("--lazy-pages")
    assert b.look() == before and d.wait(20) == 0
    b.delete()
