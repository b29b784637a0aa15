# SPDX-License-Identifier: LGPL-2.1-or-later
"""Compare berth-runtime with crun, runc and the floor. Runs inside a bed; tests/bench/runtime starts it."""
import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, "/var/tmp")
import bundle

HERE = "/var/tmp"


def profile(path):
    """Our default profile, as an engine without rules for capabilities would hand it to a runtime."""
    with open(path) as f:
        d = json.load(f)
    arch = next(a for a in d["archMap"] if a["architecture"] == "SCMP_ARCH_X86_64")
    calls = [{k: s[k] for k in ("names", "action", "args", "errnoRet") if k in s} for s in d["syscalls"]
             if not s.get("includes") and not s.get("excludes")]
    return {"defaultAction": d["defaultAction"], "defaultErrnoRet": d["defaultErrnoRet"],
            "architectures": [arch["architecture"], *arch["subArchitectures"]], "syscalls": calls}


def make(name, args, seccomp=None, systemd=False):
    b = bundle.Bundle(*args)
    b.process["noNewPrivileges"] = True
    if seccomp:
        b.linux["seccomp"] = seccomp
    if systemd:
        b.linux["cgroupsPath"] = "system.slice:bench:" + name
    else:
        b.linux["cgroupsPath"] = "/bench/" + name
    b.save()
    return b.path


def measure(rounds, pause, commands):
    argv = [HERE + "/spawn-timer", str(rounds), str(pause)]
    for i, c in enumerate(commands):
        argv += (["--"] if i else []) + c
    out = subprocess.run(argv, stdout=subprocess.PIPE, check=True, text=True).stdout
    return [tuple(map(int, line.split())) for line in out.splitlines()]


def measure_pairs(rounds, pause, commands):
    """Ours against each other one alone: moving a process to a cgroup is dear unless somebody has done it within the last
    10 ms, so in a round of three who comes after a slow one would pay for it."""
    pairs = [measure(rounds, pause, [commands[0], c]) for c in commands[1:]]
    return [pairs[0][0]] + [p[1] for p in pairs]


def row(title, names, results):
    ours = results[0]
    cells = " | ".join("%.2f (%.2f), %.1f MB" % (m / 1000, low / 1000, kb / 1024) for m, low, kb in results)
    ratios = " | ".join("%.2f, %.2f" % (ours[0] / m, ours[2] / kb) for _, (m, _, kb) in list(zip(names, results))[1:])
    print("| %s | %s | %s |" % (title, cells, ratios), flush=True)


def run_commands(runtimes, path, extra=()):
    return [[rt, "--root", "/run/bench-" + os.path.basename(rt), *extra, "run", "--bundle", path, "bench-" + os.path.basename(rt)]
            for rt in runtimes]


def exec_commands(runtimes, path):
    """A container of each runtime to exec into; the commands, and what ends it all."""
    commands, ends = [], []
    for rt in runtimes:
        base = [rt, "--root", "/run/bench-" + os.path.basename(rt)]
        cid = "execs-" + os.path.basename(rt)
        subprocess.run([*base, "run", "--detach", "--bundle", path, cid], check=True, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        commands.append([*base, "exec", cid, "true"])
        ends.append([*base, "delete", "--force", cid])
    return commands, ends


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--rounds", type=int, default=100)
    p.add_argument("--runtimes", default="berth-runtime,crun,runc")
    p.add_argument("--rows", default="bare,profile,spaced,exec,systemd,systemd-spaced")
    o = p.parse_args()
    runtimes = [shutil.which(r) or r for r in o.runtimes.split(",")]
    names = [os.path.basename(r) for r in runtimes]
    rows = o.rows.split(",")
    seccomp = profile(HERE + "/seccomp.json")
    print("| median (smallest) ms, max RSS | %s | %s |" % (" | ".join(names), " | ".join("/ " + n for n in names[1:])))
    print("|---" * (2 * len(names)) + "|")
    bare, full = make("bare", ["true"]), make("profile", ["true"], seccomp)
    if "bare" in rows:
        row("run, six namespaces, no filter", names, measure(o.rounds, 0, run_commands(runtimes, bare)))
    if "profile" in rows:
        row("run, with the default seccomp profile", names, measure(o.rounds, 0, run_commands(runtimes, full)))
    if "spaced" in rows:
        row("the same, one every 100 ms", names, measure(max(o.rounds // 3, 10), 100, run_commands(runtimes, full)))
    if "exec" in rows:
        commands, ends = exec_commands(runtimes, make("exec", ["sleep", "1000"], seccomp))
        row("exec true", names, measure(o.rounds, 0, commands))
        for e in ends:
            subprocess.run(e, check=True)
    by_systemd = run_commands(runtimes, make("systemd", ["true"], seccomp, systemd=True), ["--systemd-cgroup"])
    if "systemd" in rows:
        row("run, systemd cgroup driver", names, measure_pairs(o.rounds, 0, by_systemd))
    if "systemd-spaced" in rows:
        row("the same, one every 100 ms", names, measure_pairs(max(o.rounds // 3, 10), 100, by_systemd))
    m, low, kb = measure(o.rounds, 0, [[HERE + "/floor", bare + "/rootfs", "/bin/true"]])[0]
    print("\nfloor (clone3 of six namespaces, pivot_root, exec): %.2f (%.2f) ms, %.1f MB" % (m / 1000, low / 1000, kb / 1024))
    m, low, kb = measure(o.rounds, 0, [["/bin/busybox", "true"]])[0]
    print("fork and exec of a static `true`: %.2f (%.2f) ms, %.1f MB" % (m / 1000, low / 1000, kb / 1024))


main()
