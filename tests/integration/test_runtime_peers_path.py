# SPDX-License-Identifier: LGPL-2.1-or-later
"""The common path (tests/lib/path.py) with dockerd and berth-runtime below it (bed: trixie-peers)."""
import peers

peers.use_docker_socket()

import path  # noqa: E402


def setup():
    peers.start_dockerd()


def teardown():
    peers.stop_dockerd()


# dockerd answers 126 to exec of what is not there, and waits 10 s for a first process that has no handler.
NOT_THERE = ("client_errors", "stop_without_handler_is_fast", "exec")
ONLY = [n[6:] for n in vars(path) if n.startswith("check_") and n[6:] not in NOT_THERE]
for name, test in path.checks("docker", only=ONLY).items():
    test.marks["suites"] = ("trixie-peers",)
    globals()[name] = test
