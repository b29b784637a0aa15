# SPDX-License-Identifier: LGPL-2.1-or-later
"""The same bundles with crun, runc and berth-runtime: see tests/lib/rtdiff."""
import os

import bundle
from harness import bed, timeout
from rtdiff import case, cases_config, cases_files, cases_mountns, cases_process, compare  # noqa: F401
from rtdiff.intended import INTENDED


def setup():
    bundle.start_tests()
    os.chmod(bundle.TOP, 0o711)


def teardown():
    bundle.end_tests()


def group_test(group):
    @bed("trixie-peers")
    @timeout(120)
    def test():
        problems, known = compare.run_group(group, INTENDED)
        print("\n".join("intended: " + k for k in known))
        print("\n".join(problems))
        assert not problems, "%d problems, first: %s" % (len(problems), problems[0])
    return test


for g in dict.fromkeys(c.group for c in case.CASES):
    globals()["test_" + g] = group_test(g)
