# SPDX-License-Identifier: LGPL-2.1-or-later
"""Checkpoints that podman and dockerd make with our runtime (bed: trixie-peers)."""
import os

import peers
from harness import bed, needs, timeout, wait_for
from peers import docker, podman

COUNT = "i=0; while :; do i=$((i+1)); echo $i >/count; sleep 0.05; done"
BEFORE = peers.container_cgroups()


def setup():
    peers.prepare_podman()


def teardown():
    podman.remove("-a")
    peers.no_payloads_left(BEFORE, "/run/berth/runtime")


def count(name):
    return int(podman.exec(name, "cat /count") or 0)


def check_there_and_back(manager):
    p = lambda *args, **kw: podman("--cgroup-manager", manager, *args, **kw)
    archive = "/var/tmp/checkpoint-%s.tar.gz" % manager
    p("run", "-d", "--name", "cp-" + manager, "--network", "none", "busybox", "sh", "-c", COUNT)
    wait_for(lambda: count("cp-" + manager) >= 2)
    p("container", "checkpoint", "cp-" + manager)
    assert podman.state("cp-" + manager)["Checkpointed"] and not podman.state("cp-" + manager)["Running"]
    p("container", "restore", "cp-" + manager)
    assert podman.state("cp-" + manager)["Running"]
    n = count("cp-" + manager)
    wait_for(lambda: count("cp-" + manager) > n)
    p("container", "checkpoint", "--leave-running", "cp-" + manager)
    assert podman.state("cp-" + manager)["Running"]
    # To another container, as if on another host.
    p("container", "checkpoint", "--export", archive, "cp-" + manager)
    p("rm", "-f", "-t", "0", "cp-" + manager)
    p("container", "restore", "--import", archive, "--name", "cq-" + manager)
    os.unlink(archive)
    assert podman.state("cq-" + manager)["Running"]
    n2 = count("cq-" + manager)
    assert n <= n2 < n + 1000, (n, n2)
    wait_for(lambda: count("cq-" + manager) > n2)
    p("rm", "-f", "-t", "0", "cq-" + manager)


@bed("trixie-peers")
@needs("podman", "criu")
@timeout(120)
def test_podman_cgroupfs():
    check_there_and_back("cgroupfs")


@bed("trixie-peers")
@needs("podman", "criu")
@timeout(120)
def test_podman_systemd():
    check_there_and_back("systemd")


@bed("trixie-peers")
@needs("podman", "criu")
def test_podman_output_and_terminal():
    podman("run", "-d", "--name", "cp-out", "--network", "none", "-t", "busybox", "sh", "-c",
           "i=0; while :; do i=$((i+1)); echo n $i; sleep 0.05; done")
    wait_for(lambda: "n 2\r\n" in podman("logs", "cp-out").raw_out.decode())
    podman("container", "checkpoint", "cp-out")
    n = len(podman("logs", "cp-out").out)
    podman("container", "restore", "cp-out")
    wait_for(lambda: len(podman("logs", "cp-out").out) > n, what="output after the restore")
    podman.remove("cp-out")
    podman("run", "-d", "--name", "cp-pipe", "--network", "none", "busybox", "sh", "-c",
           "i=0; while :; do i=$((i+1)); echo n $i; sleep 0.05; done")
    wait_for(lambda: "n 2\n" in podman("logs", "cp-pipe").out)
    podman("container", "checkpoint", "cp-pipe")
    n = len(podman("logs", "cp-pipe").out)
    podman("container", "restore", "cp-pipe")
    wait_for(lambda: len(podman("logs", "cp-pipe").out) > n, what="output after the restore")
    podman.remove("cp-pipe")


@bed("trixie-peers")
@needs("docker", "criu")
@timeout(120)
def test_docker():
    """containerd pauses a container first, and says -no-subreaper."""
    peers.start_dockerd(experimental=True)
    try:
        name = docker.detached("--network", "none", "busybox", "sh", "-c", COUNT)
        read = lambda: int(docker.exec(name, "cat /count") or 0)
        wait_for(lambda: read() >= 2)
        before = read()
        docker("checkpoint", "create", name, "one")
        assert not docker.state(name)["Running"]
        # Until containerd has collected what it wrote for the checkpoint, docker cannot give it the same again.
        wait_for(lambda: docker("start", "--checkpoint", "one", name, check=None).code == 0, timeout=20)
        n = read()
        assert before <= n < before + 1000, (before, n)
        wait_for(lambda: read() > n)
        docker("checkpoint", "create", "--leave-running", name, "two")
        n = read()
        wait_for(lambda: read() > n)
        docker.remove(name)
    finally:
        peers.stop_dockerd()
