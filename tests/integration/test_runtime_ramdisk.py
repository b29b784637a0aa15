# SPDX-License-Identifier: LGPL-2.1-or-later
"""Containers where / is mounted on nothing, as in an initial RAM disk: it cannot be pivoted away from."""
import os

import bundle
from bundle import ROOT, RUNTIME, Bundle
from harness import needs, run, timeout

RAMDISK = os.path.dirname(bundle.__file__) + "/ramdisk.py"


def setup():
    bundle.start_tests()


def teardown():
    bundle.end_tests()


@needs("vm")
@timeout(120)
def test_run_in_a_ram_disk():
    for options in ((), ("--no-pivot",)):
        b = Bundle("sh", "-c", "echo $(ls /); unshare -mrpf sh -c 'mount -t proc none /tmp && echo bare'; cd ..; echo $(ls)")
        for s in ("bounding", "permitted", "effective"):
            b.process["capabilities"][s] = b.process["capabilities"][s] + ["CAP_SETFCAP", "CAP_SYS_ADMIN"]
        b.save()
        r = run("python3", RAMDISK, "/usr/bin/" + RUNTIME, "--root", ROOT, "run", *options, "--bundle", b.path, b.id, check=None)
        names = " ".join(sorted(os.listdir(b.rootfs)))
        assert r.out == "%s\n%s\n" % (names, names) and "mount" in r.err, r
        b.gone()
