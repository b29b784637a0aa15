# SPDX-License-Identifier: LGPL-2.1-or-later
"""linux.memoryPolicy: seen in the second column of numa_maps of whatever runs in the container."""
import json
import os

import bundle
from bundle import Bundle, rt
from harness import run, skip

SHOW = ["sh", "-c", "head -n 1 /proc/self/numa_maps | cut -d ' ' -f 2-3"]
WEIGHTED = "/sys/kernel/mm/mempolicy/weighted_interleave"


def setup():
    bundle.start_tests()
    if not os.path.exists("/proc/self/numa_maps"):
        skip("a kernel without NUMA")


def teardown():
    bundle.end_tests()


def policy(mode, nodes=None, *flags):
    p = {"mode": mode}
    if nodes is not None:
        p["nodes"] = nodes
    if flags:
        p["flags"] = list(flags)
    return p


def seen(p):
    b = Bundle(*SHOW)
    b.linux["memoryPolicy"] = p
    return b.run().out.split()[0]


def test_modes_and_flags():
    assert seen(policy("MPOL_DEFAULT")) == "default"
    assert seen(policy("MPOL_DEFAULT", "")) == "default"
    assert seen(policy("MPOL_LOCAL")) == "local"
    assert seen(policy("MPOL_BIND", "0")) == "bind:0"
    assert seen(policy("MPOL_INTERLEAVE", "0-0,0")) == "interleave:0"
    assert seen(policy("MPOL_PREFERRED", "0", "MPOL_F_STATIC_NODES")) == "prefer=static:0"
    assert seen(policy("MPOL_PREFERRED", "0", "MPOL_F_RELATIVE_NODES")) == "prefer=relative:0"
    b = Bundle(*SHOW)
    b.linux["memoryPolicy"] = policy("MPOL_PREFERRED_MANY", "0")
    assert b.run().out == "prefer (many):0\n"
    if os.path.exists(WEIGHTED):
        b.linux["memoryPolicy"] = policy("MPOL_WEIGHTED_INTERLEAVE", "0")
        assert b.run().out == "weighted interleave:0\n"
        assert seen(policy("MPOL_BIND", "0", "MPOL_F_NUMA_BALANCING")) == "bind=balancing:0"


def test_exec_has_it_too():
    b = Bundle("sleep", "1000")
    b.linux["memoryPolicy"] = policy("MPOL_BIND", "0", "MPOL_F_STATIC_NODES")
    b.create().start()
    assert rt("exec", b.id, *SHOW).out.split()[0] == "bind=static:0"
    with open(b.path + "/p.json", "w") as f:
        json.dump({"args": SHOW, "cwd": "/", "env": ["PATH=/bin"]}, f)
    assert rt("exec", "--process", b.path + "/p.json", b.id).out.split()[0] == "bind=static:0"
    b.delete()


def test_a_filter_may_refuse_the_call():
    b = Bundle(*SHOW)
    b.linux["memoryPolicy"] = policy("MPOL_BIND", "0")
    b.linux["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["set_mempolicy"],
                                                                           "action": "SCMP_ACT_ERRNO"}]}
    assert b.run().out.split()[0] == "bind:0"


def test_what_is_refused():
    def refused(p, text):
        b = Bundle()
        b.linux["memoryPolicy"] = p
        b.fails(text)

    for mode in ({}, {"nodes": "0-7"}, policy("INTERLEAVE", "0"), policy("MPOL_F_STATIC_NODES", "0")):
        refused(mode, "invalid memory policy mode")
    refused("MPOL_DEFAULT", "linux.memoryPolicy")
    refused(policy("MPOL_BIND", "0", "MPOL_F_STATIC_NODES", "badflag"), 'invalid memory policy flag "badflag"')
    for nodes in ("0-9876543210", "4096", "bad", "1-0", "0-", "-1", "0 1"):
        refused(policy("MPOL_BIND", nodes), 'invalid memory policy nodes "%s"' % nodes)
    for mode in ("MPOL_DEFAULT", "MPOL_LOCAL"):
        refused(policy(mode, "0-7"), "mode requires 0 nodes but got 8")
    # The rest is the kernel's.
    for p in (policy("MPOL_BIND"), policy("MPOL_BIND", "4095"), policy("MPOL_INTERLEAVE", ""),
              policy("MPOL_PREFERRED", "0", "MPOL_F_RELATIVE_NODES", "MPOL_F_STATIC_NODES"),
              policy("MPOL_PREFERRED", "0", "MPOL_F_NUMA_BALANCING")):
        refused(p, "set_mempolicy %s: invalid argument" % p["mode"])


def test_features():
    f = json.loads(run(bundle.RUNTIME, "features").out)["linux"]["memoryPolicy"]
    assert len(f["modes"]) == 7 and "MPOL_PREFERRED_MANY" in f["modes"], f
    assert sorted(f["flags"]) == ["MPOL_F_NUMA_BALANCING", "MPOL_F_RELATIVE_NODES", "MPOL_F_STATIC_NODES"], f
