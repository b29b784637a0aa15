# SPDX-License-Identifier: LGPL-2.1-or-later
"""The shim without an engine: hand-made container directories, `systemctl start berth@ID`."""
import glob
import json
import os
import random
import shutil
import socket
import time

from handmade import Container, Parked, demux, kill_shim, read_all, read_until
from harness import kernel, measures_memory, run, systemctl, timeout, unit_property, wait_for


def test_runs_and_logs():
    c = Container("sh", "-c", "echo out; echo err >&2; printf open; exit 3")
    c.start(check=None)
    r = c.exited()
    assert r["code"] == "3" and r["epoch"] == "1", r
    assert sorted(c.log()) == ["err", "open", "out"]
    entries = c.journal()
    out = next(e for e in entries if e.get("MESSAGE") == "out")
    assert out["CONTAINER_STREAM"] == "stdout" and out["PRIORITY"] == "6", out
    assert out["CONTAINER_ID"] == c.id[:12] and out["CONTAINER_NAME"] == c.name and out["IMAGE_NAME"] == "busybox:test"
    assert out["SYSLOG_IDENTIFIER"] == c.id[:12] and out["OBJECT_SYSTEMD_UNIT"] == c.scope
    err = next(e for e in entries if e.get("MESSAGE") == "err")
    assert err["CONTAINER_STREAM"] == "stderr" and err["PRIORITY"] == "3", err
    opened = next(e for e in entries if e.get("MESSAGE") == "open")
    assert opened["CONTAINER_LINE_OPEN"] == "1" and opened["CONTAINER_PARTIAL_LAST"] == "true", opened
    end = entries[-1]
    assert end["CONTAINER_EVENT"] == "exited" and end["CONTAINER_EXIT_CODE"] == "3", end
    assert int(end["CONTAINER_LOG_LAST_ORDINAL"]) == 3


def test_units_and_cgroups():
    c = Container("sleep", "1000")
    c.start()
    assert c.active() == "active"
    assert unit_property(c.scope, "ActiveState") == "active"
    cg = open("/proc/%d/cgroup" % c.pid()).read()
    assert "/berth.slice/%s/payload" % c.scope in cg, cg
    assert "/berth.slice/%s" % c.unit in open("/proc/%d/cgroup" % c.shim_pid()).read()
    assert open("/proc/%d/oom_score_adj" % c.pid()).read().strip() == "0"
    mounts = open("/proc/1/mounts").read()
    assert c.id not in mounts, "a mount of the container is visible on the host"
    status = open("/proc/%d/status" % c.pid()).read()
    assert "SigIgn:\t0000000000000000" in status, status
    c.stop()
    assert c.exited()["code"] == "137"
    assert not glob.glob("/sys/fs/cgroup/berth.slice/*%s*" % c.id)
    assert not os.path.exists("/run/berth/runtime/" + c.id)


def test_stop_paths():
    trap = "trap 'echo got; exit 7' TERM; echo ready; while :; do sleep 0.1; done"
    for how, policy in (("service", "no"), ("scope", "no"), ("message", "no"), ("service", "always"), ("scope", "always"),
                        ("message", "unless-stopped"), ("service", "unless-stopped"), ("scope", "unless-stopped")):
        c = Container("sh", "-c", trap, restart=policy)
        c.start()
        wait_for(lambda: "ready" in c.log())
        if how == "service":
            c.stop()
        elif how == "scope":
            systemctl("stop", c.scope)
        else:
            c.connect()
            c.request("stop")
            assert c.event("exited")["code"] == "7"
        assert c.exited()["code"] == "7", how
        # systemd signals every process of a scope, so the shell's child may be reported as well.
        assert [m for m in c.log() if m != "Terminated"] == ["ready", "got"], how
        if (how, policy) != ("scope", "no"):
            assert c.records("desired")[-1]["state"] == "stopped", how
        assert len(c.records("started")) == 1


def test_stop_without_handler_is_fast():
    c = Container("sleep", "1000", stop_timeout=30)
    c.start()
    t = time.monotonic()
    c.stop()
    assert time.monotonic() - t < 5
    assert c.exited()["code"] == "137"


def test_stop_timeout_kills():
    c = Container("sh", "-c", "trap '' TERM; trap : INT; echo ready; while :; do sleep 0.1; done", stop_timeout=1)
    c.start()
    wait_for(lambda: "ready" in c.log())
    c.connect()
    t = time.monotonic()
    c.request("stop", signal="INT", timeout=1)
    r = c.event("exited")
    assert r["code"] == "137" and r["signal"] == "9", r
    assert 0.8 < time.monotonic() - t < 5


def test_kill_and_pause():
    c = Container("sh", "-c", "trap 'echo usr1' USR1; trap 'exit 4' TERM; echo ready; while :; do sleep 0.1; done")
    c.start()
    wait_for(lambda: "ready" in c.log())
    c.connect()
    c.request("kill", signal="USR1")
    wait_for(lambda: "usr1" in c.log())
    c.request("pause")
    assert c.event("paused")
    assert c.request("hello")["status"] == "paused"
    c.request("pause", check=None)
    c.request("unpause")
    assert c.event("unpaused")
    c.request("pause")
    c.request("stop")
    assert c.event("exited")["code"] == "4"
    c.wait_over()


def test_attach_wait_and_input():
    with Parked() as engine:
        c = Container("cat", stdin=True)
        c.start(block=False)
        engine.serve(c)
        client = c.attach(early=b"early\n", stdin=1)
        nextexit = c.waiter("next-exit")
        engine.go(c)
        assert c.event("started")["epoch"] == "1"
        read_until(client, b"early\n")
        client.sendall(b"hello\n")
        read_until(client, b"hello\n")
        big = os.urandom(1000) * 2000
        got = bytearray()
        import threading
        t = threading.Thread(target=lambda: (client.sendall(big), client.shutdown(socket.SHUT_WR)))
        t.start()
        got = demux(read_all(client))
        t.join()
        assert got[1] == big and not got[2], len(got[1])
        assert b'{"StatusCode":0}\n' in read_all(nextexit)
        assert c.event("exited")["code"] == "0"
        c.wait_over()


def test_output_before_exit_is_complete():
    with Parked() as engine:
        c = Container("sh", "-c", "seq 1 20000; seq 1 10 >&2")
        c.start(block=False)
        engine.serve(c)
        clients = [c.attach(), c.attach(stderr=0), c.attach(mux=0, stdout=0)]
        # A docker client without -i shuts its writing side down at once.
        for x in clients:
            x.shutdown(socket.SHUT_WR)
        engine.go(c)
        import threading
        out = [None] * 3

        def reader(i):
            out[i] = read_all(clients[i])
        threads = [threading.Thread(target=reader, args=(i,)) for i in range(3)]
        [t.start() for t in threads]
        [t.join() for t in threads]
        want = b"".join(b"%d\n" % i for i in range(1, 20001))
        err = b"".join(b"%d\n" % i for i in range(1, 11))
        assert demux(out[0]) == {1: want, 2: err}
        assert demux(out[1]) == {1: want, 2: b""}
        assert out[2] == err
        c.exited()
        assert len(c.log("stdout")) == 20000


def test_terminal():
    with Parked() as engine:
        c = Container("sh", tty=True, stdin=True, console_height=33, console_width=111)
        c.start(block=False)
        engine.serve(c)
        t = c.attach(stdin=1, mux=0)
        engine.go(c)
        t.sendall(b"stty size; echo MARK\n")
        out = read_until(t, b"\nMARK")
        assert b"33 111" in out, out
        c.request("resize", height=20, width=50)
        t.sendall(b"stty size; echo MA''RK2\n")
        out = read_until(t, b"MARK2")
        assert b"20 50" in out, out
        # A second client detaches, the first goes on.
        d = c.attach(stdin=1, mux=0)
        d.sendall(b"\x10")
        d.sendall(b"\x11")
        assert read_all(d) is not None
        t.sendall(b"exit 9\n")
        read_all(t)
        assert c.exited()["code"] == "9"
        assert any(m.endswith("\r") for m in c.log())


def test_exec():
    c = Container("sleep", "1000")
    c.start()
    c.connect()
    eid, s = c.exec("sh", "-c", "cat; echo err >&2; exit 5", stdin=1)
    s.sendall(b"through\n")
    s.shutdown(socket.SHUT_WR)
    out = demux(read_all(s))
    assert out == {1: b"through\n", 2: b"err\n"}, out
    assert c.exec_code(eid) == "5"
    assert c.event("exec-started")["exec-id"] == eid
    assert c.event("exec-exited")["code"] == "5"
    eid, s = c.exec("sh", tty=True, stdin=1, height=12, width=34)
    s.sendall(b"stty size; exit 6\n")
    assert b"12 34" in read_all(s)
    assert c.exec_code(eid) == "6"
    for i in range(20):
        eid, s = c.exec("true")
        assert read_all(s) == b""
        assert c.exec_code(eid) == "0"
    c.stop()


def test_exec_missing_command():
    c = Container("sleep", "1000")
    c.start()
    c.connect()
    eid = "bad"
    with open("%s/exec/%s.json" % (c.run, eid), "w") as f:
        json.dump({"args": ["/no/such"], "cwd": "/", "env": ["PATH=/bin"], "user": {"uid": 0, "gid": 0}}, f)
    ours, theirs = socket.socketpair()
    ours.settimeout(15)
    r = c.request("exec", fds=[theirs], check=None, exec_id=eid, tty=0, stdin=0, stdout=1, stderr=1, mux=1, detach=0)
    theirs.close()
    assert r["errno"] == "2", r
    assert b"/no/such" in demux(read_all(ours))[1]
    assert c.exec_code(eid) == "127"
    c.stop()


def test_start_failures():
    for args, code, text in ((("/no/such",), 127, "no such file or directory"), (("nosuch",), 127, "executable file not found in $PATH"),
                             (("/etc",), 126, "permission denied")):
        c = Container(*args)
        assert c.start(check=None).code != 0
        r = c.records("start-failed")[-1]
        assert int(r["code"]) == code and text in r["message"], r
        c.wait_over()
        assert not os.path.exists("/run/berth/runtime/" + c.id)
        wait_for(lambda: unit_property(c.scope, "ActiveState") == "inactive")
    c = Container("true", user="nobody-here")
    c.start(check=None)
    r = c.records("start-failed")[-1]
    assert "unable to find user nobody-here: no matching entries in passwd file" in r["message"], r
    c = Container("true", lower="missing")
    c.start(check=None)
    assert "missing" in c.records("start-failed")[-1]["message"]


def test_users():
    show = "echo $(id -u) $(id -g) $(id -G) $HOME"
    for user, want in (("", "0 0 0 /root"), ("joe", "1000 1001 1001 2000 /home/joe"), ("1000", "1000 1001 1001 2000 /home/joe"),
                       ("joe:extra", "1000 2000 2000 /home/joe"), ("4242:4343", "4242 4343 4343 /")):
        c = Container("sh", "-c", show, user=user)
        c.start(check=None)
        c.exited()
        assert c.log() == [want], (user, c.log())
    c = Container("id", "-G", group_add="extra")
    c.start(check=None)
    c.exited()
    assert c.log() == ["0 2000"], c.log()


def test_cwd_is_made():
    c = Container("pwd", cwd="/a/new/place")
    c.start(check=None)
    c.exited()
    assert c.log() == ["/a/new/place"]


def test_auto_remove():
    with Parked() as engine:
        c = Container("sh", "-c", "exit 42", auto_remove=1)
        os.makedirs("/var/lib/berth/names", exist_ok=True)
        os.symlink(c.id, "/var/lib/berth/names/" + c.name)
        c.start(block=False)
        engine.serve(c)
        w = c.waiter("removed")
        engine.go(c)
        assert b'{"StatusCode":42}\n' in read_all(w)
        assert not os.path.exists(c.dir)
        assert not os.path.lexists("/var/lib/berth/names/" + c.name)
        assert c.event("exited")["code"] == "42"
        assert c.event("removed")
        c.wait_over()
        assert not glob.glob("/var/lib/berth/trash/%s*" % c.id)
        assert not os.path.exists(c.run)


def test_restart_policy():
    c = Container("sh", "-c", "echo run; exit 1", restart="on-failure", restart_max=2)
    c.start(check=None)
    wait_for(lambda: len(c.records("exited")) == 3, 20)
    c.wait_over()
    assert len(c.records("started")) == 3
    assert [r["epoch"] for r in c.records("exited")] == ["1", "2", "3"]
    assert c.log() == ["run"] * 3
    c = Container("sh", "-c", "sleep 0.1", restart="always")
    c.start(check=None)
    wait_for(lambda: len(c.records("exited")) >= 2, 20)
    c.stop()
    n = len(c.records("started"))
    time.sleep(1)
    assert len(c.records("started")) == n
    assert c.active() == "inactive"


def test_status_75_is_not_a_restart():
    c = Container("sh", "-c", "exit 75")
    c.start(check=None)
    assert c.exited()["code"] == "75"
    time.sleep(0.5)
    assert len(c.records("started")) == 1


# --- kill -9 of the shim -----------------------------------------------------------------------------------

def after_kill(code):
    """What a shim that was killed in between can learn of an exit: kernels before 6.15 tell only the parent."""
    return code if kernel(6, 15) else "unknown"


@timeout(120)
def test_kill_shim_while_logging():
    c = Container("sh", "-c", "i=0; while [ $i -lt 30000 ]; do echo line $i; i=$((i+1)); [ $((i % 100)) = 0 ] && sleep 0.01; done; exit 33")
    c.start()
    for _ in range(5):
        time.sleep(random.uniform(0.05, 0.4))
        if c.records("exited"):
            break
        kill_shim(c)
    r = c.exited(60)
    assert r["code"] == after_kill("33"), r
    log = c.log()
    assert log == ["line %d" % i for i in range(30000)], "%d lines" % len(log)
    assert len(c.records("started")) == 1


def test_kill_shim_sessions_go_on():
    c = Container("cat", stdin=True)
    c.start()
    c.connect()
    a = c.attach(stdin=1)
    w = c.waiter("not-running")
    eid, x = c.exec("sh", "-c", "cat; exit 8", stdin=1)
    _, t = c.exec("sh", tty=True, stdin=1)
    a.sendall(b"one\n")
    read_until(a, b"one\n")
    x.sendall(b"uno\n")
    read_until(x, b"uno\n")
    time.sleep(0.5)
    kill_shim(c)
    a.sendall(b"two\n")
    read_until(a, b"two\n")
    x.sendall(b"due\n")
    read_until(x, b"due\n")
    x.shutdown(socket.SHUT_WR)
    read_all(x)
    assert c.exec_code(eid) == after_kill("8")
    t.sendall(b"echo al''ive; exit 2\n")
    assert b"alive" in read_all(t)
    c.connect()
    assert c.request("hello")["status"] == "running"
    a.shutdown(socket.SHUT_WR)
    read_all(a)
    end = read_all(w)
    if after_kill("0") == "0":
        assert b'{"StatusCode":0}' in end, end
    else:
        assert b'"Error"' in end and b'"StatusCode":0' not in end, end
    assert c.exited()["code"] == after_kill("0")
    assert any(e.get("CONTAINER_EVENT") == "shim-resumed" for e in c.journal())


def test_kill_shim_then_payload_dies_by_signal():
    c = Container("sleep", "1000")
    c.start()
    kill_shim(c)
    os.kill(c.pid(), 9)
    r = c.exited()
    assert r["code"] == after_kill("137") and r.get("signal") == ("9" if r["code"] == "137" else None), r


def test_kill_shim_in_start():
    for _ in range(15):
        c = Container("sleep", "1000")
        c.start(block=False)
        time.sleep(random.uniform(0.001, 0.04))
        pid = c.shim_pid()
        if pid:
            os.kill(pid, 9)
            # Until systemd has noticed, the unit looks as it did before.
            wait_for(lambda: c.shim_pid() != pid, 15, "the end of the shim")
        wait_for(lambda: c.active() == "active", 15, "the start to succeed in the end")
        wait_for(lambda: c.records("started"))
        c.stop()
        assert c.exited()["code"] in ("137", after_kill("137"))


# --- volume ------------------------------------------------------------------------------------------------

@timeout(180)
def test_journal_rate():
    n = 10000 if os.environ.get("BED_KIND") == "vm" else 200000
    c = Container("sh", "-c", "yes 012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678 | head -n %d" % n)
    t = time.monotonic()
    c.start(check=None)
    c.exited(120)
    print("# %d lines in %.2f s" % (n, time.monotonic() - t))
    run("journalctl", "--sync", timeout=60)
    out = run("journalctl", "-o", "json", "--output-fields=CONTAINER_LOG_ORDINAL", "CONTAINER_STREAM=stdout",
              "CONTAINER_ID_FULL=" + c.id, timeout=120).out
    ordinals = {int(json.loads(line)["CONTAINER_LOG_ORDINAL"]) for line in out.splitlines()}
    assert ordinals == set(range(1, n + 1)), len(ordinals)


def test_long_lines():
    c = Container("sh", "-c", "head -c 40000 /dev/zero | tr '\\0' x; echo end; head -c 16384 /dev/zero | tr '\\0' y; echo")
    c.start(check=None)
    c.exited()
    e = [x for x in c.journal() if "CONTAINER_STREAM" in x]
    assert [len(x["MESSAGE"]) for x in e] == [16384, 16384, 40003 - 32768, 16384]
    assert [x.get("CONTAINER_PARTIAL_ORDINAL") for x in e] == ["1", "2", "3", None]
    assert [x.get("CONTAINER_PARTIAL_LAST") for x in e] == ["false", "false", "true", None]
    assert len({x["CONTAINER_PARTIAL_ID"] for x in e[:3]}) == 1


@measures_memory
def test_memory_of_shims():
    cs = [Container("sleep", "1000") for _ in range(20)]
    for c in cs:
        c.start(block=False)
    wait_for(lambda: all(c.active() == "active" for c in cs), 30)
    time.sleep(1)
    pss, rss = [], []
    for c in cs:
        text = open("/proc/%d/smaps_rollup" % c.shim_pid()).read()
        values = {line.split(":")[0]: int(line.split()[1]) for line in text.splitlines()[1:]}
        pss.append(values["Pss"])
        rss.append(values["Rss"])
    print("# shim PSS %d KB, RSS %d KB (medians of %d)" % (sorted(pss)[10], sorted(rss)[10], len(cs)))
    for c in cs:
        systemctl("stop", "--no-block", c.unit)
    for c in cs:
        c.wait_over()
    assert sorted(pss)[10] <= 300, pss


def test_slow_client_is_dropped():
    c = Container("sh", "-c", "head -c 4000000 /dev/zero | tr '\\0' x; echo; sleep 1000")
    with Parked() as engine:
        c.start(block=False)
        engine.serve(c)
        lazy = c.attach(stderr=0)
        engine.go(c)
        c.event("started")
        wait_for(lambda: any(e.get("CONTAINER_EVENT") == "client-dropped" for e in
                             c.journal("CONTAINER_EVENT=client-dropped")), 25, "the lazy client's end")
        lazy.close()
    c.stop()


# --- boot --------------------------------------------------------------------------------------------------

def test_generator():
    want = Container("sleep", "1000", restart="unless-stopped")
    stopped = Container("sleep", "1000", restart="unless-stopped")
    always = Container("sleep", "1000", restart="always")
    fresh = Container("sleep", "1000", restart="always")
    no = Container("sleep", "1000")
    for c in (want, stopped, always, no):
        c.append(type="desired", at=2, state="running")
        c.append(type="started", at=3, pid=1, epoch=1, boot="old")
    for c in (stopped, always):
        c.append(type="exited", at=4, code=0, oom=0, epoch=1)
        c.append(type="desired", at=4, state="stopped")
    out = "/tmp/generated"
    shutil.rmtree(out, ignore_errors=True)
    os.mkdir(out)
    generator = "/usr/lib/systemd/system-generators/berth-generator"
    run(generator, out, out, out)
    wants = set(os.listdir(out + "/multi-user.target.wants"))
    assert {want.unit, always.unit} <= wants, wants
    assert not {stopped.unit, fresh.unit, no.unit} & wants, wants
    run(generator, "--start")
    wait_for(lambda: want.active() == "active" and always.active() == "active", 20)
    assert no.active() == "inactive"
    # What ran before the power went is recorded as such, never as a success.
    assert want.records("exited")[-1]["code"] == "unknown"
    assert want.records("started")[-1]["epoch"] == "2"
    for c in (want, always):
        c.stop()
