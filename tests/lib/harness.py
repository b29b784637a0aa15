# SPDX-License-Identifier: LGPL-2.1-or-later
"""What integration tests import: run programs, talk to the socket, drive terminals, make images.

A test file is tests/integration/test_*.py with functions test_xxx(); they run inside a bed as root, in
the order of the file. A test passes if it returns, fails if it raises, is skipped by skip("reason").
See docs/testing.md.
"""
import errno
import fcntl
import http.client as http_client
import json
import os
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import termios
import time

import image
from image import docker_archive, layer, member, oci_layout, tar  # noqa: F401 (for the tests)

# Another engine can be put to the same tests: that is how a test is proved right.
SOCKET = os.environ.get("BERTH_TEST_SOCKET", "/run/berth/berth.sock")
API = os.environ.get("BERTH_TEST_API", "/v1.50")


# The programs under test have been built with ASan: their memory is not what it would be.
SANITIZED = os.environ.get("BED_SANITIZED") == "1"


class Skip(Exception):
    """The test cannot run here; the text says why."""


def skip(reason):
    """End the running test as skipped."""
    raise Skip(reason)


# --- marks -----------------------------------------------------------------------------------------------

def _mark(key, value):
    def deco(f):
        marks = f.__dict__.setdefault("marks", {})
        if isinstance(value, tuple):
            marks[key] = marks.get(key, ()) + value
        else:
            marks[key] = value
        return f
    return deco


def needs(*features):
    """Run only where these are there: controllers, vm, native, selinux, or the name of a program."""
    return _mark("needs", tuple(features))


def bed(*suites):
    """Run only in beds of these suites (bookworm, trixie, ...)."""
    return _mark("suites", tuple(suites))


def skip_unless(cond, reason):
    """Skip with this reason unless cond (evaluated at import) is true."""
    return _mark("skip", () if cond else (reason,))


def measures_memory(f):
    """A sanitizer's memory is not the program's: skip under one."""
    return skip_unless(not SANITIZED, "measures memory, which a sanitizer takes")(f)


def timeout(seconds):
    """Raise the time limit of this test (60 s) to so many seconds; ten times that in the virtual machine."""
    return _mark("timeout", seconds)


def once(f):
    """One suite is enough: tools/check runs this test in its first bed only."""
    return _mark("once", True)(f)


# --- processes -------------------------------------------------------------------------------------------

class Result:
    """Outcome of run(): code, out, err (text, undecodable bytes kept), raw_out, raw_err, seconds."""

    def __init__(self, cmd, code, out, err, seconds):
        self.cmd, self.code, self.raw_out, self.raw_err, self.seconds = cmd, code, out, err, seconds
        self.out = out.decode("utf-8", "surrogateescape")
        self.err = err.decode("utf-8", "surrogateescape")

    def __repr__(self):
        return "%s: exit %s\nstdout: %s\nstderr: %s" % (" ".join(self.cmd), self.code, self.out[-2000:],
                                                        self.err[-2000:])


def run(*cmd, input=None, timeout=30, check=0, env=None, cwd=None, stdin=None):
    """Run cmd (strings, or one list). check: the exit code that is expected; None accepts any."""
    if len(cmd) == 1 and not isinstance(cmd[0], str):
        cmd = tuple(cmd[0])
    cmd = [str(c) for c in cmd]
    if isinstance(input, str):
        input = input.encode()
    if check is True:
        check = 0
    elif check is False:
        check = None
    start = time.monotonic()
    kw = {"input": input} if input is not None else {"stdin": stdin if stdin is not None else subprocess.DEVNULL}
    try:
        p = subprocess.run(cmd, capture_output=True, timeout=timeout * slowness(), cwd=cwd,
                           env=dict(os.environ, **env) if env else None, **kw)
    except subprocess.TimeoutExpired as e:
        raise AssertionError("%s: no end within %s s\nstdout: %r\nstderr: %r" %
                             (" ".join(cmd), timeout, (e.stdout or b"")[-2000:], (e.stderr or b"")[-2000:])) from None
    r = Result(cmd, p.returncode, p.stdout, p.stderr, time.monotonic() - start)
    if check is not None and r.code != check:
        raise AssertionError("expected exit %s: %r" % (check, r))
    return r


def docker(*args, **kw):
    """The real docker client; see run()."""
    return run("docker", *args, **kw)


def berth(*args, **kw):
    """berth's own client; see run()."""
    return run("berth", *args, **kw)


def systemctl(*args, **kw):
    """systemctl; returns Result."""
    return run("systemctl", *args, **kw)


def unit_property(unit, prop):
    """Value of one property of a unit, as text."""
    return systemctl("show", "-P", prop, unit).out.strip()


def spawn(*cmd, **kw):
    """Popen with pipes; the runner kills what is left when the test ends."""
    kw.setdefault("stdin", subprocess.PIPE)
    kw.setdefault("stdout", subprocess.PIPE)
    kw.setdefault("stderr", subprocess.PIPE)
    return subprocess.Popen([str(c) for c in cmd], **kw)


def wait_for(predicate, timeout=10, what="", interval=0.02):
    """Poll until predicate() is true; its value is returned. Exceptions of the last try are shown."""
    end = time.monotonic() + timeout * slowness()
    last = None
    while True:
        try:
            value = predicate()
            last = None
            if value:
                return value
        except (AssertionError, OSError, KeyError, IndexError, ValueError) as e:
            last = e
        if time.monotonic() > end:
            raise AssertionError("not within %s s: %s %s" % (timeout, what or predicate, last or ""))
        time.sleep(interval)


def slowness():
    """Factor for time limits: the virtual machine is an order of magnitude slower."""
    return 10 if os.environ.get("BED_KIND") == "vm" else 1


def kernel(major, minor):
    """Whether the running kernel is at least this one."""
    return tuple(map(int, os.uname().release.split(".")[:2])) >= (major, minor)


# --- the API socket --------------------------------------------------------------------------------------

class _UnixConnection(http_client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = connect(self.path, self.timeout)


def connect(path=SOCKET, timeout=30):
    """Connected stream socket to the API."""
    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    s.settimeout(timeout)
    s.connect(path)
    return s


class Response:
    """status, headers (case-insensitive), body (bytes), text, json()."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def text(self):
        return self.body.decode("utf-8", "replace")

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return "HTTP %s %r" % (self.status, self.body[:500])


def http(method, path, body=None, headers=None, timeout=30, expect=None):
    """One request. body: dict/list (sent as JSON), str, bytes or an iterable of bytes (chunked).
    A path that starts with a version or `//` is sent as it is (less one slash), others get /v1.50."""
    headers = dict(headers or {})
    if isinstance(body, (dict, list)) and not (body and isinstance(body, list) and isinstance(body[0], bytes)):
        body = json.dumps(body)
        headers.setdefault("Content-Type", "application/json")
    if isinstance(body, str):
        body = body.encode()
    if path.startswith("//"):
        path = path[1:]
    elif not re.match(r"/v\d", path):
        path = API + path
    c = _UnixConnection(SOCKET, timeout)
    try:
        c.request(method, path, body=body, headers=headers)
        r = c.getresponse()
        answer = Response(r.status, r.headers, r.read())
    finally:
        c.close()
    if expect is not None and answer.status != expect:
        raise AssertionError("%s %s: expected %s, got %r" % (method, path, expect, answer))
    return answer


def raw(data, timeout=10, shutdown=False):
    """Send bytes, return all that comes until the server closes (or the time-out: what came so far)."""
    with connect(timeout=timeout) as s:
        try:
            s.sendall(data)
            if shutdown:
                s.shutdown(socket.SHUT_WR)
        except OSError as e:
            # The server may refuse and close before it has read everything.
            if e.errno not in (errno.EPIPE, errno.ECONNRESET):
                raise
        out = b""
        while True:
            try:
                piece = s.recv(65536)
            except (socket.timeout, ConnectionResetError):
                return out
            if not piece:
                return out
            out += piece


def demux(data):
    """Split multiplexed frames into (stdout, stderr)."""
    out, pos = {0: b"", 1: b"", 2: b""}, 0
    while pos < len(data):
        stream, size = struct.unpack(">BxxxI", data[pos:pos + 8])
        out[stream] += data[pos + 8:pos + 8 + size]
        pos += 8 + size
    return out[1], out[2]


# --- terminals -------------------------------------------------------------------------------------------

class Pty:
    """A program on a terminal of its own.

        with Pty("docker", "run", "-it", "busybox") as p:
            p.expect(r"# "); p.send("exit 3\\n"); assert p.wait() == 3
    """

    def __init__(self, *cmd, rows=24, cols=80, env=None):
        self.output, self._pos = b"", 0
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            try:
                fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))
                cmd = [str(c) for c in cmd]
                os.execvpe(cmd[0], cmd, dict(os.environ, TERM="xterm", **(env or {})))
            finally:
                os._exit(127)
        # The child may need a moment until the size is set; setting it here too closes that gap.
        self.resize(rows, cols)
        self.code = None

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def resize(self, rows, cols):
        """New window size; the program gets SIGWINCH."""
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))

    def send(self, data):
        """Type data (str or bytes)."""
        data = data.encode() if isinstance(data, str) else data
        while data:
            data = data[os.write(self.fd, data):]

    def _read(self, timeout):
        if not select.select([self.fd], [], [], timeout)[0]:
            return None
        try:
            piece = os.read(self.fd, 65536)
        except OSError:
            piece = b""
        self.output += piece
        return piece

    def expect(self, pattern, timeout=10):
        """Wait for a regular expression in what came since the last match; returns the match object."""
        pattern = pattern.encode() if isinstance(pattern, str) else pattern
        end = time.monotonic() + timeout * slowness()
        while True:
            m = re.compile(pattern, re.S).search(self.output, self._pos)
            if m:
                self._pos = m.end()
                return m
            left = end - time.monotonic()
            if left <= 0 or self._read(left) == b"":
                raise AssertionError("terminal: expected %r, got %r" % (pattern, self.output[self._pos:][-1000:]))

    def wait(self, timeout=10):
        """Read to the end and return the exit code (128 + signal if killed)."""
        end = time.monotonic() + timeout * slowness()
        while self.code is None:
            left = end - time.monotonic()
            if left <= 0:
                raise AssertionError("terminal: still running, output %r" % self.output[-1000:])
            if self._read(min(left, 0.2)) in (None, b""):
                pid, status = os.waitpid(self.pid, os.WNOHANG)
                if pid:
                    c = os.waitstatus_to_exitcode(status)
                    self.code = c if c >= 0 else 128 - c
                elif not select.select([self.fd], [], [], 0)[0]:
                    continue
                else:
                    time.sleep(0.01)
        return self.code

    def close(self):
        """Hang up and reap."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1
        if self.code is None:
            try:
                os.kill(self.pid, signal.SIGKILL)
                os.waitpid(self.pid, 0)
            except (ProcessLookupError, ChildProcessError):
                pass
            self.code = 137


# --- berth -----------------------------------------------------------------------------------------------

def load(data, expect=200, timeout=60):
    """POST an archive to /images/load; returns the Response."""
    return http("POST", "/images/load?quiet=1", data, {"Content-Type": "application/x-tar"},
                        timeout=timeout * slowness(), expect=expect)


def make_image(tag="busybox:latest", force=False):
    """Make sure the busybox image is loaded; returns its tag."""
    if force or http("GET", "/images/%s/json" % tag).status != 200:
        answer = load(image.busybox_image((tag,)))
        assert '"errorDetail"' not in answer.text, answer
        http("GET", "/images/%s/json" % tag, expect=200)
    return tag


def inspect(name):
    """Container as the API shows it."""
    return http("GET", "/containers/%s/json" % name, expect=200).json()


def container_ids(all=True):
    """Full ids of the containers."""
    return [c["Id"] for c in http("GET", "/containers/json?all=%d" % all, expect=200).json()]


def shim_unit(cid):
    """Unit of a container's shim."""
    return "berth@%s.service" % cid


def scope_unit(cid):
    """Unit of a container's payload."""
    return "berth-%s.scope" % cid


def unit_cgroup(unit):
    """Directory of a unit's cgroup."""
    path = unit_property(unit, "ControlGroup")
    assert path, "unit %s has no cgroup" % unit
    return "/sys/fs/cgroup" + path


def cgroup_pids(directory):
    """All PIDs in a cgroup and below it."""
    pids = []
    for d, _, files in os.walk(directory):
        if "cgroup.procs" in files:
            try:
                with open(os.path.join(d, "cgroup.procs")) as f:
                    pids += [int(p) for p in f.read().split()]
            except OSError as e:
                if e.errno not in (errno.ENOENT, errno.ENODEV, errno.EOPNOTSUPP):
                    raise
    return pids


def journal(*matches, timeout=30):
    """Journal entries (dicts) that match FIELD=value."""
    run("journalctl", "--sync", check=None)
    r = run("journalctl", "-o", "json", "--all", "--no-pager", *matches, timeout=timeout)
    return [json.loads(line) for line in r.out.splitlines()]


def remove_all():
    """Remove every container."""
    for cid in container_ids():
        http("DELETE", "/containers/%s?force=1&v=1" % cid)


def remove_images():
    """Remove every image."""
    for i in http("GET", "/images/json?all=1", expect=200).json():
        http("DELETE", "/images/%s?force=1" % i["Id"])
