# SPDX-License-Identifier: LGPL-2.1-or-later
"""A container as a systemd service: readiness and socket activation go through the runtime to the payload."""
import json
import os
import shutil
import socket
import subprocess
import tempfile

from bundle import ROOT, RUNTIME, TOP, Bundle, end_tests, rt, start_tests
from harness import run, systemctl, unit_property, wait_for


def setup():
    start_tests()


def teardown():
    end_tests()


NOTIFY = "import os,socket,sys,time\ns=socket.socket(socket.AF_UNIX,socket.SOCK_DGRAM)\n" \
         "s.sendto(sys.argv[1].encode().decode('unicode_escape').encode(),os.environ['NOTIFY_SOCKET'])\ntime.sleep(float(sys.argv[2]))\n"


def with_python(b):
    """The payload needs a program that can send a datagram: the bed's own /usr, read-only."""
    for d in ("usr", "lib", "lib64"):
        os.makedirs(b.rootfs + "/" + d, exist_ok=True)
        if os.path.islink("/" + d):
            os.rmdir(b.rootfs + "/" + d)
            os.symlink(os.readlink("/" + d), b.rootfs + "/" + d)
    b.config["mounts"].append({"destination": "/usr", "type": "bind", "source": "/usr", "options": ["rbind", "ro"]})
    return b


def listener():
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    path = tempfile.mktemp(dir=TOP)
    s.bind(path)
    s.settimeout(10)
    return s, path


def quiet(*args, env=None):
    """The payload keeps the output of `create` open: nobody may read it to its end."""
    subprocess.run([RUNTIME, "--root", ROOT, *args], env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL, check=True, timeout=20)


def notifier(text, seconds="1000"):
    b = with_python(Bundle("/usr/bin/python3", "-c", NOTIFY, text, seconds))
    b.process["env"].append("PYTHONDONTWRITEBYTECODE=1")
    return b.save()


def test_start_waits_for_ready_and_hands_on_nothing_else():
    host, path = listener()
    b = notifier("STATUS=evil\\nREADY=1\\nWATCHDOG=trigger")
    env = {**os.environ, "NOTIFY_SOCKET": path}
    quiet("create", "--bundle", b.path, b.id, env=env)
    rt("start", b.id, env=env)
    pid = json.loads(rt("state", b.id).out)["pid"]
    got = host.recv(4096).decode().split("\n")
    assert got == ["MAINPID=%d" % pid, "READY=1"], got
    rt("delete", "--force", b.id)
    assert not os.path.exists(ROOT + "/" + b.id)


def test_start_returns_when_the_payload_dies_unready():
    host, path = listener()
    host.settimeout(0.2)
    b = notifier("READY=0", "0")
    env = {**os.environ, "NOTIFY_SOCKET": path}
    quiet("create", "--bundle", b.path, b.id, env=env)
    rt("start", b.id, env=env, timeout=10)
    try:
        raise AssertionError(host.recv(100))
    except socket.timeout:
        pass
    rt("delete", "--force", b.id)


def test_run_in_the_foreground_tells_readiness_only():
    host, path = listener()
    b = notifier("READY=1", "0")
    rt("run", "--bundle", b.path, b.id, env={**os.environ, "NOTIFY_SOCKET": path})
    assert host.recv(4096) == b"READY=1"


def test_last_words_are_heard():
    """Of a payload that has come and gone before anybody waits for it."""
    host, path = listener()
    env = {**os.environ, "NOTIFY_SOCKET": path}
    b = notifier("READY=1", "0")
    b.config["hooks"] = {"poststart": [{"path": "/bin/sleep", "args": ["sleep", "0.5"]}]}
    b.save()
    rt("run", "--bundle", b.path, b.id, env=env)
    assert host.recv(4096) == b"READY=1"
    quiet("run", "--detach", "--bundle", b.path, b.id, env=env)
    assert b"READY=1" in host.recv(4096)
    rt("delete", "--force", b.id)
    quiet("create", "--bundle", b.path, b.id, env=env)
    rt("start", b.id, env=env)
    assert b"READY=1" in host.recv(4096)
    rt("delete", "--force", b.id)


def test_no_notify_socket_no_mount():
    b = Bundle()
    env = {k: v for k, v in os.environ.items() if k != "NOTIFY_SOCKET"}
    r = b.sh("env; mount", env=env)
    assert "NOTIFY_SOCKET" not in r.out and "/run/notify" not in r.out


def test_listen_fds_arrive():
    """As systemd does it: fd 3, LISTEN_PID our pid."""
    b = Bundle()
    b.process["args"] = ["sh", "-c", "echo $LISTEN_FDS $LISTEN_PID $$ $LISTEN_FDNAMES; cat <&3; ls /proc/self/fd | wc -l"]
    b.save()
    with open(TOP + "/three", "w") as f:
        f.write("through three\n")
    script = "exec 3<%s; export LISTEN_FDS=1 LISTEN_FDNAMES=web LISTEN_PID=$$; exec %s --root %s run --bundle %s %s" % (
        TOP + "/three", RUNTIME, ROOT, b.path, b.id)
    out = run("sh", "-c", script).out.split("\n")
    assert out[0] == "1 1 1 web", out
    assert out[1] == "through three"
    assert out[2] == "5", out  # 0, 1, 2, 3 and the directory itself


def test_listen_fds_of_somebody_else_are_not_taken():
    b = Bundle("env")
    b.save()
    script = "exec 3</dev/null; export LISTEN_FDS=1 LISTEN_PID=1; exec %s --root %s run --bundle %s %s" % (RUNTIME, ROOT, b.path, b.id)
    assert "LISTEN" not in run("sh", "-c", script).out


def test_listen_fds_that_are_not_open_are_told():
    b = Bundle()
    b.process["args"] = ["sh", "-c", "echo $LISTEN_FDS $LISTEN_PID; ls /proc/self/fd | wc -l"]
    b.save()
    r = rt("run", "--bundle", b.path, b.id, env={**os.environ, "LISTEN_FDS": "3"})
    assert "LISTEN_FDS" in r.err and "descriptor 5" in r.err, r
    assert r.out.split() == ["3", "1", "4"], r  # nothing of ours took their place
    r = rt("run", "--bundle", b.path, b.id, env={**os.environ, "LISTEN_FDS": "x"}, check=1)
    assert "LISTEN_FDS" in r.err and not os.path.exists(ROOT + "/" + b.id), r


def test_as_a_service_of_systemd():
    """Type=notify: the service is active only when the payload says so, and its main process is the payload."""
    b = notifier("READY=1")
    unit = "/run/systemd/system/berth-activation-test.service"
    with open(unit, "w") as f:
        f.write("[Service]\nType=notify\nKillSignal=SIGKILL\nNotifyAccess=all\nStandardInput=null\nDelegate=yes\n"
                "ExecStart=%s --root %s run --detach --bundle %s %s\nExecStopPost=%s --root %s delete --force %s\n"
                % (shutil.which(RUNTIME), ROOT, b.path, b.id, shutil.which(RUNTIME), ROOT, b.id))
    try:
        systemctl("daemon-reload")
        systemctl("start", "berth-activation-test.service")
        assert unit_property("berth-activation-test.service", "ActiveState") == "active"
        pid = int(unit_property("berth-activation-test.service", "MainPID"))
        with open("/proc/%d/cmdline" % pid) as f:
            assert "python3" in f.read()
        systemctl("stop", "berth-activation-test.service")
        wait_for(lambda: not os.path.exists(ROOT + "/" + b.id), 10)
    finally:
        run("systemctl", "kill", "-s", "KILL", "berth-activation-test.service", check=None)
        os.unlink(unit)
        systemctl("daemon-reload")
