# SPDX-License-Identifier: LGPL-2.1-or-later
"""Other people's engines (Debian's podman and dockerd) that start containers with our runtime.

Needs a bed of trixie-peers. PEERS_RUNTIME=/usr/bin/crun in the environment puts another runtime to the same
tests: that is how a test is proved right.
"""
import functools
import json
import os
import re

import harness
import image
from harness import Pty, run, systemctl, wait_for

RUNTIME = os.environ.get("PEERS_RUNTIME", "/usr/bin/berth-runtime")
NAME = "berth"
DOCKER_SOCKET = "/run/docker.sock"
DOCKER_ENV = {"DOCKER_HOST": "unix://" + DOCKER_SOCKET}
DAEMON_JSON = "/etc/docker/daemon.json"
CONTAINERS_CONF = "/run/peers-containers.conf"
ARCHIVE = "/var/tmp/peers-busybox.tar"
LOOP = "while :; do sleep 0.05; done"


def controllers():
    """Whether limits can be enforced in this bed."""
    with open("/sys/fs/cgroup/cgroup.controllers") as f:
        return {"memory", "cpu", "pids"} <= set(f.read().split())


def bounding_set():
    """What a privileged container can have: a bed has not all there is."""
    with open("/proc/self/status") as f:
        return re.search(r"^CapBnd:\s*(\w+)", f.read(), re.M).group(1)


class Client:
    """docker or podman; calling it runs the client with these arguments."""

    def __init__(self, program, options=(), env=None):
        self.program, self.options, self.env, self.count = program, options, env or {}, 0

    @property
    def podman(self):
        return self.program == "podman"

    def command(self, *args):
        return (self.program,) + tuple(self.options) + args

    def __call__(self, *args, **kw):
        kw.setdefault("env", self.env)
        kw.setdefault("timeout", 60)
        return run(*self.command(*args), **kw)

    def run(self, *args, **kw):
        """run --rm in the foreground."""
        return self("run", "--rm", *args, **kw)

    def sh(self, script, *options, **kw):
        """Output of a shell script in a new container."""
        return self.run(*options, "busybox", "sh", "-c", script, **kw).out

    def detached(self, *args):
        """run -d under a fresh name; returns it."""
        self.count += 1
        name = "%s-%d-%d" % (self.program, os.getpid(), self.count)
        self("run", "-d", "--name", name, *args)
        return name

    def exec(self, name, script, **kw):
        return self("exec", name, "sh", "-c", script, **kw).out

    def pty(self, *args, **kw):
        return Pty(*self.command(*args), env=self.env, **kw)

    def inspect(self, name):
        return json.loads(self("inspect", name).out)[0]

    def state(self, name):
        return self.inspect(name)["State"]

    def pid(self, name):
        return self.state(name)["Pid"]

    def remove(self, *names):
        self("rm", "-f", *(("-t", "0") if self.podman else ()), *names)


docker = Client("docker", env=DOCKER_ENV)
podman = Client("podman", ("--runtime", NAME), {"CONTAINERS_CONF_OVERRIDE": CONTAINERS_CONF})


def make_archive():
    if not os.path.exists(ARCHIVE):
        data = image.busybox_image(("busybox:latest",))
        with open(ARCHIVE, "wb") as f:
            f.write(data if isinstance(data, bytes) else b"".join(data))
    return ARCHIVE


def prepare_podman():
    """podman with our runtime, told to take its errors from the JSON log."""
    with open(CONTAINERS_CONF, "w") as f:
        f.write('[containers]\n%s[engine]\ncgroup_manager = "cgroupfs"\nruntime_supports_json = ["%s"]\n'
                '[engine.runtimes]\n%s = ["%s"]\n' % ("" if controllers() else "pids_limit = 0\n", NAME, NAME, RUNTIME))
    podman("load", "-q", "-i", make_archive())


def remove_docker_containers():
    """Of the dockerd that runs: with other settings it would not find them."""
    if systemctl("is-active", "-q", "docker.service", check=None).code == 0:
        ids = docker("ps", "-aq").out.split()
        if ids:
            docker("rm", "-f", "-v", *ids)


def start_dockerd(**settings):
    """(Re)start dockerd with our runtime as its default and these settings on top."""
    remove_docker_containers()
    config = {"runtimes": {NAME: {"path": RUNTIME}}, "default-runtime": NAME,
              "exec-opts": ["native.cgroupdriver=cgroupfs"], "storage-driver": "overlay2"}
    config.update(settings)
    os.makedirs(os.path.dirname(DAEMON_JSON), exist_ok=True)
    with open(DAEMON_JSON, "w") as f:
        json.dump(config, f)
    systemctl("reset-failed", "docker.service", check=None)
    systemctl("restart", "docker.service", timeout=60)
    docker("load", "-q", "-i", make_archive())


def stop_dockerd():
    """Remove all containers, then docker itself: it is not part of other tests' beds."""
    remove_docker_containers()
    systemctl("stop", "docker.socket", "docker.service", "containerd.service", timeout=60)
    os.unlink(DAEMON_JSON)


def container_cgroups():
    """Directories that an engine's cgroupfs manager made for containers."""
    found = (d for base in ("docker", "libpod_parent") for d, _, _ in os.walk("/sys/fs/cgroup/" + base))
    return {d for d in found if re.search(r"/(libpod-)?[0-9a-f]{64}$", d)}


def no_payloads_left(before, *roots):
    """Neither state directories of a runtime nor cgroups of containers (but those of before) may remain."""
    for root in roots:
        wait_for(lambda r=root: not os.path.isdir(r) or not [n for n in os.listdir(r) if not n.startswith(".")],
                 what="state left in %s" % root)
    wait_for(lambda: not container_cgroups() - before, what="cgroups left")


def checks(client, functions):
    """{test_NAME: function} for the globals() of a test file."""
    out = {}
    for f in functions:
        @functools.wraps(f)
        def test(f=f):
            return f(client)
        test.marks = dict({"timeout": 90}, **getattr(f, "marks", {}), suites=("trixie-peers",))
        out["test_%s_%s" % (client.program, f.__name__.replace("check_", ""))] = test
    return out


def own_namespaces(pid="self"):
    return {k: os.readlink("/proc/%s/ns/%s" % (pid, k)) for k in ("pid", "ipc", "uts", "net", "mnt", "cgroup", "user")}


def use_docker_socket():
    """Point harness (inspect, http) at dockerd; only this test process is concerned."""
    harness.SOCKET, harness.API = DOCKER_SOCKET, "/v1.45"
    os.environ.update(DOCKER_ENV)


SYSTEM_PARTS = ("bin", "sbin", "lib", "lib64", "etc", "usr")
SYSTEM_WITHOUT = ("usr/lib/podman", "usr/lib/python3*", "usr/share/[a-ce-z]*", "usr/bin/[cdp]o[dmn]*", "usr/bin/docker", "usr/bin/ctr",
                  "usr/bin/python*", "usr/bin/perl*", "usr/sbin/*", "usr/libexec/*", "etc/machine-id", "etc/init.d/*", "etc/rc*",
                  "etc/systemd/system/multi-user.target.wants", "usr/lib/systemd/system/*/berth*") + tuple(
                      "usr/lib/systemd/system/%s*" % u for u in ("berth", "bed-", "docker", "containerd", "podman", "netavark", "nftables",
                                                                 "apparmor", "ldconfig", "e2scrub", "fstrim", "criu"))


def make_system_image(tag="system:latest"):
    """An image with systemd, from this bed's own files; for podman."""
    if podman("image", "exists", tag, check=None).code == 0:
        return
    archive = "/var/tmp/peers-system.tar"
    run("tar", "-C", "/", "-cf", archive, "--one-file-system", *("--exclude=" + x for x in SYSTEM_WITHOUT), *SYSTEM_PARTS, timeout=120)
    podman("import", "-q", "-c", 'CMD ["/lib/systemd/systemd"]', archive, tag, timeout=120)
    os.unlink(archive)
