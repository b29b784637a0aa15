# SPDX-License-Identifier: LGPL-2.1-or-later
"""Bad input: a clear error with the right status, nothing left behind, and the engine goes on."""
import json
import os
import socket

import harness
from harness import berth, http, make_image, raw, timeout, unit_property


def setup():
    make_image()


def listing():
    return {d: sorted(os.listdir("/var/lib/berth/" + d)) for d in ("containers", "names", "trash")}


def refused(status, method, path, body=None, headers=None, text=None):
    before = listing()
    r = http(method, path, body, headers)
    assert r.status == status, r
    message = r.json()["message"]
    assert list(r.json()) == ["message"] and message, r
    assert text is None or text in message, r
    assert listing() == before, "something was left behind"
    return message


def status_of(answer):
    assert answer.startswith(b"HTTP/1.1 "), answer[:200]
    return int(answer.split()[1])


def test_bad_json():
    for body in ("{", "", "[]", '{"Image": 5}', '{"Image":"busybox"', "nonsense", '{"Image":"busybox"} trailing'):
        refused(400, "POST", "/containers/create", body, {"Content-Type": "application/json"})


def test_deep_and_large_json():
    refused(400, "POST", "/containers/create", "[" * 100000, {"Content-Type": "application/json"})
    refused(400, "POST", "/containers/create", '{"a":' * 5000, {"Content-Type": "application/json"})


def test_unknown_things():
    refused(404, "GET", "/containers/no-such-container/json", text="No such container: no-such-container")
    refused(404, "POST", "/containers/no-such-container/start", text="No such container")
    refused(404, "GET", "/images/no-such-image/json", text="No such image: no-such-image:latest")
    refused(404, "DELETE", "/images/no-such-image", text="No such image")
    refused(404, "POST", "/containers/create", {"Image": "no-such-image"}, text="No such image: no-such-image:latest")
    refused(404, "GET", "/exec/0123/json", text="No such exec instance")


def test_unknown_endpoint():
    r = http("GET", "/no/such/endpoint")
    assert r.status == 404 and r.json()["message"] == "page not found", r


def test_methods():
    assert http("PATCH", "/containers/json").status in (404, 405)


def test_api_versions():
    assert http("GET", "//_ping").status == 200
    assert http("GET", "/v1.24/version").status == 200
    r = http("GET", "/v1.99/version")
    assert r.status == 400 and "too new" in r.json()["message"], r
    r = http("GET", "/v1.10/version")
    assert r.status == 400 and "too old" in r.json()["message"], r


def test_unsupported_says_so():
    r = http("POST", "/containers/create", {"Image": "busybox", "HostConfig": {"CgroupParent": "x"}})
    assert r.status == 501 and "CgroupParent" in r.json()["message"], r


def test_name_in_use_and_bad_names():
    cid = http("POST", "/containers/create?name=taken", {"Image": "busybox"}, expect=201).json()["Id"]
    refused(409, "POST", "/containers/create?name=taken", {"Image": "busybox"}, text="already in use")
    refused(400, "POST", "/containers/create?name=x", {"Image": "busybox"}, text="Invalid container name")
    refused(400, "POST", "/containers/create?name=../../etc", {"Image": "busybox"}, text="Invalid container name")
    http("DELETE", "/containers/" + cid, expect=204)


def test_strict_http():
    cases = {
        b"GARBAGE\r\n\r\n": 400,
        b"GET /_ping HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n": 400,
        b"GET /_ping HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n": 400,
        b"GET /_ping HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n": 400,
        b"POST /v1.50/containers/create HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n": 400,
        b"POST /v1.50/containers/create HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n": 400,
        b"GET /_ping HTTP/1.1\r\nHost : a\r\n\r\n": 400,
    }
    for data, want in cases.items():
        got = status_of(raw(data, shutdown=True))
        assert got == want, (data, got)


def test_keep_alive_and_pipelining():
    one = b"GET /_ping HTTP/1.1\r\nHost: a\r\n\r\n"
    last = b"GET /_ping HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    assert raw(one * 9 + last).count(b"HTTP/1.1 200 OK") == 10
    assert raw(b"GET /_ping HTTP/1.0\r\n\r\n").count(b" 200 OK") == 1


def test_slow_and_silent_clients_do_not_block():
    idle = [harness.connect() for _ in range(50)]
    half = harness.connect()
    half.sendall(b"POST /v1.50/containers/create HTTP/1.1\r\nContent-Length: 1000\r\n\r\n{")
    assert http("GET", "/_ping").status == 200
    for s in idle + [half]:
        s.close()


@timeout(120)
def test_a_gigabyte_of_header():
    pid = unit_property("berth.service", "MainPID")
    sent, line = 0, b"X-Filler: " + b"x" * 65500 + b"\r\n"
    with harness.connect() as s:
        s.sendall(b"GET /_ping HTTP/1.1\r\nHost: a\r\n")
        try:
            while sent < 1 << 30:
                sent += s.send(line)
        except (BrokenPipeError, ConnectionResetError):
            pass
        assert sent < 16 << 20, "%d bytes of header were taken" % sent
        s.settimeout(5)
        try:
            answer = s.recv(4096)
        except (ConnectionResetError, socket.timeout):
            answer = b""
        assert answer == b"" or status_of(answer) in (400, 431), answer
    assert unit_property("berth.service", "MainPID") == pid
    with open("/proc/%s/status" % pid) as f:
        peak = [int(l.split()[1]) for l in f if l.startswith("VmHWM")][0]
    assert harness.SANITIZED or peak < 64 * 1024, "%d kB" % peak


def test_long_query_and_path():
    assert status_of(raw(b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", shutdown=True)) in (400, 404, 414)
    assert http("GET", "/containers/json?filters=" + "%7B" * 2000).status == 400


def test_bad_queries():
    refused(400, "GET", '/containers/json?filters={"no-such-filter":["x"]}'.replace('"', "%22"), text="invalid filter")
    refused(400, "GET", "/containers/json?filters=nonsense")
    cid = http("POST", "/containers/create", {"Image": "busybox"}, expect=201).json()["Id"]
    refused(400, "GET", "/containers/%s/logs" % cid, text="must choose at least one stream")
    refused(400, "POST", "/containers/%s/kill?signal=NOSUCH" % cid)
    http("DELETE", "/containers/" + cid, expect=204)


def test_missing_binary_leaves_nothing_running():
    r = http("POST", "/containers/create", {"Image": "busybox", "Cmd": ["no-such-program"]}, expect=201)
    cid = r.json()["Id"]
    r = http("POST", "/containers/%s/start" % cid)
    assert r.status == 400 and "executable file not found in $PATH" in r.json()["message"], r
    state = harness.inspect(cid)["State"]
    assert state["Status"] in ("created", "exited") and state["ExitCode"] == 127, state
    # PID 1 learns from the kernel that the scope is empty, a moment after the client learns that the start failed.
    harness.wait_for(lambda: unit_property(harness.scope_unit(cid), "ActiveState") == "inactive", what="the scope has ended")
    http("DELETE", "/containers/" + cid, expect=204)


def test_engine_still_answers():
    assert json.loads(http("GET", "/info", expect=200).body)["OSType"] == "linux"
    berth("run", "--rm", "--network", "none", "busybox", "true")
