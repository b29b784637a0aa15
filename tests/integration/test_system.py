# SPDX-License-Identifier: LGPL-2.1-or-later
"""The engine's own endpoints, what is missing and says so, the units."""
import os
import re
import time

import harness
from harness import docker, http, make_image, systemctl, wait_for


def setup():
    make_image()


def test_ping():
    for method, body in (("GET", b"OK"), ("HEAD", b"")):
        r = http(method, "//_ping", expect=200)
        assert r.body == body
        for name, value in (("Api-Version", "1.50"), ("Builder-Version", "1"), ("Docker-Experimental", "false"),
                            ("Ostype", "linux"), ("Swarm", "inactive"), ("Cache-Control", "no-cache, no-store, must-revalidate"),
                            ("Pragma", "no-cache"), ("Content-Type", "text/plain; charset=utf-8")):
            assert r.headers[name] == value, (name, r.headers[name])
    assert http("GET", "/v1.24/_ping").status == 200
    assert http("POST", "//_ping").status == 404


def test_version():
    v = http("GET", "/version", expect=200).json()
    assert v["ApiVersion"] == "1.50" and v["MinAPIVersion"] == "1.24" and v["Os"] == "linux", v
    assert v["Platform"]["Name"] == "berth"
    names = {c["Name"]: c for c in v["Components"]}
    assert v["Components"][0]["Name"] == "Engine"
    assert names["systemd"]["Version"] in harness.run("systemctl", "--version").out
    assert names["Engine"]["Details"]["ApiVersion"] == "1.50"
    assert "Version:" in docker("version").out


def test_info():
    before = http("GET", "/info", expect=200).json()
    docker("rm", "-f", "i1", check=None)
    docker("create", "--name", "i1", "busybox", "true")
    i = http("GET", "/info", expect=200).json()
    assert i["Containers"] == before["Containers"] + 1 and i["ContainersStopped"] == before["ContainersStopped"] + 1
    assert i["Images"] >= 1 and i["Driver"] == "overlay2" and i["CgroupDriver"] == "systemd" and i["CgroupVersion"] == "2"
    assert i["LoggingDriver"] == "journald" and "berth-runtime" in i["Runtimes"] and i["DefaultRuntime"] == "berth-runtime"
    assert i["Name"] == harness.run("uname", "-n").out.strip() and i["NCPU"] > 0 and i["MemTotal"] > 0
    assert re.fullmatch(r"[0-9a-f-]{36}", i["ID"])
    assert bool(i["MemoryLimit"]) == ("WARNING: No memory limit support" not in (i["Warnings"] or []))
    assert docker("info", "--format", "{{.Driver}} {{.ServerVersion}} {{.OSType}}").out.split()[::2] == ["overlay2", "linux"]
    docker("rm", "i1")


def test_gaps_say_their_name():
    for method, path in (("GET", "/containers/x/stats"), ("POST", "/build?t=x"), ("GET", "/volumes"), ("POST", "/networks/create"),
                         ("POST", "/commit"), ("GET", "/images/x/y:z/get"), ("POST", "/plugins/a/b/enable"), ("POST", "/session")):
        r = http(method, path)
        assert r.status == 501, (path, r)
        assert r.json()["message"] == "%s %s is not supported by this version of berth" % (method, path.split("?")[0]), r


def test_body_of_a_refused_request_is_no_request():
    answer = harness.raw(b"POST /v1.50/images/create?fromSrc=http://x/y HTTP/1.1\r\nHost: x\r\nContent-Length: 34\r\n\r\n"
                         b"GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n\r\n", timeout=3)
    assert answer.count(b"HTTP/1.1") == 1 and answer.startswith(b"HTTP/1.1 501"), answer


def test_swarm():
    for path in ("/swarm", "/services", "/nodes", "/tasks", "/secrets", "/configs"):
        r = http("GET", path)
        assert r.status == 503 and r.json()["message"].startswith("This node is not a swarm manager."), r


def test_pull_is_refused_clearly():
    r = docker("run", "--rm", "absent-image", check=125)
    assert "docker.io/library/absent-image:latest" in r.err and "not supported" in r.err, r
    assert http("POST", "/images/create?fromImage=BAD!&tag=x").status == 400


def test_image_filters():
    docker("tag", "busybox", "example.org/a/b:c")
    try:
        assert docker("images", "-q", "example.org/*/b").out.strip()
        assert docker("images", "--format", "{{.Repository}}:{{.Tag}}", "example.org/a/b").out == "example.org/a/b:c\n"
        assert docker("images", "-q", "nothing-like-it").out == ""
        assert docker("images", "-q", "--filter", "dangling=true").out == ""
        assert docker("images", "-q", "--filter", "label=none").out == ""
        assert docker("images", "-q", "--filter", "since=busybox").out == ""
        assert http("GET", '/images/json?filters={"nope":["x"]}'.replace('"', "%22")).json()["message"] == "invalid filter 'nope'"
        assert http("GET", "/images/json?filters=garbage").json()["message"] == "invalid filter"
    finally:
        docker("rmi", "example.org/a/b:c")


def test_image_in_use():
    docker("rm", "-f", "u1", check=None)
    docker("create", "--name", "u1", "busybox", "true")
    r = http("DELETE", "/images/busybox")
    assert r.status == 409 and "conflict: unable to remove repository reference \"busybox\"" in r.json()["message"], r
    docker("rm", "u1")


def test_stop_and_activation():
    systemctl("stop", "berth.service")
    assert harness.unit_property("berth.socket", "ActiveState") == "active"
    docker("ps")
    assert harness.unit_property("berth.service", "ActiveState") == "active"
    systemctl("stop", "berth.socket", "berth.service")
    assert "Cannot connect to the Docker daemon" in docker("ps", check=1).err
    systemctl("start", "berth.socket")
    wait_for(lambda: docker("ps", check=None).code == 0, what="the engine")


def test_leavers_do_no_harm():
    pid = harness.unit_property("berth.service", "MainPID") if docker("ps") else None
    for path in (b"/_ping", b"/version", b"/info", b"/containers/json", b"/nothing"):
        for _ in range(20):
            with harness.connect() as s:
                s.sendall(b"GET " + path + b" HTTP/1.1\r\nHost: x\r\n\r\n")
    docker("ps")
    assert harness.unit_property("berth.service", "MainPID") == pid


def test_broken_engine_is_not_started_without_pause():
    program = "/usr/libexec/berth/berthd"
    systemctl("stop", "berth.service")
    os.rename(program, program + ".away")
    try:
        with harness.connect() as s:
            s.sendall(b"GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n")
            wait_for(lambda: int(harness.unit_property("berth.service", "NRestarts")) > 0, what="a restart")
            before = int(harness.unit_property("berth.service", "NRestarts"))
            time.sleep(1)
            assert int(harness.unit_property("berth.service", "NRestarts")) - before <= 11
            os.rename(program + ".away", program)
            assert s.recv(15) == b"HTTP/1.1 200 OK", "the client that waited is served"
    finally:
        if os.path.exists(program + ".away"):
            os.rename(program + ".away", program)


def test_many_removals_leave_workers_for_others():
    """Each removal leaves a tree to take apart; that is one worker's job, not a hundred workers'."""
    ids = [http("POST", "/containers/create", {"Image": "busybox"}, expect=201).json()["Id"] for _ in range(60)]
    for cid in ids:
        http("DELETE", "/containers/" + cid, expect=204)
    workers = [p for p in filter(str.isdigit, os.listdir("/proc")) if b"remove-tree" in cmdline(p)]
    assert len(workers) <= 1, workers
    make_image(force=True)
    wait_for(lambda: not os.listdir("/var/lib/berth/trash"), what="trash is empty")


def cmdline(pid):
    try:
        with open("/proc/%s/cmdline" % pid, "rb") as f:
            return f.read()
    except OSError:
        return b""
