# SPDX-License-Identifier: LGPL-2.1-or-later
"""What engines read from a runtime: texts that they look for, and JSON whose fields have types for them."""
import datetime
import json
import os
import re

import bundle
from bundle import ROOT, RUNTIME, TOP, Bundle, rt
from harness import run


def setup():
    bundle.start_tests()


def teardown():
    bundle.end_tests()


def logged(*args, code):
    """The message in the JSON log of a command that fails with this code."""
    log = TOP + "/callers.log"
    r = run(RUNTIME, "--root", ROOT, "--log", log, "--log-format", "json", *args, check=code)
    with open(log) as f:
        last = json.loads(f.read().splitlines()[-1])
    os.unlink(log)
    assert last["level"] == "error" and last["msg"] in r.err, (last, r)
    assert datetime.datetime.fromisoformat(last["time"]).tzinfo, last
    return last["msg"]


def test_unknown_containers():
    """containerd and podman take a container for gone when they read "does not exist"."""
    for args in (("state",), ("start",), ("kill",), ("delete",), ("pause",), ("resume",), ("ps",), ("events", "--stats"),
                 ("update", "--pids-limit", "9"), ("exec",)):
        rest = ("true",) if args[0] == "exec" else ()
        assert "does not exist" in logged(*args, "nosuch", *rest, code=255 if rest else 1), args
    assert rt("delete", "--force", "nosuch").err == ""


def test_signals_for_what_has_ended():
    """containerd's words for a kill that came too late."""
    b = Bundle("true").create()
    rt("start", b.id)
    b.wait()
    assert "container not running" in logged("kill", b.id, "KILL", code=1)
    b.delete()


def test_program_that_cannot_run():
    for args, text in ((["nosuch"], 'exec: "nosuch": executable file not found in $PATH'), (["/etc/passwd"], "permission denied"),
                       (["/no/such"], "no such file or directory"), (["/etc"], "is a directory")):
        b = Bundle(*args).save()
        assert text in logged("create", "--bundle", b.path, b.id, code=1), args
        b.gone()


def check_state(s, b, status):
    assert (s["id"], s["status"], s["bundle"], s["rootfs"]) == (b.id, status, b.path, b.rootfs), s
    assert type(s["pid"]) is int and re.match(r"1\.\d+\.\d+", s["ociVersion"]) and s["annotations"] == {"a": "b"}, s
    # Go's RFC 3339 takes up to nine digits and a zone.
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$", s["created"]), s


def test_state_list_and_ps():
    b = Bundle("sleep", "100")
    b.config["annotations"] = {"a": "b"}
    b.create()
    check_state(b.state(), b, "created")
    b.start()
    check_state(b.state(), b, "running")
    assert b.state()["pid"] == b.pid
    entry = [e for e in json.loads(rt("list", "--format", "json").out) if e["id"] == b.id][0]
    check_state(entry, b, "running")
    assert entry["owner"] in ("", "root"), entry
    assert json.loads(rt("ps", "--format", "json", b.id).out) == [b.pid]
    rt("kill", b.id, "9")
    b.wait()
    check_state(b.state(), b, "stopped")
    assert b.state()["pid"] == 0
    b.delete()


def test_statistics():
    b = Bundle("sleep", "100").create().start()
    stats = json.loads(rt("events", "--stats", b.id).out)
    assert stats["type"] == "stats" and stats["id"] == b.id, stats
    data = stats["data"]
    assert type(data["cpu"]["usage"]["total"]) is int and data["cpu"]["usage"]["total"] > 0, data
    # What a controller counts is there with it only.
    assert type(data["memory"].get("usage", {}).get("usage", 0)) is int and type(data["pids"].get("current", 0)) is int, data
    b.delete()


def test_version():
    """dockerd splits the first line at "version", CRI-O and podman show all of it."""
    lines = rt("--version").out.splitlines()
    assert re.match(r"berth-runtime version \S+$", lines[0]) and "spec: 1.3.0" == lines[2], lines
    assert re.match(r"commit: (unknown|[0-9a-f]{12})$", lines[1]), lines


def test_pid_file():
    b = Bundle("true").create()
    with open(b.path + "/pid") as f:
        assert f.read() == str(b.pid)
    b.delete()
