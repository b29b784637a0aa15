# SPDX-License-Identifier: LGPL-2.1-or-later
"""The common path (tests/lib/path.py) with the real docker client."""
import path
from harness import make_image as setup  # noqa: F401

globals().update(path.checks("docker"))
