# SPDX-License-Identifier: LGPL-2.1-or-later
"""linux.netDevices: devices of the host that move into a container's network namespace, and come back if nothing becomes of it."""
import json
import os
import subprocess

import bundle
from bundle import ROOT, RUNTIME, Bundle, ns_without, rt
from harness import run, skip_unless, wait_for

MAC, MTU = "02:11:22:33:44:55", 1789
V4, V6 = "169.254.169.77", "2001:db8::77"
NETNS = "berth-netdev"


def setup():
    bundle.start_tests()


def teardown():
    bundle.end_tests()


def ip(*args, check=0):
    return run("ip", *args, check=check)


def device(name, addresses=(V4 + "/32", V6 + "/64")):
    """A veth whose other end stays: there are dummies in few kernels only."""
    run("ip", "link", "del", name, check=None)
    ip("link", "add", name, "mtu", str(MTU), "address", MAC, "type", "veth", "peer", "name", "peer-" + name)
    for a in addresses:
        ip("address", "add", a, "dev", name, "nodad")
    ip("link", "set", name, "up")
    ip("link", "set", "peer-" + name, "up")
    return name


def drop(name):
    run("ip", "link", "del", "peer-" + name, check=None)


def facts(name, netns=None):
    """What is said of the device, or None if there is none."""
    r = run("ip", *(("-n", netns) if netns else ()), "-j", "address", "show", "dev", name, check=None)
    if r.code != 0:
        return None
    d = json.loads(r.out)[0]
    return {"mtu": d["mtu"], "mac": d["address"], "up": "UP" in d["flags"],
            "addresses": {a["local"]: a for a in d["addr_info"] if a["scope"] == "global"}}


def check_whole(f):
    assert f and f["mtu"] == MTU and f["mac"] == MAC and f["up"] and sorted(f["addresses"]) == sorted([V4, V6]), f
    assert not f["addresses"][V6].get("tentative"), f


class Netns:
    def __enter__(self):
        run("ip", "netns", "del", NETNS, check=None)
        ip("netns", "add", NETNS)

    def __exit__(self, *_):
        ip("netns", "del", NETNS)


def joined(b):
    for n in b.linux["namespaces"]:
        if n["type"] == "network":
            n["path"] = "/run/netns/" + NETNS
    return b


def user_namespace(b):
    b.linux["namespaces"].append({"type": "user"})
    b.linux["uidMappings"] = b.linux["gidMappings"] = [{"containerID": 0, "hostID": 100000, "size": 65536}]
    os.chmod(bundle.TOP, 0o755)
    run("chown", "-R", "-h", "100000:100000", b.rootfs)
    return b


def test_into_a_new_namespace():
    for change in (lambda b: b, user_namespace):
        device("bnd0")
        b = change(Bundle("ip", "address", "show", "dev", "bnd0"))
        b.linux["netDevices"] = {"bnd0": {}}
        out = b.run().out
        for text in ("mtu %d " % MTU, "ether %s " % MAC, "inet %s/32 " % V4, "inet6 %s/64 scope global" % V6, ",UP"):
            assert text in out, out
        # It was virtual and has ended with the namespace.
        assert facts("bnd0") is None
        drop("bnd0")


def test_into_a_namespace_by_path():
    with Netns():
        device("bnd0")
        b = joined(Bundle("ip", "address", "show", "dev", "ctr0"))
        b.linux["netDevices"] = {"bnd0": {"name": "ctr0"}}
        out = b.run().out
        assert "inet %s/32 " % V4 in out and "mtu %d " % MTU in out, out
        # The container's end is not that of the namespace: the device stays in it.
        check_whole(facts("ctr0", NETNS))
        assert facts("bnd0") is None and facts("bnd0", NETNS) is None
        ip("-n", NETNS, "link", "set", "ctr0", "netns", "1")
        drop("bnd0")


def test_delete_leaves_the_device_in_the_namespace():
    with Netns():
        device("bnd0")
        b = joined(Bundle("sleep", "1000"))
        b.linux["netDevices"] = {"bnd0": {}}
        b.create().start()
        b.delete()
        check_whole(facts("bnd0", NETNS))
        drop("bnd0")


def test_only_permanent_addresses_of_global_scope():
    device("bnd0", ())
    ip("address", "add", "127.0.0.33/32", "dev", "bnd0", "scope", "host")
    ip("address", "add", "10.99.0.1/24", "broadcast", "10.99.0.200", "dev", "bnd0", "metric", "77")
    ip("address", "add", "10.99.0.2/24", "dev", "bnd0", "label", "bnd0:1")
    ip("address", "add", "10.99.1.1/32", "peer", "10.99.1.2/32", "dev", "bnd0")
    ip("address", "add", "10.99.2.1/24", "dev", "bnd0", "valid_lft", "1000", "preferred_lft", "1000")
    with Netns():
        b = joined(Bundle())
        b.linux["netDevices"] = {"bnd0": {"name": "ctr0"}}
        b.run()
        a = facts("ctr0", NETNS)["addresses"]
        assert sorted(a) == ["10.99.0.1", "10.99.0.2", "10.99.1.1"], a
        assert a["10.99.0.1"]["broadcast"] == "10.99.0.200" and a["10.99.0.1"]["metric"] == 77, a
        assert a["10.99.0.2"]["secondary"] and a["10.99.0.2"]["label"] == "ctr0", a
        assert a["10.99.1.1"]["address"] == "10.99.1.2", a
    drop("bnd0")


def test_a_template_for_the_name():
    device("bnd0")
    device("bnd1", ())
    b = Bundle("sh", "-c", "ls /sys/class/net; ip address show dev eth0")
    b.linux["netDevices"] = {"bnd0": {"name": "eth%d"}, "bnd1": {"name": "eth%d"}}
    out = b.run().out
    assert out.split()[:3] == ["eth0", "eth1", "lo"] and V4 in out, out
    drop("bnd0")
    drop("bnd1")


def test_a_number_that_is_taken_there():
    """Two namespaces number their devices on their own."""
    with Netns():
        device("bnd0")
        with open("/sys/class/net/bnd0/ifindex") as f:
            index = f.read().strip()
        ip("-n", NETNS, "link", "add", "other", "index", index, "type", "veth", "peer", "name", "rest")
        b = joined(Bundle())
        b.linux["netDevices"] = {"bnd0": {"name": "eth%d"}}
        b.run()
        check_whole(facts("eth0", NETNS))
        assert not facts("other", NETNS)["up"]
        drop("bnd0")


def test_hooks_see_it():
    device("bnd0")
    b = Bundle()
    with open(b.path + "/hook", "w") as f:
        f.write("#!/bin/sh\nip address show dev ctr0 >%s/seen 2>&1\n" % b.path)
    os.chmod(b.path + "/hook", 0o755)
    b.config["hooks"] = {"createContainer": [{"path": b.path + "/hook", "env": ["PATH=" + os.environ["PATH"]]}]}
    b.linux["netDevices"] = {"bnd0": {"name": "ctr0"}}
    b.run()
    with open(b.path + "/seen") as f:
        assert V4 in f.read()
    drop("bnd0")


def test_a_failed_create_brings_it_back():
    def fails(b, text, devices):
        b.linux["netDevices"] = devices
        b.fails(text)
        check_whole(facts("bnd0"))

    device("bnd0")
    device("bnd1", ())
    b = Bundle("/missing")
    fails(b, "/missing", {"bnd0": {"name": "ctr0"}})
    fails(user_namespace(Bundle("/missing")), "/missing", {"bnd0": {}})
    fails(Bundle(), "network device gone0: no such device", {"bnd0": {}, "gone0": {}})
    # The kernel moves it first and refuses the name then.
    with Netns():
        ip("-n", NETNS, "link", "add", "ctr0", "type", "veth", "peer", "name", "rest")
        fails(joined(Bundle()), 'has a device "ctr0" already', {"bnd1": {}, "bnd0": {"name": "ctr0"}})
        fails(joined(Bundle()), "network device bnd0: move it", {"bnd1": {"name": "eth7"}, "bnd0": {"name": "%s"}})
        fails(joined(Bundle("/missing")), "/missing", {"bnd1": {}, "bnd0": {"name": "eth%d"}})
        assert facts("bnd1") and facts("bnd1", NETNS) is None and facts("eth7", NETNS) is None
    drop("bnd0")
    drop("bnd1")


def test_what_is_refused():
    def refused(devices, text, change=lambda b: b):
        b = change(Bundle())
        b.linux["netDevices"] = devices
        b.fails(text)

    def host(b):
        ns_without(b, "network")
        return b

    def host_by_path(b):
        for n in b.linux["namespaces"]:
            if n["type"] == "network":
                n["path"] = "/proc/self/ns/net"
        return b

    device("bnd0")
    for change in (host, host_by_path):
        refused({"bnd0": {}}, "unable to move network devices without a private NET namespace", change)
    for name in ("", "a/b", "a:b", "a b", ".", "..", "x" * 16):
        refused({name: {}}, 'invalid network device name "%s"' % name)
        if name:
            refused({"bnd0": {"name": name}}, 'invalid network device name "%s"' % name)
    refused({"bnd0": {}, "bnd1": {"name": "bnd0"}}, 'two devices of the name "bnd0"')
    refused({"bnd0": {"name": 1}}, "linux.netDevices.name")
    refused({"bnd0": None}, "linux.netDevices")
    refused([], "linux.netDevices")
    refused({"lo": {"name": "lo2"}}, "network device lo: move it")
    check_whole(facts("bnd0"))
    drop("bnd0")
    b = Bundle()
    b.linux["netDevices"] = {}
    b.run()


def test_no_checkpoint():
    device("bnd0")
    b = Bundle("sleep", "1000")
    b.linux["netDevices"] = {"bnd0": {}}
    b.create().start()
    r = rt("checkpoint", "--image-path", b.path + "/images", b.id, check=None)
    assert r.code != 0 and "linux.netDevices is not supported" in r.err, r
    assert b.state()["status"] == "running"
    b.delete()
    drop("bnd0")


def test_features():
    assert json.loads(run(bundle.RUNTIME, "features").out)["linux"]["netDevices"] == {"enabled": True}


@skip_unless(os.path.exists("/usr/bin/strace"), "needs strace")
def test_the_owner_of_the_namespace_has_made_one_with_the_same_number():
    """It must not get ours under another number, nor the host be given theirs. strace holds each request for a second."""
    with Netns():
        run("ip", "link", "del", "bnum", check=None)
        ip("link", "add", "bnum", "index", "777", "type", "veth", "peer", "name", "peer-bnum")
        ip("address", "add", V4 + "/32", "dev", "bnum")
        b = joined(Bundle("true"))
        b.linux["netDevices"] = {"bnum": {"name": "eth7"}}
        b.save()
        trace = b.path + "/trace"
        p = subprocess.Popen(["strace", "-o", trace, "-e", "trace=sendto,ioctl", "-e", "inject=sendto:delay_enter=1000000",
                              RUNTIME, "--root", ROOT, "run", "--bundle", b.path, b.id],
                             stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

        def looked():
            with open(trace) as f:
                return "SIOCGIFNAME" in f.read()
        try:
            wait_for(lambda: os.path.exists(trace) and looked(), 30)
            ip("-n", NETNS, "link", "add", "evil", "index", "777", "type", "veth", "peer", "name", "evil-peer")
            _, err = p.communicate(timeout=40)
            assert p.returncode != 0 and "bnum" in err, (p.returncode, err)
            assert list(facts("bnum")["addresses"]) == [V4]
            assert facts("evil", NETNS) and not facts("eth7", NETNS) and not facts("evil")
        finally:
            p.kill()
            p.wait()
            drop("bnum")
