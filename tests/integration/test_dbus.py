# SPDX-License-Identifier: LGPL-2.1-or-later
"""org.berth1 on the system bus: the same containers as REST, by busctl."""
import json
import os
import signal

from harness import http, inspect, make_image, run, spawn, systemctl, unit_property, wait_for

BUS = ("busctl", "--json=short", "--timeout=60")
NAME, ROOT, MANAGER, CONTAINER = "org.berth1", "/org/berth1", "org.berth1.Manager", "org.berth1.Container"


def call(path, interface, method, *args, user=None, **kw):
    """busctl call; returns Result (check=None: any exit code)."""
    as_user = ("setpriv", "--reuid=%d" % user[0], "--regid=%d" % user[1], "--clear-groups") if user else ()
    return run(*as_user, *BUS, "call", NAME, path, interface, method, *args, **kw)


def data(result):
    return json.loads(result.out)["data"] if result.out.strip() else None


def prop(path, name, interface=CONTAINER):
    return json.loads(run(*BUS, "get-property", NAME, path, interface, name).out)["data"]


def create(name, *cmd, start=True):
    tag = make_image()
    http("DELETE", "/containers/%s?force=1" % name)
    cid = http("POST", "/containers/create?name=" + name,
               {"Image": tag, "Cmd": list(cmd) or ["sleep", "1000"], "HostConfig": {"NetworkMode": "none"}},
               expect=201).json()["Id"]
    if start:
        http("POST", "/containers/%s/start" % cid, expect=204)
    return cid, "/org/berth1/container/" + cid


def test_manager_lists_and_finds():
    cid, path = create("bus1")
    listed = data(call(ROOT, MANAGER, "ListContainers"))[0]
    mine = [c for c in listed if c[0] == cid]
    assert mine == [[cid, "bus1", make_image(), "running", path]], listed
    for name in ("bus1", cid, cid[:12]):
        assert data(call(ROOT, MANAGER, "GetContainer", "s", name)) == [path]
    assert prop(ROOT, "Containers", MANAGER) == len(listed)
    assert prop(ROOT, "ApiVersion", MANAGER) == http("GET", "/version").json()["ApiVersion"]
    r = call(ROOT, MANAGER, "GetContainer", "s", "nobody-has-this-name", check=None)
    assert r.code != 0 and "No such container: nobody-has-this-name" in r.err, r


def test_container_properties_agree_with_rest_and_units():
    cid, path = create("bus2")
    state = inspect(cid)["State"]
    assert prop(path, "Id") == cid and prop(path, "Name") == "bus2"
    assert prop(path, "State") == "running" and prop(path, "Pid") == state["Pid"]
    assert prop(path, "ExitCode") == -1
    assert unit_property(prop(path, "ScopeUnit"), "ActiveState") == "active"
    assert unit_property(prop(path, "ServiceUnit"), "ActiveState") == "active"
    assert path in run("busctl", "tree", "--list", NAME).out.split()
    managed = data(call(ROOT, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects"))[0]
    assert managed[path][CONTAINER]["Name"]["data"] == "bus2"


def test_life_cycle_over_the_bus():
    cid, path = create("bus3", "sh", "-c", "trap 'exit 7' TERM; while :; do sleep 0.1; done", start=False)
    assert prop(path, "State") == "created" and prop(path, "Pid") == 0 and prop(path, "ExitCode") == -1
    for _ in range(2):      # twice is no error
        call(path, CONTAINER, "Start")
    assert inspect(cid)["State"]["Running"]
    for _ in range(2):
        call(path, CONTAINER, "Stop", "i", "20")
    assert prop(path, "State") == "exited" and prop(path, "ExitCode") == 7 and prop(path, "Pid") == 0
    assert inspect(cid)["State"]["ExitCode"] == 7
    call(ROOT, MANAGER, "StartContainer", "s", "bus3")
    r = call(path, CONTAINER, "Remove", "b", "false", check=None)
    assert r.code != 0 and "stop the container before" in r.err, r
    call(ROOT, MANAGER, "KillContainer", "ss", "bus3", "KILL")
    wait_for(lambda: prop(path, "State") == "exited")
    assert prop(path, "ExitCode") == 137
    r = call(path, CONTAINER, "Kill", "s", "TERM", check=None)
    assert r.code != 0 and "is not running" in r.err, r
    r = call(path, CONTAINER, "Kill", "s", "NOSUCH", check=None)
    assert r.code != 0 and "invalid signal" in r.err, r
    call(ROOT, MANAGER, "RemoveContainer", "sb", "bus3", "false")
    http("GET", "/containers/%s/json" % cid, expect=404)
    assert call(path, CONTAINER, "Start", check=None).code != 0


def test_failing_start_says_why():
    _, path = create("bus4", "/no/such/program", start=False)
    r = call(path, CONTAINER, "Start", check=None)
    assert r.code != 0 and "/no/such/program" in r.err, r
    call(path, CONTAINER, "Remove", "b", "true")


def test_signals_tell_what_happens():
    with spawn(*BUS, "monitor", NAME) as p:
        os.set_blocking(p.stdout.fileno(), False)
        seen, heard = [], []

        def pump():
            for line in (p.stdout.read() or b"").splitlines():
                m = json.loads(line)
                heard.append(m)
                if m.get("type") == "signal":
                    seen.append((m["member"], m["path"], m.get("payload", {}).get("data")))
            return seen
        try:
            # It listens from the moment at which it shows something.
            wait_for(lambda: call(ROOT, "org.freedesktop.DBus.Peer", "Ping") and (pump() or heard))
            cid, path = create("bus5", start=False)
            wait_for(lambda: ("ContainerNew", ROOT, [cid, path]) in pump())
            http("POST", "/containers/%s/start" % cid, expect=204)

            def changed(**want):
                pump()
                values = {}
                for member, where, payload in seen:
                    if member == "PropertiesChanged" and where == path:
                        values.update({k: v["data"] for k, v in payload[1].items()})
                return all(values.get(k) == v for k, v in want.items())
            pid = inspect(cid)["State"]["Pid"]
            wait_for(lambda: changed(State="running", Pid=pid))
            http("POST", "/containers/%s/rename?name=bus5b" % cid, expect=204)
            wait_for(lambda: changed(Name="bus5b"))
            # Not by us at all: systemd stops it.
            systemctl("stop", "berth-%s.scope" % cid)
            wait_for(lambda: changed(State="exited", Pid=0))
            http("DELETE", "/containers/" + cid, expect=204)
            wait_for(lambda: ("ContainerRemoved", ROOT, [cid, path]) in pump())
        finally:
            p.kill()


def test_strangers_are_refused_and_group_berth_passes():
    # Installing into a bed that is up makes directories unreadable for a moment, in which polkitd reads its rules anew.
    systemctl("try-restart", "polkit.service", check=None)
    cid, path = create("bus6")
    nobody = (65534, 65534)
    for args in ((ROOT, MANAGER, "ListContainers"), (ROOT, MANAGER, "KillContainer", "ss", cid, "KILL"),
                 (path, CONTAINER, "Remove", "b", "true"),
                 (path, "org.freedesktop.DBus.Properties", "GetAll", "s", CONTAINER)):
        r = call(*args, user=nobody, check=None)
        assert r.code != 0 and ("Not allowed" in r.err or "authoriz" in r.err.lower() or "authenti" in r.err.lower()), r
    assert inspect(cid)["State"]["Running"]
    run("useradd", "--no-create-home", "--groups", "berth", "bertha", check=None)
    uid = int(run("id", "-u", "bertha").out)
    r = run("setpriv", "--reuid=%d" % uid, "--regid=%d" % uid, "--init-groups", *BUS, "call", NAME, path, CONTAINER, "Kill",
            "s", "KILL")
    wait_for(lambda: not inspect(cid)["State"]["Running"])


def test_bus_starts_the_engine():
    _, path = create("bus7")
    systemctl("stop", "berth.socket", "berth.service")
    try:
        assert prop(path, "State") == "running"
        assert unit_property("berth.service", "ActiveState") == "active"
        pid = int(unit_property("berth.service", "MainPID"))
        os.kill(pid, signal.SIGKILL)
        call(path, CONTAINER, "Stop", "i", "0")
    finally:
        systemctl("start", "berth.socket")


def test_catalog_explains():
    cid, _ = create("bus8", "sh", "-c", "exit 3")
    wait_for(lambda: not inspect(cid)["State"]["Running"])
    run("journalctl", "--sync", check=None)
    out = run("journalctl", "-x", "--no-pager", "CONTAINER_ID_FULL=" + cid).out
    assert "Container bus8 has started" in out and "has ended with status" in out and "3. 128 plus" in out.replace("\n-- ", " "), out
