# SPDX-License-Identifier: LGPL-2.1-or-later
"""An engine that missed something: the truth is on disk and has to be found there."""
import os
import signal
import socket

import harness
from harness import docker, unit_property, wait_for


def setup():
    harness.remove_all()
    harness.make_image()


def toggle(cid, times):
    """More events than a connection that nobody reads can hold."""
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.settimeout(10)
    s.connect("/run/berth/containers/%s/shim.sock" % cid)
    for i in range(times):
        for verb in ("pause", "unpause"):
            s.send(("verb=%s\nseq=%d\n" % (verb, i)).encode())
            assert b"errno=0" in s.recv(65536)
    s.close()


def test_exit_that_the_engine_did_not_hear_of():
    docker("run", "-d", "--name", "e1", "busybox", "sh", "-c", "trap 'exit 7' TERM; while :; do sleep 0.1; done")
    info = harness.inspect("e1")
    engine = int(unit_property("berth.service", "MainPID"))
    os.kill(engine, signal.SIGSTOP)
    try:
        toggle(info["Id"], 600)
        os.kill(info["State"]["Pid"], signal.SIGTERM)
        wait_for(lambda: unit_property(harness.shim_unit(info["Id"]), "ActiveState") != "active", what="the end")
    finally:
        os.kill(engine, signal.SIGCONT)
    wait_for(lambda: harness.inspect("e1")["State"]["Status"] == "exited", what="the engine to notice")
    state = harness.inspect("e1")["State"]
    assert state["ExitCode"] == 7 and not state["Error"], state
    assert docker("wait", "e1").out.strip() == "7"
    docker("rm", "e1")
