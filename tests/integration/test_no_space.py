# SPDX-License-Identifier: LGPL-2.1-or-later
"""A full disk: clear errors, nothing half-made left, and all is well once there is space again."""
import os

import harness
from harness import berth, http, image, load, make_image, run, systemctl, wait_for

STATE = "/var/lib/berth"
FILLER = STATE + "/filler"


def setup():
    """A small state directory of its own; the engine and its socket start over on it."""
    systemctl("stop", "berth.socket", "berth.service", "berth-netd.socket", "berth-netd.service", check=None)
    run("mount", "-t", "tmpfs", "-o", "size=16m,mode=711", "tmpfs", STATE)
    run("systemd-tmpfiles", "--create", "berth.conf")
    systemctl("start", "berth.socket")
    if os.path.exists("/usr/lib/systemd/system/berth-netd.socket"):
        systemctl("start", "berth-netd.socket")
    make_image()


def teardown():
    harness.remove_all()
    systemctl("stop", "berth.socket", "berth.service", "berth-netd.socket", "berth-netd.service", check=None)
    run("umount", "-l", STATE)
    systemctl("start", "berth.socket")
    if os.path.exists("/usr/lib/systemd/system/berth-netd.socket"):
        systemctl("start", "berth-netd.socket")


def listing():
    found = set()
    for d, dirs, files in os.walk(STATE):
        if not d.startswith(STATE + "/layers/"):
            found |= {os.path.join(d, x) for x in dirs + files}
    return found


def test_load_too_large():
    before = listing()
    big = image.tar([image.member("big%d" % i, os.urandom(1 << 20)) for i in range(20)])
    r = load(image.docker_archive([big], ("big:latest",)), expect=None)
    assert "no space left on device" in r.text, r
    assert r.status >= 400 or "errorDetail" in r.text, r
    wait_for(lambda: listing() == before, what="nothing is left of the image")
    assert http("GET", "/images/big/json").status == 404


def test_create_on_a_full_disk():
    before = listing()
    with open(FILLER, "wb", buffering=0) as f:
        try:
            while True:
                f.write(b"x" * 65536)
        except OSError:
            pass
        try:
            while True:
                f.write(b"x")
        except OSError:
            pass
    try:
        r = http("POST", "/containers/create?name=no-room", {"Image": "busybox"})
        assert r.status == 500 and "no space left on device" in r.json()["message"].lower(), r
    finally:
        os.unlink(FILLER)
    wait_for(lambda: listing() == before, what="nothing is left of the container")


def test_a_container_fills_the_disk():
    r = berth("run", "--network", "none", "--name", "filler", "busybox", "sh", "-c",
              "dd if=/dev/zero of=/big bs=64k; echo still here", timeout=60)
    assert "No space left on device" in r.err and r.out == "still here\n", r
    assert harness.inspect("filler")["State"]["Status"] == "exited"
    berth("rm", "filler")
    wait_for(lambda: not os.listdir(STATE + "/trash"), what="the space is free again")
    berth("run", "--rm", "--network", "none", "busybox", "sh", "-c", "head -c 1000000 /dev/zero >/small")
