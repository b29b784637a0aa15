# SPDX-License-Identifier: LGPL-2.1-or-later
"""systemd is the supervisor: where processes live, and what works without the engine."""
import os

import harness
from harness import (berth, cgroup_pids, docker, inspect, make_image, needs, run, scope_unit, shim_unit, systemctl,
                     timeout, unit_cgroup, unit_property, wait_for)

LOOP = "while :; do sleep 0.05; done"


def setup():
    make_image()


def teardown():
    systemctl("unmask", "berth.service", "berth.socket", check=None)
    systemctl("start", "berth.socket")


def started(*args):
    return berth("run", "-d", *args).out.strip()


def test_processes_are_in_their_cgroups():
    cid = started("busybox", "sh", "-c", "sleep 1000 & sleep 1001; true")
    berth("exec", "-d", cid, "sleep", "1002")
    payload = unit_cgroup(scope_unit(cid)) + "/payload"
    wait_for(lambda: len(cgroup_pids(payload)) == 4, what="sh, two sleeps and the exec in payload/")
    names = sorted(open("/proc/%d/cmdline" % p, "rb").read().split(b"\0")[0] for p in cgroup_pids(payload))
    assert names == [b"sh", b"sleep", b"sleep", b"sleep"], names
    # The scope's own cgroup is no leaf: nothing may be in it.
    with open(unit_cgroup(scope_unit(cid)) + "/cgroup.procs") as f:
        assert f.read() == ""
    assert inspect(cid)["State"]["Pid"] in cgroup_pids(payload)
    shim = int(unit_property(shim_unit(cid), "MainPID"))
    assert cgroup_pids(unit_cgroup(shim_unit(cid))) == [shim], "nothing but the shim in its service"
    with open("/proc/%d/exe" % shim, "rb"):
        assert os.readlink("/proc/%d/exe" % shim).endswith("/berth-shim")
    engine = set(cgroup_pids(unit_cgroup("berth.service")))
    assert not engine & (set(cgroup_pids(payload)) | {shim})
    for unit in (shim_unit(cid), scope_unit(cid)):
        assert unit_property(unit, "Slice") == "berth.slice", unit
    out = run("systemd-cgls", "--no-pager", "--full").out
    tree = out[out.index("berth-%s.scope" % cid):]
    assert "payload" in tree.split("berth@")[0], out
    berth("rm", "-f", cid)


def test_no_mount_of_a_container_is_visible_on_the_host():
    with open("/proc/1/mountinfo") as f:
        before = f.read()
    cid = started("busybox", "sleep", "1000")
    with open("/proc/1/mountinfo") as f:
        assert f.read() == before
    berth("rm", "-f", cid)


def test_nothing_is_left_of_a_removed_container():
    cid = started("busybox", "sh", "-c", "exit 3")
    assert berth("wait", cid).out == "3\n"
    berth("rm", cid)
    for path in ("/var/lib/berth/containers/", "/run/berth/containers/"):
        wait_for(lambda: not os.path.exists(path + cid), what=path + cid)
    wait_for(lambda: os.listdir("/var/lib/berth/trash") == [], what="trash is empty")
    for unit in (shim_unit(cid), scope_unit(cid)):
        wait_for(lambda: unit_property(unit, "ActiveState") == "inactive", what=unit)
    assert cid not in run("systemctl", "list-units", "--all", "--no-legend", "--plain", "berth*").out


def test_without_the_engine():
    """mask berth; systemctl stop and start the shim's unit; unmask: ps tells the truth."""
    cid = started("--name", "masked", "busybox", "sh", "-c", "trap 'exit 11' TERM; echo up; " + LOOP)
    systemctl("mask", "--now", "berth.service", "berth.socket")
    try:
        systemctl("stop", shim_unit(cid))
        assert unit_property(scope_unit(cid), "ActiveState") == "inactive"
        systemctl("start", shim_unit(cid))
        assert unit_property(shim_unit(cid), "ActiveState") == "active"
        assert cgroup_pids(unit_cgroup(scope_unit(cid)) + "/payload")
        assert unit_property("berth.service", "ActiveState") != "active"
    finally:
        systemctl("unmask", "berth.service", "berth.socket")
        systemctl("start", "berth.socket")
    assert "masked" in berth("ps").out
    assert inspect(cid)["State"]["Status"] == "running"
    assert inspect(cid)["State"]["Pid"] in cgroup_pids(unit_cgroup(scope_unit(cid)))
    systemctl("mask", "--now", "berth.service", "berth.socket")
    try:
        systemctl("stop", shim_unit(cid))
    finally:
        systemctl("unmask", "berth.service", "berth.socket")
        systemctl("start", "berth.socket")
    state = inspect(cid)["State"]
    assert (state["Status"], state["ExitCode"]) == ("exited", 11), state
    berth("rm", cid)


def test_every_way_to_stop_gives_the_same():
    ways = {
        "client": lambda cid: berth("stop", cid),
        "service": lambda cid: systemctl("stop", shim_unit(cid)),
        "scope": lambda cid: systemctl("stop", scope_unit(cid)),
    }
    for way, stop in ways.items():
        cid = started("busybox", "sh", "-c", "trap 'exit 12' TERM; echo up; " + LOOP)
        wait_for(lambda: berth("logs", cid).out == "up\n", what="start")
        stop(cid)
        wait_for(lambda: inspect(cid)["State"]["Status"] == "exited", what="end by " + way)
        assert inspect(cid)["State"]["ExitCode"] == 12, (way, inspect(cid)["State"])
        wait_for(lambda: unit_property(shim_unit(cid), "ActiveState") in ("inactive", "failed"), what=way)
        berth("rm", cid)


@needs("docker")
def test_engine_stopped_and_socket_up():
    cid = started("busybox", "sleep", "1000")
    systemctl("stop", "berth.service")
    assert cid[:12] in docker("ps").out
    assert unit_property("berth.service", "ActiveState") == "active"
    berth("rm", "-f", cid)


@needs("docker")
def test_engine_stopped_and_socket_down():
    systemctl("stop", "berth.socket", "berth.service")
    try:
        r = docker("ps", check=1)
        assert "Cannot connect to the Docker daemon" in r.err, r
        r = berth("ps", check=1)
        assert "Cannot connect" in r.err, r
    finally:
        systemctl("start", "berth.socket")
    docker("ps")


def test_shim_killed():
    """kill -9 of the shim: the container goes on, its log has no hole, the exit code is known (or said to be unknown)."""
    cid = started("busybox", "sh", "-c", "i=0; while [ ! -e /stop ]; do i=$((i+1)); echo line $i; sleep 0.01; done; exit 23")
    pid = inspect(cid)["State"]["Pid"]
    for _ in range(3):
        shim = int(unit_property(shim_unit(cid), "MainPID"))
        wait_for(lambda: len(berth("logs", "--tail", "5", cid).out.splitlines()) == 5, what="output")
        os.kill(shim, 9)
        wait_for(lambda: int(unit_property(shim_unit(cid), "MainPID")) not in (0, shim), what="a new shim")
        wait_for(lambda: unit_property(shim_unit(cid), "ActiveState") == "active", what="the new shim is ready")
        assert inspect(cid)["State"]["Pid"] == pid and os.path.exists("/proc/%d" % pid)
    berth("exec", cid, "touch", "/stop")
    berth("wait", cid, check=None)
    state = inspect(cid)["State"]
    if harness.kernel(6, 15):
        assert state["ExitCode"] == 23, state
    else:       # older ones tell only the parent, which the shim is not any more
        assert state["ExitCode"] == 255 and "unknown" in state["Error"], state
    lines = berth("logs", cid).out.splitlines()
    assert lines == ["line %d" % (i + 1) for i in range(len(lines))], "holes in the log"
    berth("rm", cid)


def test_journal_fields():
    cid = started("--name", "journaled", "busybox", "sh", "-c", "echo to-out; echo to-err >&2")
    berth("wait", cid)
    entries = wait_for(lambda: [e for e in harness.journal("CONTAINER_NAME=journaled")
                                if "CONTAINER_STREAM" in e and e["CONTAINER_ID_FULL"] == cid],
                       what="journal entries")
    got = {e["CONTAINER_STREAM"]: e for e in entries}
    assert got["stdout"]["MESSAGE"] == "to-out" and got["stderr"]["MESSAGE"] == "to-err", entries
    for e in got.values():
        assert e["CONTAINER_ID"] == cid[:12] and e["CONTAINER_ID_FULL"] == cid, e
        assert e["OBJECT_SYSTEMD_UNIT"] == scope_unit(cid), e
        assert e["IMAGE_NAME"].startswith("busybox"), e
    ordinals = sorted(int(e["CONTAINER_LOG_ORDINAL"]) for e in entries)
    assert ordinals == [1, 2], (ordinals, entries)
    assert "to-out" in run("journalctl", "--no-pager", "-u", scope_unit(cid)).out
    berth("rm", cid)


@needs("docker")
@timeout(120)
def test_terminal_sessions_survive_a_restart_of_the_engine():
    """run -it and exec -it: typed before and after, and the client leaves with the container's exit code."""
    with harness.Pty("docker", "run", "-it", "--name", "tty-restart", "busybox", "sh") as p:
        p.expect(r"# ")
        p.send("echo before-$((40+2))\n")
        p.expect("before-42\r\n")
        with harness.Pty("docker", "exec", "-it", "tty-restart", "sh") as e:
            e.expect(r"# ")
            e.send("echo exec-$((1+1))\n")
            e.expect("exec-2\r\n")
            for n in range(3):
                old = unit_property("berth.service", "MainPID")
                systemctl("restart", "berth.service")
                assert unit_property("berth.service", "MainPID") != old
                p.send("echo after-$((%d+50))\n" % n)
                p.expect("after-%d\r\n" % (n + 50))
                e.send("echo exec-$((%d+70))\n" % n)
                e.expect("exec-%d\r\n" % (n + 70))
            e.send("exit 31\n")
            assert e.wait() == 31, e.output
        p.send("exit 32\n")
        assert p.wait() == 32, p.output
    docker("rm", "tty-restart")


@needs("docker")
def test_foreground_run_survives_kill_9_of_the_engine():
    p = harness.spawn("docker", "run", "-i", "--rm", "busybox", "sh", "-c", "while read x; do echo got $x; done; exit 8")
    p.stdin.write(b"a\n")
    p.stdin.flush()
    assert p.stdout.readline() == b"got a\n"
    systemctl("kill", "-s", "KILL", "berth.service")
    p.stdin.write(b"b\n")
    p.stdin.flush()
    assert p.stdout.readline() == b"got b\n"
    p.stdin.close()
    assert p.wait(20 * harness.slowness()) == 8, p.stderr.read()
