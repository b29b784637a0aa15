# SPDX-License-Identifier: LGPL-2.1-or-later
"""Execs that never ran, or whose end nobody saw: no status of theirs may read as success."""
import os

import harness
from harness import docker, http, wait_for

EXECS_MAX = 64


def setup():
    harness.remove_all()
    harness.make_image()


def create(name, *cmd):
    return http("POST", "/containers/%s/exec" % name, {"Cmd": list(cmd), "AttachStdout": True}, expect=201).json()["Id"]


def state(eid):
    return http("GET", "/exec/%s/json" % eid, expect=200).json()


def test_one_exec_too_many_has_no_success():
    docker("run", "-d", "--name", "x1", "busybox", "sleep", "1000")
    for _ in range(EXECS_MAX):
        http("POST", "/exec/%s/start" % create("x1", "sleep", "1000"), {"Detach": True}, expect=200)
    eid = create("x1", "true")
    assert http("POST", "/exec/%s/start" % eid, {"Detach": True}).status >= 400
    wait_for(lambda: not state(eid)["Running"])
    assert state(eid)["ExitCode"] == 126, state(eid)
    r = docker("exec", "x1", "true", check=None)
    assert r.code == 126, r
    docker("rm", "-f", "x1")


def test_exec_of_an_earlier_run():
    docker("run", "-d", "--name", "x2", "busybox", "sleep", "1000")
    cid = harness.inspect("x2")["Id"]
    eid = create("x2", "true")
    assert state(eid)["ExitCode"] is None and not state(eid)["Running"]
    # As an engine of the run before would have left it, with a shim that died before the end of the exec.
    with open("/run/berth/containers/%s/exec/%s.started" % (cid, eid), "w") as f:
        f.write("0")
    assert state(eid)["ExitCode"] == 255 and not state(eid)["Running"], state(eid)
    os.unlink("/run/berth/containers/%s/exec/%s.started" % (cid, eid))
    http("POST", "/exec/%s/start" % eid, {"Detach": True}, expect=200)
    wait_for(lambda: state(eid)["ExitCode"] == 0)
    docker("rm", "-f", "x2")


def test_bad_detach_keys():
    docker("run", "-d", "--name", "x3", "busybox", "sleep", "1000")
    for keys in ("ctrl-", "foo", "ctrl-A", "a,", ",".join("ab" * 9)):
        r = http("POST", "/containers/x3/exec", {"Cmd": ["true"], "DetachKeys": keys})
        assert r.status == 400 and "Invalid detach keys" in r.text, (keys, r)
        assert http("POST", "/containers/x3/attach?stdout=1&stream=1&detachKeys=" + keys).status == 400, keys
    for keys in ("", "a", "ctrl-p,ctrl-q", "ctrl-\\,x", ",,a"):
        http("POST", "/containers/x3/exec", {"Cmd": ["true"], "DetachKeys": keys}, expect=201)
    docker("rm", "-f", "x3")
