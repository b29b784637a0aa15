# SPDX-License-Identifier: LGPL-2.1-or-later
"""kill -9 of the engine, a hundred times, at random moments, under load: nobody notices."""
import json
import os
import random
import shutil
import signal
import tempfile
import threading
import time

import harness
from harness import (berth, cgroup_pids, inspect, make_image, once, run, scope_unit, shim_unit, timeout, unit_cgroup,
                     unit_property, wait_for)

KILLS = 100
CONTAINERS = 10


def setup():
    make_image()


def request(method, path, body=None):
    """One request that may meet a dying engine: None if the connection broke, else the Response."""
    try:
        return harness.http(method, path, body, timeout=30)
    except (OSError, harness.http_client.HTTPException):
        return None


class Churn(threading.Thread):
    """Creates, starts and waits for short containers; remembers what it was told."""

    def __init__(self, number, stop):
        super().__init__(daemon=True)
        self.number, self.stop = number, stop
        self.created, self.started, self.codes, self.errors = {}, set(), {}, []

    def run(self):
        n = 0
        while not self.stop.is_set():
            n += 1
            name, code = "churn-%d-%d" % (self.number, n), (self.number * 37 + n) % 120 + 1
            r = request("POST", "/containers/create?name=" + name, {
                "Image": "busybox:latest", "Cmd": ["sh", "-c", "exit %d" % code],
                "HostConfig": {"NetworkMode": "none"}})
            if r is None:
                continue
            if r.status != 201:
                self.errors.append("create %s: %r" % (name, r))
                continue
            cid = r.json()["Id"]
            self.created[cid] = code
            r = request("POST", "/containers/%s/start" % cid)
            if r is None:
                continue
            if r.status not in (204, 304):
                self.errors.append("start %s: %r" % (name, r))
                continue
            self.started.add(cid)
            r = request("POST", "/containers/%s/wait?condition=not-running" % cid)
            if r is not None and r.status == 200 and r.body:
                try:
                    self.codes[cid] = json.loads(r.body)["StatusCode"]
                except ValueError:
                    # The body was cut short by a kill: no answer, but no wrong one.
                    pass


def kill_engine(rng):
    """SIGKILL at a random moment of the engine's life, also while it starts."""
    time.sleep(rng.uniform(0, 0.12))
    pid = int(unit_property("berth.service", "MainPID"))
    if pid == 0:
        request("GET", "/_ping")
        return False
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def counter(path):
    with open(path) as f:
        lines = f.read().split("\n")
    return [int(x) for x in lines[:-1]]


@once
@timeout(400)
def test_a_hundred_kills():
    rng = random.Random(20261122)
    d = tempfile.mkdtemp(dir="/var/tmp")
    keepers = {}
    for i in range(CONTAINERS):
        # The container's life is read through a file, so that no part of berth is between it and the test.
        cid = berth("run", "-d", "--network", "none", "-v", d + ":/out", "busybox", "sh", "-c",
                    "i=0; while [ ! -e /out/end ]; do i=$((i+1)); echo $i >>/out/%d; sleep 0.02; done; exit %d" %
                    (i, i + 40)).out.strip()
        keepers[cid] = (i, inspect(cid)["State"]["Pid"], int(unit_property(shim_unit(cid), "MainPID")))
    stop = threading.Event()
    churn = [Churn(n, stop) for n in range(3)]
    for c in churn:
        c.start()
    kills = 0
    end = time.monotonic() + 250
    while kills < KILLS or (sum(len(c.started) for c in churn) < 30 and time.monotonic() < end):
        kills += kill_engine(rng)
    stop.set()
    for c in churn:
        c.join(60)
        assert not c.is_alive(), "a request hangs"
    wait_for(lambda: request("GET", "/_ping"), what="the engine answers")
    try:
        verify_keepers(keepers, d)
        verify_churn(churn)
        verify_disk_and_units()
        with open(d + "/end", "w"):
            pass
        for cid, (i, _, _) in keepers.items():
            assert berth("wait", cid).out == "%d\n" % (i + 40), inspect(cid)["State"]
            berth("rm", cid)
    finally:
        harness.remove_all()
        shutil.rmtree(d)


def verify_keepers(keepers, d):
    for cid, (i, pid, shim) in keepers.items():
        state = inspect(cid)["State"]
        assert state["Status"] == "running" and state["Pid"] == pid, (i, state)
        assert pid in cgroup_pids(unit_cgroup(scope_unit(cid)))
        assert int(unit_property(shim_unit(cid), "MainPID")) == shim, "the shim was replaced"
        seen = counter("%s/%d" % (d, i))
        assert seen == list(range(1, len(seen) + 1)) and len(seen) > 50, (i, len(seen))
        wait_for(lambda: len(counter("%s/%d" % (d, i))) > len(seen), what="container %d goes on" % i)


def verify_churn(churn):
    created, started, codes = {}, set(), {}
    for c in churn:
        assert not c.errors, c.errors[:3]
        created.update(c.created)
        started |= c.started
        codes.update(c.codes)
    assert len(started) >= 20, "too little happened: %d containers" % len(started)
    for cid, code in codes.items():
        assert code == created[cid], (cid, code, created[cid])
    for cid in started:
        wait_for(lambda: inspect(cid)["State"]["Status"] == "exited", what="end of " + cid)
        assert inspect(cid)["State"]["ExitCode"] == created[cid], (cid, inspect(cid)["State"], created[cid])
    print("%d created, %d started, %d waited for" % (len(created), len(started), len(codes)))


def verify_disk_and_units():
    """What is on disk, what the API lists and what systemd runs are the same set."""
    listed = set(harness.container_ids())
    wait_for(lambda: set(os.listdir("/var/lib/berth/containers")) == listed, what="directories are containers")
    names = {os.readlink("/var/lib/berth/names/" + n) for n in os.listdir("/var/lib/berth/names")}
    assert names == listed, "names and containers differ"
    wait_for(lambda: not os.listdir("/var/lib/berth/trash"), what="trash is empty")
    running = {c for c in listed if inspect(c)["State"]["Status"] == "running"}
    units = run("systemctl", "list-units", "--no-legend", "--plain", "--state=active", "berth@*", "berth-*.scope").out
    active = {line.split()[0] for line in units.splitlines()}
    assert active == {shim_unit(c) for c in running} | {scope_unit(c) for c in running}, active
