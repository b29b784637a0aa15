# SPDX-License-Identifier: LGPL-2.1-or-later
"""What podman and dockerd ask of a runtime alike: each check runs once with each of them (bed: trixie-peers)."""
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile

import peers
from harness import needs, run, skip, wait_for
from peers import LOOP, docker, own_namespaces, podman

WORK = tempfile.mkdtemp(prefix="peers-", dir="/var/tmp")
BEFORE = peers.container_cgroups()
ALL_CAPS = peers.bounding_set()


def setup():
    # What is mounted below it on the host is to be seen in containers that ask for it.
    run("mount", "--bind", WORK, WORK)
    run("mount", "--make-shared", WORK)
    peers.prepare_podman()
    peers.start_dockerd()


def teardown():
    podman.remove("-a")
    peers.stop_dockerd()
    run("umount", WORK)
    shutil.rmtree(WORK, ignore_errors=True)
    peers.no_payloads_left(BEFORE, "/run/berth/runtime", "/run/docker/runtime-runc/moby")


def status_field(text, name):
    return re.search(r"^%s:\s*(.*)$" % name, text, re.M).group(1)


def check_output_and_exit_codes(c):
    assert c.run("busybox", "echo", "hello").out == "hello\n"
    r = c.run("busybox", "sh", "-c", "echo out; echo err >&2; exit 7", check=7)
    assert (r.out, r.err) == ("out\n", "err\n"), r
    c.run("--init", "busybox", "sh", "-c", "kill -TERM $$", check=143)
    assert c.run("-i", "busybox", "cat", input="a\nb\n").out == "a\nb\n"


def check_programs_that_cannot_run(c):
    """The codes that scripts rely on, and texts that name the program."""
    for program, code, text in (("nosuch", 127, 'exec: "nosuch": executable file not found in $PATH'),
                                ("/no/such", 127, "/no/such: no such file or directory"),
                                ("/etc/passwd", 126, 'exec: "/etc/passwd": permission denied'),
                                ("/etc", 126, 'exec: "/etc": is a directory')):
        r = c.run("busybox", program, check=code)
        assert text in r.err, r


def check_environment_user_and_directory(c):
    out = c.sh("echo $A-$B; id -u; id -g; id -G; pwd; umask; echo $HOME", "-e", "A=1", "-e", "B=x y", "-u", "1000:50",
               "--group-add", "33", "-w", "/var/tmp")
    assert out == "1-x y\n1000\n50\n50 33\n/var/tmp\n0022\n/home\n", out
    assert c.sh("id -un; pwd; echo $HOME", "-u", "operator") == "operator\n/\n/var\n"


def check_mounts(c):
    src = tempfile.mkdtemp(dir=WORK)
    with open(src + "/file", "w") as f:
        f.write("data\n")
    out = c.sh("cat /ro/file /one; touch /ro/x 2>&1; touch /rw/made; touch /vol/kept; cat /proc/self/mountinfo",
               "-v", src + ":/ro:ro", "-v", src + ":/rw", "-v", src + "/file:/one:ro", "-v", "peersvol:/vol",
               "--tmpfs", "/scratch:size=1m,mode=1770,noexec", "--mount", "type=bind,src=%s,dst=/slave,bind-propagation=rslave" % src)
    assert out.startswith("data\ndata\ntouch: /ro/x: Read-only file system\n"), out
    assert os.path.exists(src + "/made")
    mounts = {l.split()[4]: l for l in out.splitlines() if " - " in l}
    assert "size=1024k" in mounts["/scratch"] and "mode=1770" in mounts["/scratch"] and "noexec" in mounts["/scratch"]
    assert " ro," in mounts["/ro"] and " ro," in mounts["/one"] and " rw," in mounts["/rw"], out
    assert "shared:" not in out, out
    assert c.sh("ls /vol", "-v", "peersvol:/vol:ro") == "kept\n"
    c("volume", "rm", "peersvol")


def check_read_only_root(c):
    out = c.sh("touch /x 2>&1; touch /etc/x 2>&1; touch /keep/x && echo yes", "--read-only", "--tmpfs", "/keep")
    assert out == "touch: /x: Read-only file system\ntouch: /etc/x: Read-only file system\nyes\n", out


def check_mount_that_cannot_be(c):
    """The error of the runtime reaches the user, and nothing of the container runs."""
    r = c.run("-v", "/dev/null:/etc/passwd/below", "busybox", "echo", "ran", check=None)
    assert r.code in (125, 126, 127) and "not a directory" in r.err.lower() and "ran" not in r.out, r


def check_capabilities(c):
    default = c.sh("grep Cap /proc/self/status")
    assert status_field(default, "CapInh") == status_field(default, "CapAmb") == "0" * 16, default
    assert 0 < int(status_field(default, "CapEff"), 16) == int(status_field(default, "CapBnd"), 16) < int(ALL_CAPS, 16)
    out = c.sh("grep Cap /proc/self/status", "--cap-drop", "all", "--cap-add", "net_raw", "--cap-add", "SYS_TIME")
    want = "%016x" % (1 << 13 | 1 << 25)
    assert [status_field(out, "Cap" + k) for k in ("Eff", "Prm", "Bnd")] == [want] * 3, out
    out = c.sh("grep Cap /proc/self/status", "-u", "1000")
    assert status_field(out, "CapEff") == "0" * 16, out


def check_privileged(c):
    out = c.sh("cat /proc/self/status; ls /dev; echo x >/proc/sys/kernel/hostname && echo writable; mount -t tmpfs x /www "
               "&& echo mounted; head -c 1 /proc/timer_list >/dev/null && echo unmasked", "--privileged")
    assert status_field(out, "CapEff") == status_field(out, "CapBnd") == ALL_CAPS, out
    assert status_field(out, "Seccomp") == "0" and "fuse\n" in out, out
    assert "writable\n" in out and "mounted\n" in out, out
    plain = c.sh("echo x >/proc/sys/kernel/hostname && echo writable; mount -t tmpfs x /www && echo mounted; ls /dev; "
                 "cat /proc/timer_list | wc -c", check=0)
    assert "writable" not in plain and "mounted" not in plain and "fuse" not in plain and plain.endswith("\n0\n"), plain


def check_seccomp(c):
    assert status_field(c.sh("cat /proc/self/status"), "Seccomp") == "2"
    assert status_field(c.sh("cat /proc/self/status", "--security-opt", "seccomp=unconfined"), "Seccomp") == "0"
    profile = WORK + "/profile.json"
    with open(profile, "w") as f:
        json.dump({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
            {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 95}]}, f)
    r = c.run("--security-opt", "seccomp=" + profile, "busybox", "mkdir", "/x", check=1)
    assert "supported" in r.err, r


def check_no_new_privileges(c):
    assert status_field(c.sh("cat /proc/self/status", "--security-opt", "no-new-privileges"), "NoNewPrivs") == "1"
    assert status_field(c.sh("cat /proc/self/status"), "NoNewPrivs") == "0"


def check_limits_of_the_process(c):
    out = c.sh("ulimit -n; ulimit -Hn; ulimit -c; cat /proc/self/oom_score_adj", "--ulimit", "nofile=100:200", "--ulimit", "core=0",
               "--oom-score-adj", "500")
    assert out == "100\n200\n0\n500\n", out


def check_sysctl_and_shm(c):
    out = c.sh("cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/kernel/msgmax; df -k /dev/shm | tail -1", "--sysctl",
               "net.ipv4.ip_unprivileged_port_start=77", "--sysctl", "kernel.msgmax=9999", "--shm-size", "2m")
    assert out.startswith("77\n9999\n") and " 2048 " in out, out
    r = c.run("--network", "host", "--sysctl", "net.ipv4.ip_forward=1", "busybox", "true", check=None)
    assert r.code in (125, 126) and "sysctl" in r.err, r


def check_namespaces_of_its_own(c):
    ours = own_namespaces()
    out = c.sh("for n in pid ipc uts net mnt cgroup user; do readlink /proc/self/ns/$n; done; hostname; cat /proc/self/cgroup; "
               "ls /proc/1/ns >/dev/null; echo $$", "--hostname", "boxname")
    theirs = dict(zip(("pid", "ipc", "uts", "net", "mnt", "cgroup", "user"), out.split("\n")))
    assert [k for k in ours if ours[k] == theirs[k]] == ["user"], (ours, out)
    assert "\nboxname\n" in out and "\n0::/\n" in out and out.endswith("\n1\n"), out


def check_namespaces_of_the_host(c):
    ours = own_namespaces()
    out = c.sh("for n in pid ipc uts net cgroup; do readlink /proc/self/ns/$n; done; hostname; cat /proc/1/comm; grep ^0:: "
               "/proc/self/cgroup", "--pid", "host", "--ipc", "host", "--uts", "host", "--network", "host", "--cgroupns", "host")
    lines = out.split("\n")
    assert lines[:5] == [ours[k] for k in ("pid", "ipc", "uts", "net", "cgroup")], (ours, out)
    assert lines[5:7] == [os.uname().nodename, "systemd"] and re.match(r"0::/\S+/(libpod-)?[0-9a-f]{64}$", lines[7]), out


def check_namespaces_of_another_container(c):
    name = c.detached("--ipc", "shareable", "--hostname", "first", "busybox", "sh", "-c", "touch /dev/shm/mine; exec sleep 1000")
    theirs = own_namespaces(c.pid(name))
    of = "container:" + name
    wait_for(lambda: os.path.exists("/proc/%d/root/dev/shm/mine" % c.pid(name)))
    out = c.sh("for n in pid ipc net uts; do readlink /proc/self/ns/$n; done; cat /proc/1/comm; ls /dev/shm", "--pid", of, "--ipc", of,
               "--network", of)
    lines = out.split("\n")
    assert lines[:3] == [theirs[k] for k in ("pid", "ipc", "net")] and lines[3] != theirs["uts"], (theirs, out)
    assert lines[4:6] == ["sleep", "mine"], out
    # Its end takes only its own processes along.
    c.run("--pid", of, "busybox", "true")
    assert c.state(name)["Running"]
    c.remove(name)


def check_devices(c):
    out = c.sh("ls -l /dev/seen; (: </dev/seen) && echo readable; (: <>/dev/seen) 2>&1; mknod /dev/z c 10 1; (: </dev/z) 2>&1; "
               "test -e /dev/fuse || echo none", "--device", "/dev/fuse:/dev/seen:r", "--cap-add", "mknod")
    assert re.search(r"^crw.*\b10,\s+229 .*/dev/seen$", out, re.M) and "\nreadable\n" in out and out.endswith("\nnone\n"), out
    assert out.count("/dev/seen: Operation not permitted") == 1 and "/dev/z: Operation not permitted" in out, out
    assert c.sh("echo hi >/dev/null; head -c 1 /dev/urandom | wc -c; test -c /dev/tty && stat -c %a /dev/null /dev/pts/ptmx /dev/shm; "
                "readlink /dev/ptmx; readlink /dev/stdin") == "1\n666\n666\n1777\npts/ptmx\n/proc/self/fd/0\n"


def check_init(c):
    out = c.sh("cat /proc/1/cmdline | tr '\\0' ' '; echo; (sleep 0.05 &); sleep 0.3; ps -o stat,comm | grep -c ^Z", "--init", check=1)
    assert re.match(r"\S*(docker-init|podman-init) ", out) and out.endswith("\n0\n"), out


def check_terminal(c):
    with c.pty("run", "--rm", "-it", "busybox", "sh", rows=33, cols=99) as p:
        p.expect(r"# ")
        p.send("stty size; tty; test -t 0 && test -t 1 && test -t 2 && echo all\n")
        p.expect(r"33 99\r\n/dev/pts/0\r\nall\r\n")
        p.resize(20, 50)
        p.send("sleep 0.3; stty size; ls -l /dev/console | cut -c1\n")
        p.expect(r"20 50\r\nc\r\n")
        p.send("sh -c 'trap \"exit 17\" INT; echo RE''ADY; %s'; exit $?\n" % LOOP)
        p.expect(r"READY\r\n")
        p.send("\x03")
        assert p.wait() == 17, p.output
    assert c.run("-t", "-u", "1000", "busybox", "sh", "-c", "echo x >/dev/tty; stat -c %u /dev/pts/0").out == "x\r\n1000\r\n"


def check_exec(c):
    name = c.detached("-e", "OF=image", "-w", "/tmp", "busybox", "sleep", "1000")
    try:
        assert c.exec(name, "pwd; echo $OF; id -u; cat /proc/1/comm") == "/tmp\nimage\n0\nsleep\n"
        r = c("exec", "-u", "1000:50", "-w", "/var", "-e", "A=b", name, "sh", "-c", "id -u; id -g; pwd; echo $A $OF; echo e >&2; exit 9",
              check=9)
        assert (r.out, r.err) == ("1000\n50\n/var\nb image\n", "e\n"), r
        assert c("exec", "-i", name, "wc", "-c", input="x" * 100000).out == "100000\n"
        inside = c.exec(name, "for n in pid ipc uts net mnt cgroup; do readlink /proc/self/ns/$n; done; grep Seccomp: /proc/self/status; "
                        "grep Cap /proc/1/status | sort; grep Cap /proc/self/status | sort; ls /proc/self/fd | tr '\\n' ' '")
        theirs = own_namespaces(c.pid(name))
        assert inside.startswith("".join(theirs[k] + "\n" for k in ("pid", "ipc", "uts", "net", "mnt", "cgroup")) + "Seccomp:\t2\n")
        caps = re.findall(r"^Cap.*$", inside, re.M)
        assert len(caps) == 10 and caps[:5] == caps[5:] and inside.endswith("\n0 1 2 3 "), inside
        assert status_field(c("exec", "--privileged", name, "cat", "/proc/self/status").out, "CapEff") == ALL_CAPS
    finally:
        c.remove(name)


def check_exec_detached(c):
    name = c.detached("busybox", "sleep", "1000")
    c("exec", "-d", name, "sh", "-c", "echo $$ >/tmp/pid; exec sleep 999")
    pid = wait_for(lambda: c("exec", name, "cat", "/tmp/pid", check=None).out.strip())
    assert "sleep 999" in c("exec", name, "cat", "/proc/%s/cmdline" % pid).out.replace("\0", " ")
    assert "nosuch" in c("exec", "-d", name, "nosuch", check=None).err
    c.remove(name)


def check_exec_that_cannot_run(c):
    name = c.detached("busybox", "sleep", "1000")
    # dockerd 26 answers 126 also for what is not found.
    not_found = 127 if c.podman else 126
    for args, code, text in ((("nosuch",), not_found, 'exec: "nosuch": executable file not found in $PATH'),
                             (("/etc/passwd",), 126, 'exec: "/etc/passwd": permission denied'),
                             (("/etc",), 126, 'exec: "/etc": is a directory')):
        r = c("exec", name, *args, check=code)
        assert text in r.out + r.err, r
    r = c("exec", "-w", "/no/such", name, "pwd", check=not_found)
    assert 'chdir to cwd ("/no/such")' in r.out + r.err, r
    assert c.exec(name, "test -e /no || echo none") == "none\n"
    c.remove(name)
    assert c("exec", name, "true", check=None).code != 0


def check_exec_terminal(c):
    name = c.detached("busybox", "sleep", "1000")
    with c.pty("exec", "-it", "-u", "1000", name, "sh", rows=22, cols=77) as p:
        p.expect(r"\$ ")
        p.send("stty size; stat -c %u $(tty); echo hello >/dev/tty\n")
        p.expect(r"22 77\r\n1000\r\nhello\r\n")
        p.resize(21, 60)
        p.send("sleep 0.3; stty size\n")
        p.expect(r"21 60\r\n")
        p.send("exit 18\n")
        assert p.wait() == 18, p.output
    c.remove(name)


def check_pause(c):
    name = c.detached("busybox", "sh", "-c", "i=0; while :; do i=$((i+1)); echo $i >>/tmp/n; sleep 0.01; done")
    counter = "/proc/%d/root/tmp/n" % c.pid(name)

    def runs():
        size = os.path.getsize(counter)
        try:
            return wait_for(lambda: os.path.getsize(counter) > size, timeout=0.4)
        except AssertionError:
            return False
    wait_for(lambda: os.path.exists(counter) and runs())
    c("pause", name)
    assert c.state(name)["Status"] == "paused" and not runs()
    assert c("exec", name, "true", check=None).code != 0
    assert c("pause", name, check=None).code != 0
    c("unpause", name)
    assert c.state(name)["Status"] == "running"
    wait_for(runs)
    assert c("unpause", name, check=None).code != 0
    c.remove(name)


def check_remove_of_a_paused_one(c):
    name = c.detached("busybox", "sleep", "1000")
    pid = c.pid(name)
    c("pause", name)
    c.remove(name)
    assert not os.path.exists("/proc/%d" % pid)


def check_stop_kill_and_restart(c):
    name = c.detached("busybox", "sh", "-c", "trap 'echo term; exit 3' TERM; trap 'echo usr' USR1; echo up; " + LOOP)
    wait_for(lambda: "up" in c("logs", name).out)
    c("kill", "-s", "USR1", name)
    wait_for(lambda: "usr" in c("logs", name).out)
    c("stop", name)
    assert c.state(name)["ExitCode"] == 3 and c("logs", name).out == "up\nusr\nterm\n", c("logs", name)
    assert c("kill", name, check=None).code != 0
    c("restart", name)
    assert c.state(name)["Running"]
    wait_for(lambda: c("logs", name).out.count("up") == 2)
    c("kill", name)
    assert c("wait", name).out == "137\n"
    c("start", name)
    assert c("start", name).code == 0, "start of a running one is no error"
    c("restart", "-t", "0", name)
    assert c.state(name)["Running"]
    c.remove(name)


def check_stop_of_a_deaf_one(c):
    name = c.detached("busybox", "sh", "-c", "trap '' TERM; echo up; " + LOOP)
    wait_for(lambda: "up" in c("logs", name).out)
    r = c("stop", "-t", "1", name)
    assert c.state(name)["ExitCode"] == 137 and r.seconds < 6, (c.state(name), r.seconds)
    c.remove(name)


def check_attach(c):
    name = c.detached("-i", "busybox", "sh", "-c", "read x; echo got $x; exit 4")
    r = c("attach", name, input="word\n", check=None)
    assert c("wait", name).out == "4\n" and c("logs", name).out == "got word\n", r
    c.remove(name)


def check_top(c):
    name = c.detached("busybox", "sh", "-c", "sleep 998 & exec sleep 999")
    wait_for(lambda: "998" in c("top", name).out)
    out = c("top", name).out
    assert "sleep 998" in out and "sleep 999" in out and len(out.splitlines()) == 3, out
    c.remove(name)


def check_healthcheck(c):
    every = "disable" if c.podman else "200ms"
    name = c.detached("--health-cmd", "echo tested; test -f /tmp/fine", "--health-interval", every, "--health-retries", "1", "busybox",
                      "sleep", "1000")

    def health(want, code):
        if c.podman:
            c("healthcheck", "run", name, check=code)
        wait_for(lambda: c.state(name)["Health"]["Status"] == want, what=want)
        entry = c.state(name)["Health"]["Log"][-1]
        assert entry["ExitCode"] == code and "tested" in entry["Output"], entry
    health("unhealthy", 1)
    c("exec", name, "touch", "/tmp/fine")
    health("healthy", 0)
    c.remove(name)


def check_many_at_once(c):
    jobs = [subprocess.Popen(c.command("run", "--rm", "busybox", "sh", "-c", "exit %d" % i), env=dict(os.environ, **c.env),
                             stdin=subprocess.DEVNULL) for i in range(8)]
    assert [j.wait(60) for j in jobs] == list(range(8))


def check_client_that_is_killed(c):
    """run's client ends by a signal: it is passed on, and the container ends with what its program says."""
    p = subprocess.Popen(c.command("run", "--rm", "busybox", "sh", "-c", "trap 'exit 5' INT; echo up; " + LOOP),
                         env=dict(os.environ, **c.env), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    assert p.stdout.readline() == b"up\n"
    p.send_signal(signal.SIGINT)
    assert p.wait(30) == 5
    p.stdout.close()


@needs("controllers")
def check_resources(c):
    name = c.detached("--memory", "64m", "--memory-swap", "96m", "--cpus", "0.5", "--pids-limit", "40", "--cpuset-cpus", "0", "busybox",
                      "sh", "-c", "trap 'exit 0' TERM; " + LOOP)
    read = "cd /sys/fs/cgroup; cat memory.max memory.swap.max cpu.max pids.max cpuset.cpus"
    assert c.exec(name, read) == "67108864\n33554432\n50000 100000\n40\n0\n"
    c("update", "--memory", "80m", "--memory-swap", "80m", "--cpus", "0.25", "--pids-limit", "50", name)
    assert c.exec(name, read) == "83886080\n0\n25000 100000\n50\n0\n"
    assert "0" in c("stats", "--no-stream", name).out
    c("restart", "-t", "1", name)
    assert c.exec(name, read).startswith("83886080\n")
    c.remove(name)
    r = c.run("--memory", "16m", "--memory-swap", "16m", "busybox", "sh", "-c", "x=x; while :; do x=$x$x; done", check=None)
    assert r.code in (137, 2), r


@needs("controllers")
def check_pids_limit(c):
    r = c.run("--pids-limit", "5", "busybox", "sh", "-c", "for i in 1 2 3 4 5 6 7 8; do sleep 5 & done; wait", check=None)
    assert "can't fork" in r.err, r


@needs("vm")
def check_apparmor(c):
    with open("/sys/module/apparmor/parameters/enabled") as f:
        if f.read().strip() != "Y":
            skip("AppArmor is off")
    name = c.detached("busybox", "sleep", "1000")
    profile = c.inspect(name).get("AppArmorProfile")
    confined = re.compile(r"(docker-default|containers-default-\S+) \(enforce\)\n$")
    out = c.exec(name, "cat /proc/1/attr/current; cat /proc/self/attr/current")
    assert len(confined.findall(out)) == 1 and len(set(out.split("\n")[:2])) == 1 and profile, (profile, out)
    c.remove(name)
    assert c.sh("cat /proc/self/attr/current", "--security-opt", "apparmor=unconfined") == "unconfined\n"
    r = c.run("--security-opt", "apparmor=nosuchprofile", "busybox", "true", check=None)
    assert r.code in (125, 126, 127) and "nosuchprofile" in r.err, r


CHECKS = [f for n, f in sorted(globals().items(), key=lambda i: getattr(getattr(i[1], "__code__", None), "co_firstlineno", 0))
          if n.startswith("check_")]
globals().update(peers.checks(podman, CHECKS))
globals().update(peers.checks(docker, CHECKS))
