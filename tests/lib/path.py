# SPDX-License-Identifier: LGPL-2.1-or-later
"""The path every client and every runtime must walk alike, as checks that take a client.

tests/integration/test_path_*.py turn these into tests: the real docker client, berth's own client, and
the same with a peer runtime.
"""
import json
import os
import re
import shutil
import signal
import tempfile

import harness
from harness import Pty, run, wait_for

DEFAULT_CAPS = 0xa80425fb
NET_ADMIN = 1 << 12
LOOP = "while :; do sleep 0.05; done"


class Client:
    """A command line (docker or berth), with options for its run and create."""

    def __init__(self, program, *run_options):
        self.program, self.run_options, self.count = program, run_options, 0

    def __call__(self, *args, **kw):
        return run(self.program, *args, **kw)

    def run(self, *args, **kw):
        return self("run", *self.run_options, *args, **kw)

    def name(self):
        """A fresh container name."""
        self.count += 1
        return "%s-%d-%d" % (self.program, os.getpid(), self.count)

    def detached(self, *args):
        """run -d with a fresh name; returns the name."""
        name = self.name()
        self.run("-d", "--name", name, *args)
        return name

    def pty(self, *args, **kw):
        return Pty(self.program, *args, **kw)

    def run_pty(self, *args, **kw):
        return Pty(self.program, "run", *self.run_options, *args, **kw)


def status(name):
    """State.Status by the API."""
    return harness.inspect(name)["State"]["Status"]


def exit_code(name):
    """State.ExitCode by the API."""
    return harness.inspect(name)["State"]["ExitCode"]


def wait_status(name, word, timeout=10):
    wait_for(lambda: status(name) == word, timeout, "%s is %s" % (name, word))


# --- run -------------------------------------------------------------------------------------------------

def check_run_output_and_exit_code(c):
    r = c.run("--rm", "busybox", "sh", "-c", "echo out; echo err >&2; exit 7", check=7)
    assert (r.out, r.err) == ("out\n", "err\n"), r


def check_run_leaves_nothing_with_rm(c):
    before = set(harness.container_ids())
    c.run("--rm", "busybox", "true")
    # One of the test before may still be on its way out.
    wait_for(lambda: set(harness.container_ids()) <= before, what="container removed")


def check_run_stdin(c):
    data = "".join("line %d\n" % i for i in range(20000))
    r = c.run("-i", "--rm", "busybox", "cat", input=data)
    assert r.out == data, "%d of %d bytes came back" % (len(r.out), len(data))


def check_run_without_stdin_sees_eof(c):
    assert c.run("--rm", "busybox", "cat").out == ""


def check_run_env_workdir_user(c):
    r = c.run("--rm", "-e", "A=b c", "-w", "/var/tmp", "-u", "1000:50", "busybox", "sh", "-c",
              'echo "$A|$PWD|$(id -u):$(id -g)"')
    assert r.out == "b c|/var/tmp|1000:50\n", r
    r = c.run("--rm", "-u", "user", "busybox", "sh", "-c", 'echo "$(id -u):$(id -g):$HOME"')
    assert r.out == "1000:1000:/home\n", r
    r = c.run("--rm", "busybox", "sh", "-c", 'echo "$HOME"')
    assert r.out == "/root\n", r


def check_run_entrypoint(c):
    assert c.run("--rm", "--entrypoint", "/bin/echo", "busybox", "a", "b").out == "a b\n"


def check_run_hostname(c):
    assert c.run("--rm", "--hostname", "some-host", "busybox", "hostname").out == "some-host\n"
    name = c.detached("busybox", "sleep", "1000")
    assert c("exec", name, "hostname").out.strip() == harness.inspect(name)["Id"][:12]
    c("rm", "-f", name)


def check_run_bind_mount(c):
    d = tempfile.mkdtemp(dir="/var/tmp")
    try:
        c.run("--rm", "-v", d + ":/mnt", "busybox", "sh", "-c", "echo x >/mnt/f")
        with open(d + "/f") as f:
            assert f.read() == "x\n"
        r = c.run("--rm", "-v", d + ":/mnt:ro", "busybox", "sh", "-c", "cat /mnt/f; echo y >/mnt/f", check=1)
        assert r.out == "x\n" and "Read-only" in r.err, r
    finally:
        shutil.rmtree(d)


def check_run_tmpfs(c):
    r = c.run("--rm", "--tmpfs", "/scratch:size=1m,mode=1770", "busybox", "sh", "-c",
              "grep ' /scratch ' /proc/mounts; stat -c %a /scratch")
    assert r.out.startswith("tmpfs /scratch tmpfs") and "size=1024k" in r.out and r.out.endswith("1770\n"), r


def check_run_read_only(c):
    r = c.run("--rm", "--read-only", "busybox", "touch", "/x", check=1)
    assert "Read-only file system" in r.err, r


def _caps(c, *options):
    out = c.run("--rm", *options, "busybox", "grep", "-E", "^Cap(Eff|Inh|Bnd|Amb)", "/proc/self/status").out
    return {k: int(v, 16) for k, v in re.findall(r"^Cap(\w+):\s*([0-9a-f]+)$", out, re.M)}


def check_capabilities(c):
    caps = _caps(c)
    assert caps["Eff"] == caps["Bnd"] == DEFAULT_CAPS and caps["Inh"] == caps["Amb"] == 0, caps
    assert _caps(c, "--cap-drop", "ALL")["Bnd"] == 0
    assert _caps(c, "--cap-add", "NET_ADMIN")["Eff"] == DEFAULT_CAPS | NET_ADMIN
    assert _caps(c, "--cap-drop", "ALL", "--cap-add", "CAP_NET_ADMIN")["Eff"] == NET_ADMIN


def check_privileged(c):
    with open("/proc/1/status") as f:
        bound = int(re.search(r"^CapBnd:\s*(\w+)", f.read(), re.M).group(1), 16)
    assert _caps(c, "--privileged")["Eff"] == bound
    r = c.run("--rm", "--privileged", "busybox", "sh", "-c", "grep Seccomp: /proc/self/status; mount -t tmpfs t /mnt"
              " 2>/dev/null || mkdir /m && mount -t tmpfs t /m")
    assert "Seccomp:\t0" in r.out, r


def check_seccomp(c):
    show = ("busybox", "grep", "-E", "^(Seccomp|NoNewPrivs):", "/proc/self/status")
    assert "Seccomp:\t2" in c.run("--rm", *show).out
    assert "Seccomp:\t0" in c.run("--rm", "--security-opt", "seccomp=unconfined", *show).out
    assert "NoNewPrivs:\t1" in c.run("--rm", "--security-opt", "no-new-privileges", *show).out
    with tempfile.NamedTemporaryFile("w", suffix=".json") as f:
        json.dump({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
            {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}]}, f)
        f.flush()
        r = c.run("--rm", "--security-opt", "seccomp=" + f.name, "busybox", "sh", "-c",
                  "mkdir /tmp/x; touch /tmp/y && echo fine", check=0)
    assert "fine" in r.out and "not permitted" in r.err, r
    r = c.run("--rm", "busybox", "unshare", "-U", "true", check=1)
    assert "not permitted" in r.err, r


def check_network_none_and_host(c):
    r = c.run("--rm", "--network", "none", "busybox", "ls", "/sys/class/net")
    assert r.out.split() == ["lo"], r
    r = c.run("--rm", "--network", "none", "busybox", "ip", "-o", "addr", "show", "lo")
    assert "127.0.0.1/8" in r.out, r
    r = c.run("--rm", "--network", "host", "busybox", "readlink", "/proc/self/ns/net")
    assert r.out.strip() == os.readlink("/proc/self/ns/net"), r


def check_namespaces_are_its_own(c):
    r = c.run("--rm", "--network", "none", "busybox", "sh", "-c",
              "for n in pid net mnt uts ipc cgroup; do readlink /proc/self/ns/$n; done; echo $$; ls -d /proc/[0-9]* | wc -l")
    lines = r.out.split()
    for n, got in zip(("pid", "net", "mnt", "uts", "ipc", "cgroup"), lines):
        assert got.startswith(n) and got != os.readlink("/proc/self/ns/" + n), r
    assert lines[6] == "1" and int(lines[7]) <= 3, r


def check_paths_are_masked_and_read_only(c):
    r = c.run("--rm", "busybox", "sh", "-c", """
        [ -s /proc/kcore ] && head -c 1 /proc/kcore | wc -c || echo 0
        ls /proc/scsi /sys/firmware 2>/dev/null | grep -v : | grep . | wc -l
        echo 1 >/proc/sys/kernel/panic; echo 1 >/proc/irq/default_smp_affinity; echo done""", check=0)
    assert r.out.split() == ["0", "0", "done"] and r.err.count("Read-only") == 2, r


def check_devices(c):
    r = c.run("--rm", "busybox", "sh", "-c", "ls /dev | sort | tr '\\n' ' '; echo x >/dev/null; head -c 4 /dev/zero | wc -c;"
              "mknod /tmp/sda b 8 0 && head -c 1 /tmp/sda; mknod /tmp/mem c 1 1 && head -c 1 /tmp/mem; echo end")
    for dev in ("full", "null", "ptmx", "pts", "random", "shm", "tty", "urandom", "zero", "fd", "stdin", "mqueue"):
        assert " %s " % dev in " " + r.out, (dev, r)
    assert r.err.count("not permitted") == 2, r


# --- failures --------------------------------------------------------------------------------------------

def check_start_failures(c):
    before = set(harness.container_ids())
    r = c.run("--rm", "busybox", "no-such-program", check=127)
    assert "executable file" in r.err and "not found in $PATH" in r.err, r
    r = c.run("--rm", "busybox", "/no/such/program", check=127)
    assert "no such file or directory" in r.err.lower(), r
    r = c.run("--rm", "busybox", "/etc/passwd", check=126)
    assert "permission denied" in r.err.lower(), r
    r = c.run("--rm", "-u", "no-such-user", "busybox", "true", check=None)
    assert r.code in (125, 126) and "no-such-user" in r.err, r
    wait_for(lambda: set(harness.container_ids()) <= before, what="nothing left")
    wait_for(lambda: len(run("systemctl", "list-units", "--no-legend", "--plain", "--state=active",
                             "berth-*.scope").out.splitlines()) == len(before), what="no scope is left")


def check_client_errors(c):
    r = c.run("--rm", "no-such-image:x", "true", check=125)
    assert "no-such-image" in r.err, r
    c.run("--no-such-flag", "busybox", check=125)
    c.run("--rm", "--memory", "1k", "busybox", "true", check=125)
    name = c.detached("busybox", "sleep", "1000")
    r = c.run("--rm", "--name", name, "busybox", "true", check=125)
    assert "already in use" in r.err, r
    r = c("exec", name, "no-such-program", check=127)
    assert "executable file not found in $PATH" in r.out + r.err, r
    r = c("exec", "no-such-container", "true", check=1)
    assert "No such container" in r.err, r
    c("rm", "-f", name)


# --- life ------------------------------------------------------------------------------------------------

def check_life_of_a_container(c):
    name = c.name()
    c("create", *c.run_options, "--name", name, "busybox", "sh", "-c", "trap 'exit 5' TERM; echo up; " + LOOP)
    assert status(name) == "created"
    assert c("start", name).out.strip() == name
    assert status(name) == "running"
    assert name in c("ps").out
    wait_for(lambda: c("logs", name).out == "up\n", what="output in the log")
    c("stop", name)
    assert (status(name), exit_code(name)) == ("exited", 5)
    assert name not in c("ps").out and name in c("ps", "-a").out
    c("start", name)
    wait_for(lambda: c("logs", name).out == "up\nup\n", what="both starts in the log")
    c("restart", name)
    wait_for(lambda: c("logs", name).out == "up\n" * 3, what="three starts in the log")
    c("rename", name, name + "-new")
    assert harness.inspect(name + "-new")["Name"] == "/" + name + "-new"
    r = c("rm", name + "-new", check=1)
    assert "running" in r.err, r
    c("rm", "-f", name + "-new")
    assert harness.http("GET", "/containers/%s-new/json" % name).status == 404


def check_stop_without_handler_is_fast(c):
    name = c.detached("busybox", "sleep", "1000")
    r = c("stop", name)
    assert r.seconds < 5 * harness.slowness(), "stop took %.1f s" % r.seconds
    assert exit_code(name) == 137
    c("rm", name)


def check_kill_and_wait(c):
    name = c.detached("busybox", "sh", "-c", "trap 'exit 33' USR1; echo up; " + LOOP)
    wait_for(lambda: c("logs", name).out == "up\n", what="the handler is there")
    waiter = harness.spawn(c.program, "wait", name)
    c("kill", "-s", "USR1", name)
    assert waiter.communicate(timeout=10 * harness.slowness())[0] == b"33\n"
    assert c("wait", name).out == "33\n"
    c("kill", name, check=1)
    c("start", name)
    c("kill", name)
    assert c("wait", name).out == "137\n"
    c("rm", name)


def check_signals_are_forwarded(c):
    p = harness.spawn(c.program, "run", *c.run_options, "--rm", "busybox", "sh", "-c",
                      "trap 'echo got; exit 44' HUP; echo ready; " + LOOP)
    assert p.stdout.readline() == b"ready\n"
    p.send_signal(signal.SIGHUP)
    out, err = p.communicate(timeout=10 * harness.slowness())
    assert (p.returncode, out) == (44, b"got\n"), (p.returncode, out, err)


def check_logs(c):
    name = c.detached("busybox", "sh", "-c", "for i in 1 2 3; do echo out $i; echo err $i >&2; done; printf open")
    c("wait", name)
    r = c("logs", name)
    assert r.out == "out 1\nout 2\nout 3\nopen" and r.err == "err 1\nerr 2\nerr 3\n", r
    r = c("logs", "--tail", "2", name)
    assert r.out.count("\n") + r.err.count("\n") + (r.out[-4:] == "open") == 2, r
    r = c("logs", "-t", name)
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z out 1\n", r.out), r
    assert c("logs", "--since", "1h", name).out.startswith("out 1\n")
    assert c("logs", "--since", "2030-01-01T00:00:00Z", name).out == ""
    c("rm", name)


def check_logs_follow(c):
    name = c.detached("busybox", "sh", "-c", "echo first; while [ ! -e /go ]; do sleep 0.05; done; echo last; exit 3")
    p = harness.spawn(c.program, "logs", "-f", name)
    assert p.stdout.readline() == b"first\n"
    c("exec", name, "touch", "/go")
    out, _ = p.communicate(timeout=20 * harness.slowness())
    assert out == b"last\n" and p.returncode == 0, (out, p.returncode)
    c("rm", name)


def check_many_lines(c):
    r = c.run("--rm", "busybox", "sh", "-c", "awk 'BEGIN { for (i = 1; i <= 20000; i++) printf \"%099d\\n\", i }'",
              timeout=120)
    lines = r.out.splitlines()
    assert len(lines) == 20000 and int(lines[-1]) == 20000, "%d lines" % len(lines)


def check_exec(c):
    name = c.detached("busybox", "sleep", "1000")
    r = c("exec", name, "sh", "-c", "echo o; echo e >&2; exit 9", check=9)
    assert (r.out, r.err) == ("o\n", "e\n"), r
    assert c("exec", "-i", name, "cat", input="through\n").out == "through\n"
    r = c("exec", "-e", "A=1", "-w", "/etc", "-u", "user", name, "sh", "-c", "echo $A $PWD $(id -u)")
    assert r.out == "1 /etc 1000\n", r
    c("exec", "-d", name, "sh", "-c", "echo done >/tmp/detached; sleep 1000")
    wait_for(lambda: c("exec", name, "cat", "/tmp/detached", check=None).out == "done\n", what="exec -d")
    assert c("exec", name, "readlink", "/proc/self/ns/pid").out != os.readlink("/proc/self/ns/pid") + "\n"
    r = c("exec", name, "grep", "-E", "^(CapEff|Seccomp):", "/proc/self/status")
    assert "%016x" % DEFAULT_CAPS in r.out and "Seccomp:\t2" in r.out, r
    c("stop", name)
    r = c("exec", name, "true", check=1)
    assert "not running" in r.err, r
    c("rm", name)


def check_attach(c):
    name = c.detached("-i", "busybox", "sh", "-c", "while read x; do echo got $x; [ $x = end ] && exit 6; done")
    p = harness.spawn(c.program, "attach", name)
    p.stdin.write(b"one\n")
    p.stdin.flush()
    assert p.stdout.readline() == b"got one\n"
    p.stdin.write(b"end\n")
    p.stdin.flush()
    assert p.stdout.readline() == b"got end\n"
    assert p.wait(10 * harness.slowness()) == 6
    c("rm", name)


def check_start_attached(c):
    name = c.name()
    c("create", *c.run_options, "-i", "--name", name, "busybox", "sh", "-c", "cat; exit 4")
    r = c("start", "-a", "-i", name, input="data\n", check=4)
    assert r.out == "data\n", r
    c("rm", name)


# --- terminals -------------------------------------------------------------------------------------------

def check_run_terminal(c):
    with c.run_pty("-it", "--rm", "busybox", "sh", rows=31, cols=97) as p:
        p.expect(r"# ")
        p.send("stty size; tty\n")
        p.expect(r"31 97\r\n")
        p.expect(r"/dev/(pts/0|console)\r\n")
        p.resize(40, 120)
        p.send("trap 'echo winch' WINCH; sleep 0.3; stty size\n")
        p.expect(r"40 120\r\n")
        p.send("exit 13\n")
        assert p.wait() == 13, p.output


def check_terminal_control_c(c):
    with c.run_pty("-it", "--rm", "busybox", "sh", "-c", "trap 'echo int; exit 21' INT; echo go; " + LOOP) as p:
        p.expect("go\r\n")
        p.send("\x03")
        p.expect("int\r\n")
        assert p.wait() == 21


def check_exec_terminal(c):
    name = c.detached("busybox", "sleep", "1000")
    with c.pty("exec", "-it", name, "sh", rows=22, cols=77) as p:
        p.expect(r"# ")
        p.send("stty size\n")
        p.expect(r"22 77\r\n")
        p.send("exit 17\n")
        assert p.wait() == 17, p.output
    c("rm", "-f", name)


def check_detach_keys(c):
    name = c.name()
    with c.run_pty("-it", "--name", name, "busybox", "sh") as p:
        p.expect(r"# ")
        p.send("X=kept\n")
        p.expect(r"# ")
        p.send("\x10\x11")
        assert p.wait() == 0, p.output
    assert status(name) == "running"
    with c.pty("attach", "--detach-keys", "ctrl-a,d", name) as p:
        p.send("echo $X\n")
        p.expect("kept\r\n")
        p.send("\x01d")
        p.wait()
    assert status(name) == "running"
    with c.pty("attach", name) as p:
        p.send("exit 19\n")
        assert p.wait() == 19, p.output
    c("rm", name)


def checks(program, *run_options, only=None, needs=()):
    """{test_NAME: function} for the globals() of a test file."""
    client = Client(program, *run_options)
    out = {}
    for name, func in list(globals().items()):
        if name.startswith("check_") and (only is None or name[6:] in only):
            def test(func=func):
                return func(client)
            test.__doc__ = func.__doc__
            test.marks = {"needs": (program,) + tuple(needs), "timeout": 90}
            out["test_" + name[6:]] = test
    return out
