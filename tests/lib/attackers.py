# SPDX-License-Identifier: LGPL-2.1-or-later
"""Hostile programs that run inside containers of the tests: python, since busybox is too slow to win a race."""
import os
import subprocess
import sys

from bundle import Bundle


def with_python(b):
    """Let the container have the bed's own python3 below /usr."""
    for name in ("lib", "lib64"):
        if os.path.islink("/" + name):
            os.symlink(os.readlink("/" + name), b.rootfs + "/" + name)
    os.makedirs(b.rootfs + "/usr", exist_ok=True)
    b.config["mounts"].append({"destination": "/usr", "source": "/usr", "options": ["rbind", "ro"]})
    return b


def attacker(script, *args, caps=()):
    """A bundle that runs the python script in its container; it prints 'ready' itself."""
    b = with_python(Bundle(sys.executable, "-u", "-c", script, *args))
    b.process["env"] = ["PATH=/bin:/usr/bin"]
    for name in ("bounding", "effective", "permitted"):
        b.process["capabilities"][name] += caps
    return b


class Running:
    """The attacker's container at work: `with Running(b) as r: ...`, then r.out is what it printed."""

    def __init__(self, b):
        self.b = b

    def __enter__(self):
        self.b.create().start()
        wait_for_text(self.b, "ready")
        return self

    def __exit__(self, *exc):
        self.out = self.b.out()
        self.b.delete()


def wait_for_text(b, text):
    from harness import wait_for
    wait_for(lambda: text in b.out(), 10)
