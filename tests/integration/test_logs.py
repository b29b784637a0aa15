# SPDX-License-Identifier: LGPL-2.1-or-later
"""Container logs over the API: streams, frames, selections, following, losses, forgeries."""
import os
import re
import socket
import time

import harness
from harness import connect, demux, docker, http, make_image, timeout, wait_for


def setup():
    make_image()


def finished(name, script, *options):
    docker("rm", "-f", name, check=None)
    docker("run", "--name", name, "--network", "none", *options, "busybox", "sh", "-c", script, check=None)


def logs(name, query):
    return http("GET", "/containers/%s/logs?%s" % (name, query), expect=200)


def test_streams_and_frames():
    finished("l1", "echo one; echo two >&2; printf 'no newline'")
    r = logs("l1", "stdout=1&stderr=1")
    assert r.headers["Content-Type"] == "application/vnd.docker.multiplexed-stream", r.headers
    assert demux(r.body) == (b"one\nno newline", b"two\n"), r.body
    assert demux(logs("l1", "stdout=1").body) == (b"one\nno newline", b"")
    assert demux(logs("l1", "stderr=1").body) == (b"", b"two\n")
    assert demux(logs("l1", "stdout=1&stderr=0").body) == (b"one\nno newline", b"")
    old = http("GET", "/v1.41/containers/l1/logs?stdout=1", expect=200)
    assert old.headers["Content-Type"] == "application/vnd.docker.raw-stream"
    assert demux(old.body)[0].startswith(b"one\n")


def test_terminal():
    finished("l2", "echo a; echo b >&2", "-t")
    r = logs("l2", "stdout=1")
    assert r.headers["Content-Type"] == "application/vnd.docker.raw-stream"
    assert r.body == b"a\r\nb\r\n", r.body


def test_tail_since_until():
    finished("l3", "for i in 1 2 3; do echo line $i; sleep 0.05; done; sleep 1.2; echo late")
    assert demux(logs("l3", "stdout=1&tail=2").body)[0] == b"line 3\nlate\n"
    assert demux(logs("l3", "stdout=1&tail=0").body)[0] == b""
    assert demux(logs("l3", "stdout=1&tail=100").body)[0] == b"line 1\nline 2\nline 3\nlate\n"
    assert demux(logs("l3", "stdout=1&tail=all").body)[0].count(b"\n") == 4
    stamped = demux(logs("l3", "stdout=1&timestamps=1").body)[0].decode().splitlines()
    assert all(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z ", line) for line in stamped), stamped
    third = harness.run("date", "+%s.%N", "-d", stamped[2].split()[0]).out.strip()
    late = harness.run("date", "+%s.%N", "-d", stamped[3].split()[0]).out.strip()
    assert demux(logs("l3", "stdout=1&since=" + late).body)[0] == b"late\n"
    assert demux(logs("l3", "stdout=1&until=" + third).body)[0].count(b"\n") == 3
    assert demux(logs("l3", "stdout=1&since=%s&until=%s" % (third, late)).body)[0] == b"line 3\nlate\n"
    assert demux(logs("l3", "stdout=1&since=4000000000").body)[0] == b""


def test_long_line():
    finished("l4", "head -c 100000 /dev/zero | tr '\\0' x; echo; echo end")
    out = demux(logs("l4", "stdout=1").body)[0]
    assert out == b"x" * 100000 + b"\nend\n", len(out)
    assert demux(logs("l4", "stdout=1&tail=2").body)[0] == out
    assert demux(logs("l4", "stdout=1&tail=1").body)[0] == b"end\n"


def test_binary_and_empty_lines():
    finished("l5", "printf 'a\\000b\\n\\n\\377\\n'")
    assert demux(logs("l5", "stdout=1").body)[0] == b"a\0b\n\n\xff\n"


def test_refused():
    finished("l6", "true")
    r = http("GET", "/containers/l6/logs", expect=400)
    assert r.json()["message"] == "Bad parameters: you must choose at least one stream", r
    http("GET", "/containers/l6/logs?stdout=1&since=yesterday", expect=400)
    http("GET", "/containers/none-such/logs?stdout=1", expect=404)
    assert logs("l6", "stdout=1").body == b""


def test_follow_ends_with_container():
    docker("rm", "-f", "l7", check=None)
    docker("run", "-d", "--name", "l7", "--network", "none", "busybox", "sh", "-c", "echo first; sleep 1; echo last")
    assert demux(logs("l7", "stdout=1&follow=1").body)[0] == b"first\nlast\n"
    # It does not run: following ends at once.
    assert demux(logs("l7", "stdout=1&follow=1").body)[0] == b"first\nlast\n"


def test_follow_second_run():
    docker("rm", "-f", "l8", check=None)
    docker("run", "--name", "l8", "--network", "none", "busybox", "sh", "-c", "echo run; sleep 0.7; echo over")
    docker("start", "l8")
    assert demux(logs("l8", "stdout=1&follow=1").body)[0] == b"run\nover\n" * 2


@timeout(90)
def test_follow_survives_engine():
    docker("rm", "-f", "l9", check=None)
    docker("run", "-d", "--name", "l9", "--network", "none", "busybox", "sh", "-c", "i=0; while [ $i -lt 30 ]; do echo $i; i=$((i+1)); sleep 0.1; done")
    p = harness.spawn("docker", "logs", "-f", "l9")
    wait_for(lambda: "berth-worker" in harness.run("ps", "-eo", "args").out, what="the worker")
    harness.systemctl("kill", "-s", "KILL", "--kill-who=main", "berth.service")
    out, err = p.communicate(timeout=60)
    assert out.decode().split() == [str(i) for i in range(30)], out
    assert p.returncode == 0, err


def test_follow_head_at_once_and_client_leaves():
    docker("rm", "-f", "l10", check=None)
    docker("run", "-d", "--name", "l10", "--network", "none", "busybox", "sleep", "1000")
    with connect() as s:
        s.sendall(b"GET /containers/l10/logs?stdout=1&follow=1 HTTP/1.1\r\nHost: x\r\n\r\n")
        assert s.recv(4096).startswith(b"HTTP/1.1 200 OK\r\n")
        s.shutdown(socket.SHUT_WR)
        time.sleep(0.3)
        assert count_workers() == 1, "a half-close is no leaving"
    wait_for(lambda: count_workers() == 0, what="the worker's end")
    docker("rm", "-f", "l10")


def count_workers():
    return harness.run("ps", "-eo", "args").out.count("berth-worker logs")


@timeout(90)
def test_many_followers():
    docker("rm", "-f", "l11", check=None)
    docker("run", "-d", "--name", "l11", "--network", "none", "busybox", "sleep", "1000")
    clients = []
    try:
        for _ in range(32):
            s = connect()
            s.sendall(b"GET /containers/l11/logs?stdout=1&follow=1 HTTP/1.1\r\nHost: x\r\n\r\n")
            assert s.recv(15) == b"HTTP/1.1 200 OK"
            clients.append(s)
        r = http("GET", "/containers/l11/logs?stdout=1")
        assert r.status == 503 and "too many" in r.text, r
        http("GET", "/_ping", expect=200)
    finally:
        for s in clients:
            s.close()
    wait_for(lambda: count_workers() == 0, what="the workers' end")
    wait_for(lambda: http("GET", "/containers/l11/logs?stdout=1").status == 200, what="room for a worker")
    docker("rm", "-f", "l11")


def send_entry(uid, cid, message, **fields):
    pid = os.fork()
    if pid == 0:
        try:
            if uid:
                os.setgroups([])
                os.setresuid(uid, uid, uid)
            s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            s.connect("/run/systemd/journal/socket")
            fields = dict(fields, MESSAGE=message, CONTAINER_ID_FULL=cid, CONTAINER_STREAM="stdout")
            s.send("".join("%s=%s\n" % f for f in fields.items()).encode())
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitpid(pid, 0)[1] == 0


def test_forged_lines_are_not_believed():
    finished("l12", "echo true")
    cid = harness.inspect("l12")["Id"]
    send_entry(65534, cid, "forged")
    time.sleep(0.1)
    assert demux(logs("l12", "stdout=1").body)[0] == b"true\n"


def test_losses_are_said():
    finished("l13", "echo 1; echo 2")
    cid = harness.inspect("l13")["Id"]
    send_entry(0, cid, "far on", CONTAINER_LOG_EPOCH=1, CONTAINER_LOG_ORDINAL=10)
    out, err = demux(logs("l13", "stdout=1&stderr=1").body)
    assert out == b"1\n2\nfar on\n" and err == b"berth: 7 lines lost\n", (out, err)


def test_repeated_lines_are_dropped():
    finished("l15", "seq 1 5")
    cid = harness.inspect("l15")["Id"]
    for i in (4, 5):
        send_entry(0, cid, str(i), CONTAINER_LOG_EPOCH=1, CONTAINER_LOG_ORDINAL=i)
    send_entry(0, cid, "6", CONTAINER_LOG_EPOCH=1, CONTAINER_LOG_ORDINAL=6)
    assert demux(logs("l15", "stdout=1&stderr=1").body) == (b"1\n2\n3\n4\n5\n6\n", b"")
    for n in range(1, 6):
        want = b"".join(b"%d\n" % i for i in range(7 - n, 7))
        assert demux(logs("l15", "stdout=1&tail=%d" % n).body)[0] == want, n


@timeout(120)
def test_many_lines():
    n = 10000 if harness.slowness() > 1 else 200000
    finished("l14", "seq 1 %d" % n)
    out = demux_fast(logs("l14", "stdout=1").body)
    assert out == b"".join(b"%d\n" % i for i in range(1, n + 1)), out[-200:]
    start = time.monotonic()
    assert demux(logs("l14", "stdout=1&tail=1").body)[0] == b"%d\n" % n
    assert time.monotonic() - start < 5 * harness.slowness()
    docker("rm", "l14")


def demux_fast(body):
    out, pos, view = [], 0, memoryview(body)
    while pos < len(body):
        size = int.from_bytes(body[pos + 4:pos + 8], "big")
        out.append(bytes(view[pos + 8:pos + 8 + size]))
        pos += 8 + size
    return b"".join(out)
