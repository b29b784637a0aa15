# SPDX-License-Identifier: LGPL-2.1-or-later
"""Options that no other test gives: what they do, or how they are refused."""
import os

from bundle import CGROUP, Bundle, end_tests, rt, start_tests

setup, teardown = start_tests, end_tests


def test_debug_and_no_subreaper():
    b = Bundle("sh", "-c", "exit 3").save()
    rt("--debug", "run", "--no-subreaper", "--bundle", b.path, b.id, check=3)
    rt("create", "--no-subreaper", "--bundle", b.path, b.id, check=1)


def test_process_label_of_exec():
    b = Bundle("sleep", "1000").create().start()
    r = rt("exec", "--process-label", "system_u:system_r:container_t:s0", b.id, "true", check=None)
    if os.path.exists("/sys/fs/selinux/enforce"):
        assert r.code == 0, r
    else:
        assert r.code == 255 and "elinux" in r.err.lower(), r
    b.delete()


def update(flag, value, controller, file, written):
    b = Bundle("sleep", "1000").create().start()
    r = rt("update", flag, value, b.id, check=None)
    with open(CGROUP + "/cgroup.controllers") as f:
        if controller in f.read().split():
            with open("%s/berth-test/%s/%s" % (CGROUP, b.id, file)) as g:
                assert r.code == 0 and g.read() == written, r
        else:
            assert r.code == 1 and controller in r.err, r
    assert rt("update", flag, "nonsense!", b.id, check=None).code == 1
    b.delete()


def test_memory_reservation():
    update("--memory-reservation", "32m", "memory", "memory.low", "%d\n" % (32 << 20))


def test_cpuset_mems():
    update("--cpuset-mems", "0", "cpuset", "cpuset.mems", "0\n")


def test_kernel_memory_is_ignored_with_a_warning():
    b = Bundle("sleep", "1000").create().start()
    for flag in ("--kernel-memory", "--kernel-memory-tcp"):
        r = rt("update", flag, "32m", b.id)
        assert "kernel" in r.err, r
        rt("update", flag, "nonsense!", b.id, check=1)
    b.delete()
