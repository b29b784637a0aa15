# SPDX-License-Identifier: LGPL-2.1-or-later
"""Restores where / is mounted on nothing, as in an initial RAM disk."""
import os
import subprocess

import bundle
from bundle import ROOT, RUNTIME
from checkpoint import Subject
from harness import needs, timeout, wait_for


def setup():
    bundle.start_tests()


def teardown():
    bundle.end_tests()


@needs("vm")
@timeout(120)
def test_no_pivot_in_a_ram_disk():
    b = Subject().up()
    wait_for(lambda: b.count() >= 1)
    b.checkpoint()
    b.reap()
    def restore(*options):
        with open(b.path + "/out", "ab") as out:
            return subprocess.run(["python3", os.path.dirname(bundle.__file__) + "/ramdisk.py", "/usr/bin/" + RUNTIME, "--root", ROOT, "restore", "--detach",
                                   "--bundle", b.path, "--image-path", b.images, "--work-path", b.work, "--pid-file", b.path + "/pid", *options, b.id],
                                  stdin=subprocess.DEVNULL, stdout=out, stderr=out, timeout=100).returncode
    assert restore() == 1 and "pivot" in b.out(), b.out()
    b.gone()
    assert restore("--no-pivot") == 0, b.out() + open(b.work + "/restore.log").read()[-3000:]
    b.pid = int(open(b.path + "/pid").read())
    n = b.count()
    wait_for(lambda: b.count() > n)
    assert sorted(os.listdir("/proc/%d/root" % b.pid)) == sorted(os.listdir(b.rootfs))
    b.delete()
