# SPDX-License-Identifier: LGPL-2.1-or-later
"""Measures berth, docker and podman interleaved; runs inside a bed (started by tests/bench/run)."""
import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time

NULL = subprocess.DEVNULL
LINES = 200000


class Engine:
    """One contestant: how its client is called and which processes belong to it."""

    def __init__(self, name, command, extra, shims, daemons, env=None):
        self.name, self.command, self.extra = name, command, extra
        self.shims, self.daemons = shims, daemons
        self.env = dict(os.environ, **(env or {}))

    def call(self, *args, **kw):
        kw.setdefault("stdout", NULL)
        return subprocess.run([self.command, *args], env=self.env, stdin=NULL, check=True, **kw)

    def run(self, *args, **kw):
        return self.call("run", *self.extra, *args, **kw)


def engines(which):
    """The contestants that are installed here."""
    table = [
        Engine("berth", "/usr/bin/berth", ["--network", "none"], ["berth-shim"], ["berthd", "berth-netd"]),
        Engine("docker", shutil.which("docker") or "", ["--network", "none"], ["containerd-shim"],
               ["dockerd", "containerd"], {"DOCKER_HOST": "unix:///var/run/docker.sock"}),
        # Without controllers podman cannot set its default pids limit.
        Engine("podman", shutil.which("podman") or "", ["--network", "none", "--pids-limit", "0"], ["conmon"], []),
    ]
    return [e for e in table if os.path.exists(e.command) and (not which or e.name in which)]


def process_kb(names, field, file):
    """(sum, number) of a memory field over all processes whose program has one of these names."""
    total = count = 0
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            exe = os.path.basename(os.readlink("/proc/%s/exe" % pid)).split(" ")[0]
            if not any(exe == n or (n == "containerd-shim" and exe.startswith(n)) for n in names):
                continue
            with open("/proc/%s/%s" % (pid, file)) as f:
                total += [int(l.split()[1]) for l in f if l.startswith(field)][0]
            count += 1
        except (OSError, IndexError):
            continue
    return total, count


def timed(function):
    start = time.perf_counter()
    function()
    return (time.perf_counter() - start) * 1000


def interleaved(contestants, function, rounds, pause=0.0):
    """{name: milliseconds of each round}; the order changes every round."""
    times = {e.name: [] for e in contestants}
    for i in range(rounds):
        for e in contestants[i % len(contestants):] + contestants[:i % len(contestants)]:
            if pause:
                time.sleep(pause)
            times[e.name].append(timed(lambda: function(e)))
    return times


def in_a_row(contestants, function, rounds, blocks=5):
    """As interleaved(), but in blocks of one contestant, as a loop of its user would be."""
    times = {e.name: [] for e in contestants}
    for _ in range(blocks):
        for e in contestants:
            function(e)
            times[e.name] += [timed(lambda: function(e)) for _ in range(max(1, rounds // blocks))]
    return times


def measure_many(e, count):
    """PSS per supervisor and RSS of the daemons with so many containers running."""
    for i in range(count):
        e.run("-d", "--name", "bench-%d" % i, "busybox", "sleep", "1000")
    e.call("ps")
    time.sleep(2)
    pss, n = process_kb(e.shims, "Pss:", "smaps_rollup")
    rss, _ = process_kb(e.daemons, "VmRSS:", "status")
    e.call("rm", "-f", *["bench-%d" % i for i in range(count)])
    return pss / max(n, 1), n, rss / 1024


def count_lines(e):
    """Seconds for LINES lines of 100 bytes through `run`; all must arrive."""
    script = "awk 'BEGIN { for (i = 1; i <= %d; i++) printf \"%%099d\\n\", i }'" % LINES
    start = time.perf_counter()
    out = e.run("--rm", "busybox", "sh", "-c", script, stdout=subprocess.PIPE).stdout
    seconds = time.perf_counter() - start
    return seconds, out.count(b"\n")


def rate_of_eight(e):
    """Milliseconds each when eight are started at once."""
    start = time.perf_counter()
    jobs = [subprocess.Popen([e.command, "run", *e.extra, "--rm", "busybox", "true"], env=e.env, stdin=NULL, stdout=NULL)
            for _ in range(8)]
    for j in jobs:
        if j.wait():
            raise RuntimeError("%s failed" % e.name)
    return (time.perf_counter() - start) * 1000 / 8


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--rounds", type=int, default=40)
    p.add_argument("--containers", type=int, default=20)
    p.add_argument("--engines", default="")
    p.add_argument("--image", default="/var/tmp/bench-busybox.tar")
    p.add_argument("--json")
    a = p.parse_args()
    contestants = engines(a.engines.split(",") if a.engines else [])
    if any(e.name == "docker" for e in contestants):
        subprocess.run(["systemctl", "start", "docker"], check=True)
    for e in contestants:
        e.call("load", "-i", a.image)
        e.run("--rm", "busybox", "true")
        e.run("-d", "--name", "bench-exec", "busybox", "sleep", "100000")
    rows = []

    def row(title, values, digits=1):
        rows.append((title, values, digits))
        print("# " + title + ": " + ", ".join("%s %.*f" % (k, digits, v) for k, v in values.items()), file=sys.stderr)

    def medians(times):
        return {k: statistics.median(v) for k, v in times.items()}

    def once(e):
        e.run("--rm", "busybox", "true")
    row("run --rm true, in a loop, ms", medians(in_a_row(contestants, once, a.rounds)))
    row("run --rm true, one every 200 ms, ms", medians(interleaved(contestants, once, a.rounds, 0.2)))
    row("run --rm true, eight at once, ms each", {e.name: statistics.median(
        [rate_of_eight(e) for _ in range(5)]) for e in contestants})
    row("exec true, in a loop, ms", medians(in_a_row(
        contestants, lambda e: e.call("exec", "bench-exec", "true"), a.rounds)))
    lines = {e.name: [count_lines(e) for _ in range(3)] for e in contestants}
    row("%d lines of 100 bytes through run, s" % LINES, {k: statistics.median(s for s, _ in v)
                                                          for k, v in lines.items()}, 2)
    row("lines lost of them", {k: float(max(LINES - n for _, n in v)) for k, v in lines.items()}, 0)
    for e in contestants:
        e.call("rm", "-f", "bench-exec")
    many = {e.name: measure_many(e, a.containers) for e in contestants}
    row("PSS per supervisor at %d containers, kB" % a.containers, {k: v[0] for k, v in many.items()}, 0)
    row("RSS of the daemons then, MB", {k: v[2] for k, v in many.items()})
    names = [e.name for e in contestants]
    print("| | " + " | ".join(names) + " | " + " | ".join("%s / berth" % n for n in names if n != "berth") + " |")
    print("|" + "---|" * (2 * len(names) if "berth" in names else len(names) + 1))
    for title, values, digits in rows:
        cells = ["%.*f" % (digits, values[n]) for n in names]
        base = values.get("berth", 0)
        cells += ["%.1f" % (values[n] / base) if base else "-" for n in names if n != "berth"]
        print("| %s | %s |" % (title, " | ".join(cells)))
    if a.json:
        with open(a.json, "w") as f:
            json.dump({t: v for t, v, _ in rows}, f, indent=1)


if __name__ == "__main__":
    main()
