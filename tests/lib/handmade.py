# SPDX-License-Identifier: LGPL-2.1-or-later
"""Hand-made container directories for tests of the shim without an engine."""
import json
import os
import random
import shutil
import socket
import struct

from harness import run, systemctl, timeout, unit_property, wait_for

CONTAINERS = "/var/lib/berth/containers"
RUN = "/run/berth/containers"
LAYER = "0" * 63 + "b"
RUNTIME = os.environ.get("BERTH_TEST_RUNTIME") or next(
    (p for p in ("/usr/bin/berth-runtime", "/usr/bin/crun") if os.path.exists(p)), "crun")

_crc_table = []


def crc32c(data):
    """CRC-32C, bit by bit tables: there is none in the standard library."""
    if not _crc_table:
        for i in range(256):
            c = i
            for _ in range(8):
                c = c >> 1 ^ (0x82F63B78 if c & 1 else 0)
            _crc_table.append(c)
    c = 0xFFFFFFFF
    for b in data:
        c = c >> 8 ^ _crc_table[(c ^ b) & 255]
    return c ^ 0xFFFFFFFF


def escape(value):
    return str(value).replace("\\", "\\\\").replace("\n", "\\n").replace("\t", "\\t").replace("\r", "\\r")


def unescape(value):
    out, i = "", 0
    while i < len(value):
        if value[i] == "\\":
            out += {"n": "\n", "t": "\t", "r": "\r", "\\": "\\"}[value[i + 1]]
            i += 2
        else:
            out += value[i]
            i += 1
    return out


def parse(text, sep="\n"):
    return {k: unescape(v) for k, _, v in (f.partition("=") for f in text.strip(sep).split(sep) if f)}


def record(**fields):
    body = "\t".join("%s=%s" % (k.replace("_", "-"), escape(v)) for k, v in fields.items())
    return "%08x\t%s\n" % (crc32c(body.encode()), body)


def layer():
    """One layer with a busybox in it."""
    root = "/var/lib/berth/layers/" + LAYER
    if os.path.isdir(root):
        return
    for d in ("bin", "etc", "tmp", "proc", "sys", "dev", "root", "home/joe"):
        os.makedirs(os.path.join(root, d), exist_ok=True)
    busybox = next(p for p in ("/bin/busybox", "/usr/bin/busybox") if os.path.exists(p))
    shutil.copy(busybox, root + "/bin/busybox")
    for n in ("sh cat echo true false sleep id seq yes dd tr stty kill ls env pwd wc head trap test read mkdir").split():
        os.symlink("busybox", root + "/bin/" + n)
    with open(root + "/etc/passwd", "w") as f:
        f.write("root:x:0:0:root:/root:/bin/sh\njoe:x:1000:1001:Joe:/home/joe:/bin/sh\n")
    with open(root + "/etc/group", "w") as f:
        f.write("root:x:0:\njoe:x:1001:\nextra:x:2000:joe,other\n")


def new_id():
    return "%064x" % random.getrandbits(256)


class Container:
    """A hand-made one, as the engine would leave it after `create`."""

    def __init__(self, *args, tty=False, stdin=False, env=(), cwd="/", oci=None, **conf):
        layer()
        self.id = new_id()
        self.dir = os.path.join(CONTAINERS, self.id)
        self.run = os.path.join(RUN, self.id)
        self.unit = "berth@%s.service" % self.id
        self.scope = "berth-%s.scope" % self.id
        os.makedirs(self.dir, mode=0o700)
        self.name = conf.pop("name", "t" + self.id[:8])
        spec = {
            "ociVersion": "1.0.2",
            "process": {"terminal": tty, "args": list(args), "cwd": cwd,
                        "env": ["PATH=/usr/bin:/bin"] + list(env), "user": {"uid": 0, "gid": 0},
                        "capabilities": {k: ["CAP_KILL", "CAP_SETUID", "CAP_SETGID"]
                                         for k in ("bounding", "effective", "permitted")}},
            "root": {"path": "rootfs"},
            "hostname": "shimtest",
            "mounts": [
                {"destination": "/proc", "type": "proc", "source": "proc"},
                {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"]},
                {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
                 "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]}],
            "linux": {"namespaces": [{"type": t} for t in ("pid", "ipc", "uts", "mount", "cgroup")]},
        }
        spec.update(oci or {})
        with open(self.dir + "/oci.json", "w") as f:
            json.dump(spec, f)
        keys = dict(id=self.id, name=self.name, image="busybox:test", tty=int(tty), stdin=int(stdin),
                    stdin_once=int(stdin), stop_signal="SIGTERM", stop_timeout=10, auto_remove=0, restart="no",
                    runtime=RUNTIME, network="none", hostname="shimtest", user="", lower=LAYER)
        keys.update(conf)
        with open(self.dir + "/shim.conf", "w") as f:
            f.write("".join("%s=%s\n" % (k.replace("_", "-"), escape(v)) for k, v in keys.items()))
        self.append(type="created", at=1, name=self.name)
        self.seq = 0
        self.control = None
        self.events = []

    def append(self, **fields):
        with open(self.dir + "/state.log", "a") as f:
            f.write(record(**fields))

    def records(self, kind=None):
        out = []
        for line in open(self.dir + "/state.log"):
            crc, _, body = line.rstrip("\n").partition("\t")
            assert "%08x" % crc32c(body.encode()) == crc, line
            r = parse(body, "\t")
            if kind in (None, r["type"]):
                out.append(r)
        return out

    def start(self, check=0, block=True):
        return systemctl("start", *([] if block else ["--no-block"]), self.unit, check=check)

    def stop(self):
        return systemctl("stop", self.unit)

    def active(self):
        return unit_property(self.unit, "ActiveState")

    def wait_over(self, timeout=20):
        wait_for(lambda: self.active() in ("inactive", "failed"), timeout, self.unit + " to end")

    def exited(self, timeout=20):
        n = len(self.records("started"))
        wait_for(lambda: len(self.records("exited")) >= n, timeout, "an exit record")
        self.wait_over()
        return self.records("exited")[-1]

    def pid(self):
        return int(self.records("started")[-1]["pid"])

    def shim_pid(self):
        return int(unit_property(self.unit, "MainPID"))

    def journal(self, *match):
        run("journalctl", "--sync")
        out = run("journalctl", "-o", "json", "--all", "CONTAINER_ID_FULL=" + self.id, *match).out
        return [json.loads(line) for line in out.splitlines() if line]

    def log(self, stream=None):
        """MESSAGEs of the output, in order of their ordinals; ordinals must have no hole."""
        lines = [e for e in self.journal() if "CONTAINER_STREAM" in e]
        seen, out = set(), []
        for e in sorted(lines, key=lambda e: (int(e["CONTAINER_LOG_EPOCH"]), int(e["CONTAINER_LOG_ORDINAL"]))):
            key = (e["CONTAINER_LOG_EPOCH"], int(e["CONTAINER_LOG_ORDINAL"]))
            if key in seen:
                continue
            seen.add(key)
            if stream in (None, e["CONTAINER_STREAM"]):
                m = e["MESSAGE"]
                out.append(bytes(m).decode("latin-1") if isinstance(m, list) else m)
        for epoch in {k[0] for k in seen}:
            ordinals = sorted(o for ep, o in seen if ep == epoch)
            assert ordinals == list(range(1, len(ordinals) + 1)), "hole in the log of epoch %s" % epoch
        return out

    # --- control socket

    def connect(self):
        s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        s.settimeout(15)
        s.connect(self.run + "/shim.sock")
        self.control = s
        self.request("hello")
        return self

    def request(self, verb, fds=(), check=0, **fields):
        self.seq += 1
        fields = dict(verb=verb, seq=self.seq, **fields)
        text = "".join("%s=%s\n" % (k.replace("_", "-"), escape(v)) for k, v in fields.items())
        socket.send_fds(self.control, [text.encode()], [f if isinstance(f, int) else f.fileno() for f in fds])
        while True:
            m = self.receive()
            if m["verb"] == "reply" and m["seq"] == str(self.seq):
                assert check is None or int(m["errno"]) == check, m
                return m
            self.events.append(m)

    def receive(self):
        data = self.control.recv(65536)
        if not data:
            raise EOFError
        return parse(data.decode())

    def event(self, name):
        while True:
            for i, e in enumerate(self.events):
                if e.get("event") == name:
                    return self.events.pop(i)
            self.events.append(self.receive())

    def attach(self, early=b"", verb="attach", **fields):
        """Our end of a client's socket, as the engine would pass it on."""
        ours, theirs = socket.socketpair()
        ours.settimeout(15)
        fds = [theirs.fileno()]
        mem = -1
        if early:
            mem = os.memfd_create("early")
            os.write(mem, early)
            fds.append(mem)
        args = dict(stdin=0, stdout=1, stderr=1, mux=1)
        args.update(fields)
        self.request(verb, fds=fds, **args)
        theirs.close()
        if mem >= 0:
            os.close(mem)
        return ours

    def waiter(self, condition):
        return self.attach(verb="wait", condition=condition)

    def exec(self, *args, tty=False, name=None, **fields):
        eid = name or "e%016x" % random.getrandbits(64)
        with open("%s/exec/%s.json" % (self.run, eid), "w") as f:
            json.dump({"args": list(args), "cwd": "/", "env": ["PATH=/bin"], "terminal": tty,
                       "user": {"uid": 0, "gid": 0}}, f)
        args = dict(exec_id=eid, tty=int(tty), detach=0, height=0, width=0, mux=0 if tty else 1)
        args.update(fields)
        return eid, self.attach(verb="exec", **args)

    def exec_code(self, eid):
        path = "%s/exec/%s.exit" % (self.run, eid)
        wait_for(lambda: os.path.exists(path), 10, path)
        return parse(open(path).read())["code"]


class Parked:
    """The engine's part of a start: shims come to engine.sock and get what is parked."""

    def __init__(self):
        self.path = "/run/berth/engine.sock"
        os.makedirs("/run/berth", exist_ok=True)
        if os.path.exists(self.path):
            os.unlink(self.path)
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.sock.bind(self.path)
        self.sock.listen(8)
        self.sock.settimeout(15)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.sock.close()
        if os.path.exists(self.path):
            os.unlink(self.path)

    def serve(self, c):
        while True:
            c.control, _ = self.sock.accept()
            c.control.settimeout(15)
            m = c.receive()
            assert m["verb"] == "starting", m
            if m["id"] == c.id:
                return c
            c.control.close()  # a container of another test that restarts

    @staticmethod
    def go(c):
        c.control.send(b"verb=go\n")


def read_all(sock):
    out = b""
    while True:
        piece = sock.recv(65536)
        if not piece:
            return out
        out += piece


def read_until(sock, marker):
    out = b""
    while marker not in out:
        piece = sock.recv(65536)
        assert piece, "end of stream before %r: %r" % (marker, out)
        out += piece
    return out


def demux(data):
    out = {1: b"", 2: b""}
    while data:
        stream, size = struct.unpack(">BxxxL", data[:8])
        out[stream] += data[8:8 + size]
        assert len(data) >= 8 + size
        data = data[8 + size:]
    return out


# --- life ------------------------------------------------------------------------------------------------


def kill_shim(c):
    pid = c.shim_pid()
    assert pid > 0
    os.kill(pid, 9)
    wait_for(lambda: c.shim_pid() not in (0, pid) and c.active() == "active", 10, "the shim to come back")
