# SPDX-License-Identifier: LGPL-2.1-or-later
"""The shim when something else is broken: the journal, the runtime, a client, netd, or the shim itself, at bad moments."""
import os
import signal
import socket
import stat
import time

from harness import run, systemctl, timeout, unit_property, wait_for
from handmade import Container, Parked, demux, kill_shim, read_all, read_until

JOURNAL = "/run/systemd/journal/socket"


def journald():
    return int(unit_property("systemd-journald.service", "MainPID"))


def runtime(name, text):
    """A runtime of our own making in front of the real one."""
    path = "/usr/local/bin/" + name
    with open(path, "w") as f:
        f.write("#!/bin/sh\n" + text)
    os.chmod(path, stat.S_IRWXU | stat.S_IRGRP | stat.S_IXGRP | stat.S_IROTH | stat.S_IXOTH)
    return path


REAL = Container.__init__.__globals__["RUNTIME"]


def test_words_of_a_failed_create_are_no_output():
    noisy = runtime("noisy-runtime", 'echo on-stdout; echo on-stderr >&2\nexec %s "$@"\n' % REAL)
    with Parked() as engine:
        c = Container("/no/such", runtime=noisy)
        c.start(block=False)
        engine.serve(c)
        a = c.attach()
        a.shutdown(socket.SHUT_WR)
        assert read_all(a) == b""
    c.wait_over()
    assert c.records("start-failed")
    assert c.log() == []


def test_words_of_a_failed_exec_come_once():
    noisy = runtime("noisy-runtime", '[ "$7" = exec ] || [ "$5" = exec ] && { echo said-by-runtime; sleep 0.2; }\nexec %s "$@"\n' % REAL)
    c = Container("sleep", "100", runtime=noisy)
    c.start()
    c.connect()
    eid, x = c.exec("/no/such", check=None)
    out = demux(read_all(x))
    assert b"said-by-runtime" not in out[1] and out[1].count(b"OCI runtime exec failed") == 1, out
    assert c.exec_code(eid) == "127"
    c.stop()


@timeout(120)
def test_exit_does_not_wait_for_a_hung_journal():
    c = Container("sh", "-c", "read x; yes 0123456789012345678901234567890123456789 | dd bs=1000 count=100000 2>/dev/null & sleep 1.5; exit 3", stdin=True)
    c.start()
    c.connect()
    a = c.attach(stdin=1, stdout=0, stderr=0)
    w = c.waiter("not-running")
    w.settimeout(40)
    pid = journald()
    os.kill(pid, signal.SIGSTOP)
    try:
        a.sendall(b"go\n")
        start = time.monotonic()
        assert b'{"StatusCode":3}' in read_all(w)
        assert time.monotonic() - start < 25
        assert c.records("exited")[-1]["code"] == "3"
    finally:
        os.kill(pid, signal.SIGCONT)
    c.wait_over()


@timeout(120)
def test_journal_socket_is_missing_or_new():
    away = JOURNAL + ".away"
    c = Container("sh", "-c", "while read x; do echo got $x; done; exit 4", stdin=True)
    c.start()
    c.connect()
    a = c.attach(stdin=1)

    def say(word):
        a.sendall(word + b"\n")
        read_until(a, b"got " + word + b"\n")

    say(b"one")
    time.sleep(0.5)
    # The socket in the shim's hand is dead, and there is none of that name.
    systemctl("stop", "systemd-journald.service", "systemd-journald.socket", "systemd-journald-dev-log.socket",
              "systemd-journald-audit.socket", check=None)
    gone = not os.path.exists(JOURNAL)
    if not gone:
        os.rename(JOURNAL, away)
    try:
        say(b"two")
        say(b"three")
        kill_shim(c)
        say(b"four")
        d = Container("sh", "-c", "exit 6")
        d.start(check=None)
        assert d.exited()["code"] == "6"
    finally:
        if not gone:
            os.rename(away, JOURNAL)
        systemctl("start", "systemd-journald.socket", "systemd-journald-dev-log.socket", "systemd-journald.service")
    say(b"five")
    a.shutdown(socket.SHUT_WR)
    read_all(a)
    assert c.exited()["code"] == "4"
    messages = [e.get("MESSAGE") for e in c.journal()]
    assert "got one" in messages and "got five" in messages, messages
    assert any(e.get("CONTAINER_EVENT") == "exited" for e in c.journal())


def test_killed_in_a_stop():
    c = Container("sh", "-c", "trap : TERM; while :; do sleep 1; done", stop_timeout=3)
    c.start()
    time.sleep(0.3)
    c.connect()
    c.request("stop")
    kill_shim(c)
    assert c.exited(15)["code"] == "137"


def test_killed_after_the_exit():
    """The payload is reaped, its output is not yet drained: the successor has nobody to ask for the code."""
    c = Container("sh", "-c", "read x; yes | dd bs=1000 count=4000 2>/dev/null; exit 9", stdin=True)
    c.start()
    c.connect()
    a = c.attach(stdin=1, stdout=1)
    w = c.waiter("not-running")
    a.sendall(b"go\n")
    # Nobody reads `a`: it is full after 1 MB, and the shim waits for it with the rest.
    eid, x = c.exec("true")
    time.sleep(1)
    os.kill(c.pid(), 9)
    time.sleep(0.3)
    assert not c.records("exited")
    kill_shim(c)
    assert b'{"StatusCode":137}' in read_all(w)
    r = c.exited()
    assert r["code"] == "137" and r["signal"] == "9", r


def test_killed_before_a_restart():
    c = Container("sh", "-c", "exit 5", restart="on-failure", restart_max=2)
    c.start(check=None)
    wait_for(lambda: len(c.records("exited")) >= 2, 15)
    pid = c.shim_pid()
    if pid:
        os.kill(pid, 9)
    wait_for(lambda: len(c.records("started")) == 3, 20, "the second restart")
    c.wait_over()
    assert [r.get("restarts", "0") for r in c.records("exited")][:2] == ["1", "2"], c.records("exited")
    assert len(c.records("started")) == 3


@timeout(90)
def test_client_that_reads_nothing_at_the_end():
    """Less than a full buffer and no more output: it must not hold the unit for ever."""
    c = Container("sh", "-c", "read x; dd if=/dev/zero bs=1000 count=600 2>/dev/null; exit 0", stdin=True)
    c.start()
    c.connect()
    a = c.attach(stdin=1)
    a.sendall(b"go\n")
    assert c.exited(25)["code"] == "0"
    a.close()


def test_clients_that_leave_their_input_behind():
    c = Container("sh", "-c", "sleep 2; cat >/dev/null", stdin=True, stdin_once=0)
    c.start()
    c.connect()
    for _ in range(2):
        for i in range(100):
            c.attach(stdin=1, stdout=0, stderr=0, early=b"x" * 50000).close()
        time.sleep(3)
    c.stop()


def test_stop_in_the_middle_of_a_start():
    slow = runtime("slow-runtime", 'case " $* " in *" create "*) sleep 1;; esac\nexec %s "$@"\n' % REAL)
    c = Container("sleep", "100", runtime=slow)
    c.start(block=False)
    time.sleep(0.3)
    start = time.monotonic()
    c.stop()
    assert time.monotonic() - start < 15
    c.wait_over()
    assert c.records("desired")[-1]["state"] == "stopped"
    wait_for(lambda: unit_property(c.scope, "ActiveState") == "inactive")
    assert not os.path.exists("/run/berth/runtime/" + c.id)


def test_network_of_an_ended_container_is_not_joined():
    c = Container("sh", "-c", "exit 1", restart="always")
    c.start(check=None)
    wait_for(lambda: len(c.records("exited")) >= 4, 20)  # by now the delay is 800 ms
    d = Container("true", network="container:" + c.id)
    n = len(c.records("started"))
    d.start(check=None)
    if len(c.records("started")) == n:
        assert "non running" in d.records("start-failed")[-1]["message"]
    c.stop()


def test_netd_dies_over_an_attach():
    systemctl("start", "berth-netd.service")
    netd = int(unit_property("berth-netd.service", "MainPID"))
    os.kill(netd, signal.SIGSTOP)
    c = Container("sleep", "100", network="bridge")
    c.start(block=False)
    time.sleep(0.5)
    assert c.active() == "activating"
    os.kill(netd, 9)
    wait_for(lambda: c.records("started") or c.records("start-failed"), 15)
    assert c.records("started"), c.records()
    c.stop()


def test_full_disk_at_the_exit():
    """The records of the end find the room that was taken for them at the start."""
    c = Container("sh", "-c", "trap 'exit 5' TERM; while :; do sleep 0.1; done")
    run("mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", "/mnt")
    run("cp", "-a", c.dir + "/.", "/mnt")
    run("mount", "--bind", "/mnt", c.dir)
    try:
        # `started` ends within a hundred bytes before a page's end, the next record begins a new one.
        while os.path.getsize(c.dir + "/state.log") < 4096 - 250:
            c.append(type="note", at=1)
        c.start()
        while os.path.getsize(c.dir + "/state.log") < 4096 - 30:
            c.append(type="note", at=1)
        run("dd", "if=/dev/zero", "of=%s/fill" % c.dir, "bs=4096", check=None)
        assert os.statvfs(c.dir).f_bavail == 0
        c.stop()
        assert c.exited()["code"] == "5"
        assert c.records("desired")[-1]["state"] == "stopped"
    finally:
        run("umount", c.dir)
        run("umount", "/mnt")
        c.append(type="exited", at=1, code=5)
