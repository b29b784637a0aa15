# SPDX-License-Identifier: LGPL-2.1-or-later
"""Security labels and checkpoints. And: what is asked of criu, bit by bit."""
import os

import bundle
from checkpoint import Subject
from harness import needs, run, skip, timeout, wait_for

PROFILES = "".join("profile berth-checkpoint-%s flags=(attach_disconnected) {\n  file, network, capability, signal, ptrace, unix, mount, umount, "
                   "dbus,\n  deny /tmp/%s w,\n}\n" % (n, n) for n in ("one", "two"))


def setup():
    bundle.start_tests()


def teardown():
    bundle.end_tests()


def label(b):
    return b.proc("attr/current").strip("\0\n")


@needs("controllers")
@timeout(180)
def test_apparmor_profile_of_the_restored():
    """The one that it had, or another one that restore names: and that one is in force."""
    if not os.path.exists("/sys/module/apparmor"):
        skip("this kernel has no AppArmor")
    run("mount", "-t", "securityfs", "x", "/sys/kernel/security", check=None)
    run("apparmor_parser", "-r", "-K", input=PROFILES)
    b = Subject("while :; do for i in one two; do touch /tmp/$i; done; sleep 0.1; done")
    b.process["apparmorProfile"] = "berth-checkpoint-one"
    path = lambda name: b.rootfs + "/tmp/" + name

    def writes():
        for name in ("one", "two"):
            if os.path.exists(path(name)):
                os.unlink(path(name))
        wait_for(lambda: os.path.exists(path("one")) or os.path.exists(path("two")), what="the container to write")
        return [name for name in ("one", "two") if os.path.exists(path(name))]

    b.up()
    assert label(b) == "berth-checkpoint-one (enforce)" and writes() == ["two"]
    b.cycle()
    assert label(b) == "berth-checkpoint-one (enforce)" and writes() == ["two"]
    b.checkpoint()
    b.reap()
    b.restore("--lsm-profile", "apparmor:berth-checkpoint-two")
    assert label(b) == "berth-checkpoint-two (enforce)" and writes() == ["one"]
    b.checkpoint()
    b.reap()
    b.restore("--lsm-profile", "apparmor:berth-checkpoint-none", check=1)
    assert "restore.log" in b.out(), b.out()    # criu 3 hangs then, and is ended
    b.gone()
    for bad in ("berth-checkpoint-two", "other:x", "apparmor:"):
        b.restore("--lsm-profile", bad, check=1)
        assert "--lsm-profile \"%s\": expected apparmor:NAME or selinux:LABEL" % bad in b.out(), b.out()
        b.gone()
    b.restore()
    assert label(b) == "berth-checkpoint-two (enforce)"
    b.delete()


RECORDER = """#!/usr/bin/python3
# Says that it is criu 4.1, and keeps all else that it is asked.
import socket, sys
s = socket.socket(fileno=int(sys.argv[2]))
data = s.recv(1 << 20)
if data.startswith(bytes([8, 10])):
    s.send(bytes.fromhex("080a1001520408041001"))
else:
    open("%s", "wb").write(data)
"""


def varint(data, i):
    value = shift = 0
    while True:
        value |= (data[i] & 127) << shift
        shift += 7
        i += 1
        if data[i - 1] < 128:
            return value, i


def fields(data):
    found, i = {}, 0
    while i < len(data):
        key, i = varint(data, i)
        value, i = varint(data, i)
        if key & 7 == 2:
            value, i = data[i:i + value], i + value
        found.setdefault(key >> 3, []).append(value)
    return found


def asked(b, file):
    with open(file, "rb") as f:
        request = fields(f.read())
    os.unlink(file)
    return request[1][0], fields(request[2][0])


def test_fields_of_requests():
    """Numbers are those of criu's images/rpc.proto: what criu does not know it skips without a word."""
    b = Subject().up()
    os.mkdir(b.path + "/path")
    file = b.path + "/request"
    with open(b.path + "/path/criu", "w") as f:
        f.write(RECORDER % file)
    os.chmod(b.path + "/path/criu", 0o755)
    env = {"PATH": b.path + "/path:/usr/sbin:/usr/bin"}
    b.checkpoint("--network-lock=iptables", check=1, env=env)
    kind, o = asked(b, file)
    assert kind == 1 and o[2] == [b.pid] and o[10] == [b"dump.log"] and o[34] == [3] and o[64] == [1], o
    assert [o.get(n) for n in (4, 5, 7, 8, 16)] == [[0]] * 5 and not {11, 18, 38, 46, 48, 49, 51, 52, 53, 63} & set(o), o
    b.checkpoint("--network-lock=skip", "--tcp-established", "--ext-unix-sk", "--shell-job", "--file-locks", "--auto-dedup", "--tcp-close",
                 "--tcp-skip-in-flight", "--link-remap", "--empty-ns=network", "--manage-cgroups-mode=strict", "--leave-running",
                 "--lazy-pages", "--page-server=[::1]:65535", check=1, env=env)
    kind, o = asked(b, file)
    assert kind == 1 and [o[n] for n in (3, 4, 5, 7, 8, 16, 18, 46, 48, 52)] == [[1]] * 10, o
    assert fields(o[11][0]) == {1: [b"::1"], 2: [65535]} and o[34] == [5] and o[38] == [0x40000000] and o[64] == [3], o
    os.mkdir(b.path + "/parent")
    with open(b.path + "/parent/inventory.img", "w"):
        pass
    b.checkpoint("--network-lock=nftables", "--pre-dump", "--parent-path=../parent", "--manage-cgroups-mode=full", check=1, env=env)
    kind, o = asked(b, file)
    assert kind == 4 and o[14] == [b"../parent"] and o[15] == [1] and o[34] == [4] and o[64] == [2], o
    b.checkpoint()
    b.reap()
    b.save()
    b.restore("--lsm-profile=selinux:system_u:system_r:container_t:s0:c1,c2", "--lsm-mount-context=system_u:object_r:container_file_t:s0",
              "--tcp-close", "--manage-cgroups-mode=ignore", check=1, env=env)
    kind, o = asked(b, file)
    assert kind == 2 and o[53] == [b"selinux:system_u:system_r:container_t:s0:c1,c2"], o
    assert o[63] == [b"system_u:object_r:container_file_t:s0"] and o[52] == [1] and o[34] == [0] and o[26] == [1] and o[12] == [1], o
    assert o[13] == [os.fsencode(b.rootfs)] and o[10] == [b"restore.log"] and not {64, 48, 46} & set(o), o
    b.gone()
    b.restore()
    b.delete()
