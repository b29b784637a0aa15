# SPDX-License-Identifier: LGPL-2.1-or-later
"""Clients that leave in the middle, read slowly, never read, or come all at once: the engine stays the same
process, keeps no descriptor of them and does not grow."""
import json
import os
import random
import socket
import threading
import time

import harness
from harness import http, image, inspect, make_image, timeout, unit_property, wait_for

CREATE = {"Image": "busybox", "Cmd": ["sleep", "1000"], "HostConfig": {"NetworkMode": "none"}}
UPGRADE = "Connection: Upgrade\r\nUpgrade: tcp\r\n"


def setup():
    harness.remove_all()
    make_image()


def teardown():
    harness.remove_all()


def engine_pid():
    return int(unit_property("berth.service", "MainPID"))


def fds(pid):
    return len(os.listdir("/proc/%d/fd" % pid))


def rss(pid):
    with open("/proc/%d/status" % pid) as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS:"))


class Watch:
    """The engine before and after: `with Watch(): abuse`."""

    def __enter__(self):
        http("GET", "/containers/json?all=1", expect=200)
        self.pid = engine_pid()
        self.fds = fds(self.pid)
        return self

    def __exit__(self, kind, value, trace):
        if kind:
            return
        http("GET", "/_ping", expect=200)
        assert engine_pid() == self.pid, "the engine is another process"
        wait_for(lambda: fds(self.pid) <= self.fds, 20, "descriptors are closed: %d before, now %s" %
                 (self.fds, [os.readlink("/proc/%d/fd/%s" % (self.pid, f)) for f in os.listdir(
                     "/proc/%d/fd" % self.pid) if os.path.lexists("/proc/%d/fd/%s" % (self.pid, f))]))


def text(method, path, body=b"", headers=""):
    if isinstance(body, dict):
        body = json.dumps(body).encode()
        headers += "Content-Type: application/json\r\n"
    head = "%s %s%s HTTP/1.1\r\nHost: x\r\n%s" % (method, harness.API, path, headers)
    if body or method == "POST":
        head += "Content-Length: %d\r\n" % len(body)
    return head.encode() + b"\r\n" + body


def create(name, **config):
    return http("POST", "/containers/create?name=" + name, dict(CREATE, **config), expect=201).json()["Id"]


def start(name):
    http("POST", "/containers/%s/start" % name, expect=204)


def requests_of_all_kinds(rng, running, stopped):
    """One of each, some of them twice: a list of bytes."""
    archive = image.busybox_image(("abused:latest",))
    exec_id = http("POST", "/containers/%s/exec" % running, {
        "Cmd": ["sh", "-c", "cat; echo done"], "AttachStdin": True, "AttachStdout": True}, expect=201).json()["Id"]
    return [
        text("GET", "/_ping"), text("HEAD", "/_ping"), text("GET", "/version"), text("GET", "/info"),
        text("GET", "/containers/json?all=1"), text("GET", "/images/json"), text("GET", "/nothing"),
        text("GET", "/containers/%s/json" % running), text("GET", "/containers/%s/top" % running),
        text("GET", "/containers/%s/logs?stdout=1&stderr=1&follow=1" % running),
        text("GET", "/containers/%s/logs?stdout=1" % stopped), text("GET", "/events"),
        text("POST", "/containers/create", CREATE), text("POST", "/images/load", archive),
        text("POST", "/images/load?quiet=1", archive[:rng.randrange(len(archive))]),
        text("POST", "/containers/%s/attach?stream=1&stdin=1&stdout=1&stderr=1" % running, b"", UPGRADE) + b"hello\n",
        text("POST", "/containers/%s/attach?stream=1&stdout=1" % stopped, b"", UPGRADE),
        text("POST", "/containers/%s/wait" % running), text("POST", "/containers/%s/wait?condition=next-exit" % stopped),
        text("POST", "/containers/%s/wait?condition=removed" % stopped),
        text("POST", "/containers/%s/exec" % running, {"Cmd": ["true"]}),
        text("POST", "/exec/%s/start" % exec_id, {"Detach": False}, UPGRADE) + b"input\n",
        text("GET", "/exec/%s/json" % exec_id), text("POST", "/containers/%s/resize?h=3&w=4" % running),
        text("POST", "/containers/%s/kill?signal=0" % stopped), text("POST", "/containers/%s/pause" % running),
        text("POST", "/containers/%s/unpause" % running), text("POST", "/containers/%s/start" % stopped),
        text("POST", "/containers/%s/stop?t=0" % stopped), text("POST", "/containers/%s/restart?t=0" % stopped),
        text("POST", "/containers/%s/rename?name=abused-again" % stopped),
        text("POST", "/images/busybox/tag?repo=abused&tag=x"), text("DELETE", "/images/abused:x"),
    ]


def abuse(rng, data):
    """One client: a part of the request, perhaps a look at the answer, and away."""
    with harness.connect(timeout=0.2) as s:
        try:
            s.sendall(data[:rng.choice((1, 20, len(data) // 2, len(data) - 1, len(data), len(data), len(data)))])
            how = rng.randrange(4)
            if how == 1:
                s.shutdown(socket.SHUT_WR)
            if how == 2:
                s.shutdown(socket.SHUT_RD)
            if how >= 1 and rng.random() < 0.5:
                s.recv(rng.choice((1, 100, 65536)))
        except OSError:
            pass


@timeout(120)
def test_disconnects_everywhere():
    rng = random.Random(20261122)
    running, stopped = create("abused", OpenStdin=True), create("parked")
    start(running)
    kinds = requests_of_all_kinds(rng, running, stopped)
    with Watch():
        for _ in range(8):
            rng.shuffle(kinds)
            for data in kinds:
                abuse(rng, data)
        harness.remove_all()
    assert not harness.container_ids(), "what is left can be removed"


@timeout(120)
def test_disconnects_all_at_once():
    rng = random.Random(4711)
    running, stopped = create("abused", OpenStdin=True), create("parked")
    start(running)
    kinds = requests_of_all_kinds(rng, running, stopped)

    def work(seed):
        mine = random.Random(seed)
        for data in mine.sample(kinds, len(kinds)):
            abuse(mine, data)

    with Watch():
        threads = [threading.Thread(target=work, args=(i,)) for i in range(6)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        harness.remove_all()
    assert not harness.container_ids(), "what is left can be removed"


def test_parked_clients_leave_before_the_start():
    with Watch():
        cid = create("parked", Cmd=["echo", "hi"])
        clients = []
        for i in range(40):
            s = harness.connect()
            s.sendall(text("POST", "/containers/%s/%s" % (cid, ("attach?stream=1&stdout=1", "wait?condition=next-exit")[i % 2]),
                           b"", UPGRADE if i % 2 == 0 else ""))
            assert s.recv(12) == (b"HTTP/1.1 101", b"HTTP/1.1 200")[i % 2]
            clients.append(s)
        keep = clients.pop(0), clients.pop(0)
        for s in clients:
            s.close()
        start(cid)
        out = b""
        while piece := keep[0].recv(4096):
            out += piece
        assert out.endswith(b"\x01\x00\x00\x00\x00\x00\x00\x03hi\n"), out
        out = b""
        while piece := keep[1].recv(4096):
            out += piece
        assert b'"StatusCode":0' in out.replace(b" ", b""), out
        for s in keep:
            s.close()
        http("DELETE", "/containers/" + cid, expect=204)


def test_parked_clients_of_a_removed_container():
    with Watch():
        cid = create("parked")
        clients = [harness.connect() for _ in range(10)]
        for s in clients:
            s.sendall(text("POST", "/containers/%s/attach?stream=1&stdout=1" % cid, b"", UPGRADE))
            assert s.recv(12) == b"HTTP/1.1 101"
        http("DELETE", "/containers/" + cid, expect=204)
        for s in clients:
            while s.recv(4096):
                pass
            s.close()


def test_half_closed_clients_get_their_answer():
    with Watch():
        for path in ("/_ping", "/version", "/info", "/containers/json?all=1", "/nothing"):
            answer = harness.raw(text("GET", path, b"", "Connection: close\r\n"), shutdown=True)
            assert answer.startswith(b"HTTP/1.1 ") and b"\r\n\r\n" in answer, (path, answer)


def test_slow_and_silent_readers():
    with Watch() as w:
        slow = [harness.connect() for _ in range(20)]
        before = rss(w.pid)
        for s in slow:
            s.setblocking(False)
            try:
                # More requests than the socket takes: none of the answers is read.
                for _ in range(2000):
                    s.send(text("GET", "/info"))
            except BlockingIOError:
                pass
        begin = time.monotonic()
        for _ in range(20):
            http("GET", "/_ping", expect=200)
        assert time.monotonic() - begin < 5 * harness.slowness(), "others wait for slow readers"
        assert harness.SANITIZED or rss(w.pid) - before < 16 * 1024, "the engine buffers for slow readers"
        first = slow[0]
        first.setblocking(True)
        first.settimeout(10)
        got = b"".join(first.recv(1) for _ in range(3000))
        assert got.startswith(b"HTTP/1.1 200 OK"), got[:100]
        for s in slow:
            s.close()


@timeout(90)
def test_two_hundred_at_once():
    create("one")
    with Watch():
        clients = [harness.connect() for _ in range(200)]
        for i, s in enumerate(clients):
            s.sendall(text("GET", ("/containers/json?all=1", "/info", "/containers/one/json", "/nothing")[i % 4],
                           b"", "Connection: close\r\n"))
        for i, s in enumerate(clients):
            out = b""
            while piece := s.recv(65536):
                out += piece
            assert out.startswith(b"HTTP/1.1 " + (b"404" if i % 4 == 3 else b"200")), out[:200]
            s.close()
    http("DELETE", "/containers/one", expect=204)


@timeout(90)
def test_no_growth():
    create("one")
    kinds = [text("GET", p) for p in ("/info", "/containers/json?all=1", "/containers/one/json", "/images/json", "/x")]
    kinds += [text("POST", "/containers/create?name=one", CREATE), text("POST", "/containers/create", b"{bad"),
              text("POST", "/containers/one/rename?name=two"), text("POST", "/containers/two/rename?name=one")]

    def rounds(n):
        for _ in range(n):
            for data in kinds:
                assert harness.raw(data.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1))

    with Watch() as w:
        rounds(20)
        before = rss(w.pid)
        rounds(100)
        grown = rss(w.pid) - before
        assert harness.SANITIZED or grown < 512, "%d KB more" % grown
    http("DELETE", "/containers/one", expect=204)
