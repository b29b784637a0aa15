# SPDX-License-Identifier: LGPL-2.1-or-later
"""Those at the other end of a socket, pipe or named pipe of berth-runtime leave: an error, an end, and nothing left."""
import contextlib
import json
import os
import signal
import socket
import subprocess
import threading

import bundle
from bundle import CGROUP, ROOT, RUNTIME, Bundle, rt
from harness import wait_for


def setup():
    bundle.start_tests()


def teardown():
    bundle.end_tests()


@contextlib.contextmanager
def closer(path):
    """A socket that takes connections and closes them at once."""
    s = socket.socket(socket.AF_UNIX)
    s.bind(path)
    s.listen(8)

    def serve():
        while True:
            try:
                s.accept()[0].close()
            except OSError:
                return
    threading.Thread(target=serve, daemon=True).start()
    try:
        yield path
    finally:
        s.shutdown(socket.SHUT_RDWR)
        s.close()


def runtime(*args, **kw):
    """Exit code, with files instead of pipes: who lives on must not hold the test."""
    return subprocess.run([RUNTIME, "--root", ROOT, *args], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=20,
                          **{"stderr": subprocess.DEVNULL, **kw}).returncode


def test_receivers_of_pidfds_of_run():
    for detach in ((), ("--detach",)):
        for _ in range(6):
            b = Bundle("sleep", "0.1")
            b.save()
            with closer(b.path + "/s") as path:
                # In time it is a failure; too late for us it is none.
                code = runtime("run", *detach, "--pidfd-socket", path, "--bundle", b.path, b.id)
            assert code in (0, 1, 255), code
            rt("delete", "--force", b.id, check=None)
            b.gone()


def test_receiver_of_the_pidfd_of_exec():
    b = Bundle("sleep", "1000").create().start()
    failed = 0
    for n in range(6):
        with closer(b.path + "/s%d" % n) as path:
            code = runtime("exec", "--detach", "--pidfd-socket", path, b.id, "sleep", "1000")
        others = set(json.loads(rt("ps", "--format", "json", b.id).out)) - {b.state()["pid"]}
        assert len(others) == (code == 0), (code, others)
        for pid in others:
            os.kill(pid, signal.SIGKILL)
            wait_for(lambda: not os.path.exists("/proc/%d" % pid))
        failed += code != 0
    assert failed, "never was the socket closed in time"
    b.delete()


def test_reader_of_the_fifo_of_exec():
    b = Bundle("sleep", "1000").create().start()
    path = b.path + "/fifo"
    os.mkfifo(path)
    for n in range(20):
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        p = subprocess.Popen([RUNTIME, "--root", ROOT, "exec", "--exec-wait-fifo", path, b.id, "true"], stdin=subprocess.DEVNULL,
                             stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        try:
            p.wait(0.0005 * n)
        except subprocess.TimeoutExpired:
            pass
        os.close(fd)

        def over():
            # Where it had come too early to see the first reader, another lets it go on.
            os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))
            return p.poll() is not None
        wait_for(over)
        assert p.returncode == 0, (n, p.returncode, p.stderr.read())
        p.stderr.close()
    b.delete()


def test_stderr_that_nobody_reads():
    b = Bundle("true")
    b.config["hooks"] = {"createRuntime": [{"path": "/bin/sh", "args": ["sh", "-c", "echo a warning >&2"]}]}
    b.save()
    r, w = os.pipe()
    os.close(r)
    try:
        assert runtime("create", "--bundle", b.path, b.id, stderr=w) == 0
    finally:
        os.close(w)
    with open("%s/berth-test/%s/cgroup.procs" % (CGROUP, b.id)) as f:
        assert f.read().strip() == str(b.state()["pid"])
    b.start()
    wait_for(lambda: b.state()["status"] == "stopped")
    b.delete()
    # The payload is not protected from it.
    assert "SigCgt:\t0000000000000000" in Bundle("grep", "-E", "Sig(Cgt|Ign)", "/proc/self/status").run().out
