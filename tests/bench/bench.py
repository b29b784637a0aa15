#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Inside the bed: measure docker, podman and berth, one after the other in each round, so that drift hits all alike."""
import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import time

DOCKER_ENV = {"DOCKER_HOST": "unix:///var/run/docker.sock"}
PEERS = {
    "docker": (["docker"], DOCKER_ENV),
    "podman": (["podman"], {}),
    "berth": (["berth"], {}),
}
EXTRA = {"podman": ["--pids-limit=0"]}


def call(peer, *args, check=True, **kw):
    cmd, env = PEERS[peer]
    return subprocess.run(cmd + list(args), env=dict(os.environ, **env), check=check, stdout=kw.pop("stdout", subprocess.PIPE),
                          stderr=subprocess.PIPE, **kw)


def prepare(image):
    subprocess.run(["systemctl", "start", "docker"], check=True)
    subprocess.run(["systemctl", "start", "berth.socket"], check=True)
    for peer in PEERS:
        call(peer, "load", "-i", image)


def run_once(peer, options):
    argv = PEERS[peer][0] + ["run", "--rm", *options, *EXTRA.get(peer, []), "busybox", "true"]
    env = dict(os.environ, **PEERS[peer][1])
    t = time.perf_counter()
    subprocess.run(argv, env=env, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    return (time.perf_counter() - t) * 1000


def bench_run(rounds):
    print("\n`run --rm --network none busybox true`, milliseconds\n")
    print("| way | peer | median | p10 | p90 | ratio to berth |")
    print("|---|---|---|---|---|---|")
    for way, pause in (("loop", 0), ("one every 200 ms", 0.2)):
        took = {p: [] for p in PEERS}
        for peer in PEERS:
            run_once(peer, ["--network", "none"])
        for _ in range(rounds):
            for peer in PEERS:
                for _ in range(5 if pause == 0 else 1):
                    time.sleep(pause)
                    took[peer].append(run_once(peer, ["--network", "none"]))
        base = statistics.median(took["berth"])
        for peer, values in took.items():
            values.sort()
            q = lambda f: values[min(len(values) - 1, int(len(values) * f))]
            print("| %s | %s | %.1f | %.1f | %.1f | %.1f |" % (way, peer, statistics.median(values), q(0.1), q(0.9),
                                                          statistics.median(values) / base))
    sys.stdout.flush()


def smaps(pid):
    """(RSS, PSS) in KB."""
    with open("/proc/%d/smaps_rollup" % pid) as f:
        t = f.read()
    return tuple(int(re.search(r"^%s:\s+(\d+)" % k, t, re.M).group(1)) for k in ("Rss", "Pss"))


def pids_of(name):
    out = []
    for p in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/cmdline" % p, "rb") as f:
                argv = f.read().split(b"\0")
        except OSError:
            continue
        if os.path.basename(argv[0].decode(errors="replace")) == name:
            out.append(int(p))
    return out


def bench_memory(count=20):
    print("\n%d running containers (`sleep 1000`), KB\n" % count)
    print("| peer | supervisor RSS each | supervisor PSS each | daemons RSS |")
    print("|---|---|---|---|")
    supervisors = {"docker": "containerd-shim-runc-v2", "podman": "conmon", "berth": "berth-shim"}
    daemons = {"docker": ["dockerd", "containerd"], "podman": [], "berth": ["berthd", "berth-netd"]}
    for peer in PEERS:
        for i in range(count):
            call(peer, "run", "-d", "--name", "m%d" % i, "--network", "none", *EXTRA.get(peer, []), "busybox", "sleep", "1000")
        call(peer, "ps", "-a")
        each = [smaps(p) for p in pids_of(supervisors[peer])]
        assert len(each) >= count, (peer, len(each))
        total = sum(smaps(p)[0] for d in daemons[peer] for p in pids_of(d))
        print("| %s | %d | %d | %d |" % (peer, statistics.median(e[0] for e in each), statistics.median(e[1] for e in each), total))
        sys.stdout.flush()
        call(peer, "rm", "-f", *["m%d" % i for i in range(count)])


def bench_logs(lines=200000):
    print("\n%d lines of 100 bytes through foreground `run`\n" % lines)
    print("| peer | seconds | lines at the client | lines in `logs` |")
    print("|---|---|---|---|")
    script = "i=0; yes %s | head -n %d" % ("x" * 99, lines)
    for peer in PEERS:
        t = time.perf_counter()
        r = call(peer, "run", "--name", "lines", "--network", "none", *EXTRA.get(peer, []), "busybox", "sh", "-c", script)
        took = time.perf_counter() - t
        logged = call(peer, "logs", "lines").stdout.count(b"\n")
        print("| %s | %.2f | %d | %d |" % (peer, took, r.stdout.count(b"\n"), logged))
        sys.stdout.flush()
        call(peer, "rm", "lines")


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--image", required=True)
    ap.add_argument("--only", default="run,memory,logs")
    ap.add_argument("--rounds", type=int, default=20)
    a = ap.parse_args()
    prepare(a.image)
    print("kernel %s, systemd %s, %d CPUs, %s" % (
        os.uname().release, subprocess.run(["systemctl", "--version"], stdout=subprocess.PIPE, text=True).stdout.split()[1],
        os.cpu_count(), ", ".join("%s %s" % (p, call(p, "--version").stdout.decode().strip()) for p in PEERS)))
    for name in a.only.split(","):
        {"run": lambda: bench_run(a.rounds), "memory": bench_memory, "logs": bench_logs}[name]()


if __name__ == "__main__":
    main()
