# SPDX-License-Identifier: LGPL-2.1-or-later
"""dockerd and containerd with berth-runtime: what podman has not (bed: trixie-peers)."""
import json
import os
import re

import peers
from harness import bed, run, systemctl, wait_for
from peers import LOOP, docker

peers_bed = bed("trixie-peers")
BEFORE = peers.container_cgroups()
REMAP = ("dockremap", 400000)
STATE = "/run/docker/runtime-runc/moby"


def setup():
    peers.start_dockerd()


def teardown():
    peers.stop_dockerd()
    peers.no_payloads_left(BEFORE, STATE)


def scope_of(pid):
    with open("/proc/%d/cgroup" % pid) as f:
        path = f.read().strip().rpartition("::")[2]
    return path, os.path.basename(path)


@peers_bed
def test_info_names_the_runtime():
    info = json.loads(docker("info", "--format", "json").out)
    ours = info["Runtimes"][peers.NAME]
    assert info["DefaultRuntime"] == peers.NAME and ours["path"] == peers.RUNTIME, info
    features = json.loads(ours["status"]["org.opencontainers.runtime-spec.features"])
    assert features["linux"]["cgroup"]["v2"] and features["linux"]["seccomp"]["enabled"], features
    assert json.loads(docker("version", "--format", "json").out)["Server"]["Components"], "no components"


@peers_bed
def test_runtime_by_option():
    for runtime in (peers.NAME, "runc"):
        name = docker.detached("--runtime", runtime, "busybox", "sleep", "1000")
        assert docker.inspect(name)["HostConfig"]["Runtime"] == runtime
        assert docker.exec(name, "echo yes") == "yes\n"
        docker.remove(name)


@peers_bed
def test_refused_options_are_told():
    """containerd takes the text from the log file, also when already the command line was wrong."""
    peers.start_dockerd(runtimes={peers.NAME: {"path": peers.RUNTIME}, "odd": {"path": peers.RUNTIME, "runtimeArgs": ["--nonsense"]}})
    r = docker.run("--runtime", "odd", "busybox", "true", check=125)
    assert "--nonsense" in r.err and "unable to retrieve" not in r.err, r
    docker.run("busybox", "true")


@peers_bed
def test_user_namespace_remapping():
    user, first = REMAP
    if run("id", user, check=None).code != 0:
        run("useradd", "-r", user)
    for f in ("/etc/subuid", "/etc/subgid"):
        with open(f, "a+") as file:
            file.seek(0)
            if user not in file.read():
                file.write("%s:%d:65536\n" % (user, first))
    peers.start_dockerd(**{"userns-remap": user})
    peers.remove_docker_containers()
    try:
        name = docker.detached("-v", "remapped:/vol", "busybox", "sh", "-c", "touch /made /vol/made; exec sleep 1000")
        out = docker.exec(name, "cat /proc/self/uid_map /proc/self/gid_map; id -u; stat -c %u /made /bin/sh /dev/shm; cat /proc/self/cgroup")
        assert [[int(n) for n in l.split()] for l in out.splitlines()[:2]] == [[0, first, 65536]] * 2, out
        assert out.split("\n")[2:6] == ["0", "0", "0", "0"] and out.endswith("0::/\n"), out
        pid = docker.pid(name)
        assert os.stat("/proc/%d" % pid).st_uid == first == os.stat("/proc/%d/root/made" % pid).st_uid
        assert docker("exec", "-u", "1000:50", name, "sh", "-c", "id -u; id -g; stat -c %u /proc/self/").out == "1000\n50\n1000\n"
        docker("pause", name)
        docker("unpause", name)
        assert "999" in docker("exec", name, "sh", "-c", "sleep 999 & ps").out
        with docker.pty("exec", "-it", name, "sh") as p:
            p.expect("# ")
            p.send("tty; exit 6\n")
            assert p.wait() == 6 and b"/dev/pts/0" in p.output, p.output
        docker("stop", "-t", "0", name)
        docker.remove(name)
        # The host's identity for one container.
        assert docker.sh("cat /proc/self/uid_map", "--userns", "host").split() == open("/proc/self/uid_map").read().split()
        assert docker.sh("id -u; test -w /dev/tty && echo tty", "-t").replace("\r", "") == "0\ntty\n"
        docker("volume", "rm", "remapped")
    finally:
        peers.start_dockerd()


@peers_bed
def test_containers_outlive_dockerd():
    """live-restore: the new dockerd finds running, paused and ended containers by what the runtime tells."""
    peers.start_dockerd(**{"live-restore": True})
    a = docker.detached("busybox", "sh", "-c", "trap 'exit 3' TERM; " + LOOP)
    b = docker.detached("busybox", "sleep", "1000")
    c = docker.detached("busybox", "sleep", "1000")
    docker("pause", b)
    pid, gone = docker.pid(a), docker.pid(c)
    systemctl("stop", "docker.socket", "docker.service")
    os.kill(gone, 9)
    systemctl("start", "docker.service", timeout=60)
    assert docker.pid(a) == pid and docker.exec(a, "echo still") == "still\n"
    assert docker.state(b)["Status"] == "paused"
    wait_for(lambda: docker.state(c)["Status"] == "exited")
    docker("unpause", b)
    docker("stop", a)
    assert docker.state(a)["ExitCode"] == 3
    docker.remove(a, b, c)
    peers.start_dockerd()


@peers_bed
def test_shim_that_is_killed():
    """containerd cleans up by `delete --force` when a shim is gone; nothing of the container stays."""
    name = docker.detached("busybox", "sleep", "1000")
    pid = docker.pid(name)
    shim = int(run("ps", "-o", "ppid=", "-p", str(pid)).out)
    assert "containerd-shim" in open("/proc/%d/cmdline" % shim).read()
    os.kill(shim, 9)
    wait_for(lambda: docker.state(name)["Status"] == "exited", timeout=20)
    wait_for(lambda: not os.path.exists("/proc/%d" % pid))
    docker("start", name)
    assert docker.exec(name, "echo again") == "again\n"
    docker.remove(name)


@peers_bed
def test_build_with_the_classic_builder():
    d = "/var/tmp/peers-build"
    os.makedirs(d, exist_ok=True)
    with open(d + "/Dockerfile", "w") as f:
        f.write("FROM busybox\nRUN echo built >/result && id -u >>/result\nUSER 1000\nWORKDIR /made/for/us\nRUN pwd >/tmp/where\n"
                "HEALTHCHECK --interval=200ms --retries=1 CMD test -f /tmp/where\nCMD cat /result /tmp/where\n")
    docker("build", "-q", "-t", "built", d, env=dict(docker.env, DOCKER_BUILDKIT="0"), timeout=60)
    assert docker.run("built").out == "built\n0\n/made/for/us\n"
    name = docker.detached("built", "sleep", "1000")
    wait_for(lambda: docker.state(name)["Health"]["Status"] == "healthy")
    docker("exec", name, "rm", "/tmp/where")
    wait_for(lambda: docker.state(name)["Health"]["Status"] == "unhealthy")
    docker.remove(name)
    docker("rmi", "built")


@peers_bed
def test_systemd_cgroup_driver():
    peers.start_dockerd(**{"exec-opts": ["native.cgroupdriver=systemd"]})
    name = docker.detached("--cgroup-parent", "peers.slice", "busybox", "sh", "-c", "trap 'exit 3' TERM; " + LOOP)
    path, scope = scope_of(docker.pid(name))
    assert path == "/peers.slice/docker-%s.scope" % docker.inspect(name)["Id"], path
    assert systemctl("show", "-P", "ActiveState", scope).out == "active\n"
    systemctl("daemon-reload")
    assert docker.exec(name, "grep ^0:: /proc/self/cgroup; head -c 1 /dev/urandom | wc -c") == "0::/\n1\n"
    docker("pause", name)
    assert docker.state(name)["Status"] == "paused"
    docker("unpause", name)
    docker("stop", name)
    assert docker.state(name)["ExitCode"] == 3
    wait_for(lambda: systemctl("show", "-P", "ActiveState", scope).out == "inactive\n")
    docker("start", name)
    docker.remove(name)
    wait_for(lambda: not os.path.exists("/sys/fs/cgroup" + path))
    docker.run("busybox", "nosuch", check=127)
    assert "docker-" not in systemctl("list-units", "--all", "--plain", "--no-legend", "docker-*.scope").out
    peers.start_dockerd()


def ctr(*args, **kw):
    return run("ctr", "-n", "peers", *args, env={"XDG_RUNTIME_DIR": "/run"}, **kw)


@peers_bed
def test_containerd_alone():
    ctr("images", "import", "--base-name", "local", peers.make_archive(), timeout=60)
    image = [l.split()[0] for l in ctr("images", "ls").out.splitlines() if "busybox" in l][0]
    options = ("--runc-binary", peers.RUNTIME, "--snapshotter", "native", "--cpu-shares", "0")
    assert ctr("run", "--rm", *options, image, "one", "echo", "hello", timeout=60).out == "hello\n"
    ctr("run", "--rm", *options, image, "two", "sh", "-c", "exit 7", check=7)
    ctr("run", "-d", *options, image, "three", "sleep", "1000")
    try:
        assert ctr("tasks", "exec", "--exec-id", "e1", "three", "sh", "-c", "echo in; exit 5", check=5).out == "in\n"
        pid = re.search(r"^three\s+(\d+)\s+RUNNING", ctr("tasks", "ls").out, re.M).group(1)
        assert pid in ctr("tasks", "ps", "three").out
        assert ctr("tasks", "metrics", "three").code == 0
        ctr("tasks", "pause", "three")
        assert re.search(r"^three\s+\d+\s+PAUSED", ctr("tasks", "ls").out, re.M)
        ctr("tasks", "resume", "three")
        ctr("tasks", "kill", "-s", "SIGKILL", "three")
        wait_for(lambda: re.search(r"^three\s+\d+\s+STOPPED", ctr("tasks", "ls").out, re.M))
        assert "exit code 137" in ctr("tasks", "delete", "three").err
    finally:
        ctr("tasks", "delete", "-f", "three", check=None)
        ctr("containers", "delete", "three", check=None)
    assert os.listdir("/run/containerd/runc/peers") == []
