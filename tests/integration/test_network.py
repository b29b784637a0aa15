# SPDX-License-Identifier: LGPL-2.1-or-later
"""berth-netd by itself: namespaces, addresses, packet filter, restarts. A small client speaks its messages."""
import array
import os
import random
import secrets
import signal
import socket
import threading
import time

from harness import http, inspect, make_image, remove_all, run, systemctl, unit_property, wait_for

SOCK = "/run/berth/netd.sock"
CONTAINERS = "/var/lib/berth/containers"
LEASES = "/var/lib/berth/networks/bridge/leases"
OUTSIDE = "198.51.100.2"


class Client:
    """One connection to netd."""

    def __init__(self):
        self.s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.s.settimeout(20)
        self.s.connect(SOCK)
        self.seq = 0

    def send(self, verb, **fields):
        self.seq += 1
        lines = ["verb=" + verb, "seq=%d" % self.seq]
        lines += ["%s=%s" % (k.replace("_", "-"), v) for k, v in fields.items()]
        self.s.send(("\n".join(lines) + "\n").encode())

    def receive(self):
        data, anc, _, _ = self.s.recvmsg(65536, socket.CMSG_SPACE(4 * 8))
        if not data:
            raise ConnectionResetError("netd hung up")
        fds = array.array("i")
        for level, kind, payload in anc:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                fds.frombytes(payload[:len(payload) - len(payload) % fds.itemsize])
        reply = {}
        for line in data.decode().splitlines():
            k, v = line.split("=", 1)
            reply.setdefault(k, []).append(v)
        return {k: v[0] if len(v) == 1 else v for k, v in reply.items()}, list(fds)

    def call(self, verb, **fields):
        self.send(verb, **fields)
        reply, fds = self.receive()
        assert reply["verb"] == "reply" and reply["seq"] == str(self.seq), reply
        return reply, fds

    def close(self):
        self.s.close()


class Endpoint:
    """An attached container: its namespace is held open, commands can be run in it."""

    made = []

    def __init__(self, cid=None, client=None):
        self.id = cid or secrets.token_hex(32)
        os.makedirs("%s/%s" % (CONTAINERS, self.id), mode=0o700, exist_ok=True)
        c = client or Client()
        self.reply, fds = c.call("attach", container=self.id, name="n" + self.id[:6], network="bridge")
        if not client:
            c.close()
        assert self.reply["errno"] == "0", self.reply
        assert len(fds) == 1
        self.fd = fds[0]
        self.address = self.reply["address"]
        Endpoint.made.append(self)

    def run(self, *cmd, **kw):
        return run("nsenter", "--net=/proc/%d/fd/%d" % (os.getpid(), self.fd), *cmd, **kw)

    def close_namespace(self):
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def detach(self):
        self.close_namespace()
        c = Client()
        reply, _ = c.call("detach", container=self.id)
        c.close()
        assert reply["errno"] == "0", reply
        os.rmdir("%s/%s" % (CONTAINERS, self.id))
        Endpoint.made.remove(self)


def cleanup():
    for e in list(Endpoint.made):
        e.detach()
    wait_for(lambda: not os.path.isdir(LEASES) or os.listdir(LEASES) == [])


def clean(f):
    """Every test leaves no container behind."""
    def wrapped():
        try:
            f()
        finally:
            cleanup()
            run("ip", "netns", "del", "outside", check=None)
    wrapped.__name__, wrapped.__doc__ = f.__name__, f.__doc__
    return wrapped


# One echo request; the beds have no ping.
PING = """
import os, socket, struct, sys, time
six = ':' in sys.argv[1]
s = socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_RAW, 58 if six else 1)
ident = os.getpid() & 0xffff
head = struct.pack('!BBHHH', 128 if six else 8, 0, 0, ident, 1)
words = struct.unpack('!4H', head)
total = sum(words)
total = (total & 0xffff) + (total >> 16)
if not six:
    head = struct.pack('!BBHHH', 8, 0, ~total & 0xffff, ident, 1)
s.sendto(head, (sys.argv[1], 0))
end = time.monotonic() + float(sys.argv[2])
while True:
    s.settimeout(max(0.001, end - time.monotonic()))
    data = s.recv(2048)
    data = data if six else data[(data[0] & 15) * 4:]
    if data[0] == (129 if six else 0) and struct.unpack('!H', data[4:6])[0] == ident:
        break
"""


def pings(endpoint, address, expected=True):
    r = endpoint.run("python3", "-c", PING, address, "3" if expected else "0.7", check=None)
    assert (r.code == 0) == expected, r


def tcp_ok(endpoint, address, port, expected=True):
    """Connect from the endpoint's namespace and return who the server thinks we are."""
    code = ("import socket; s = socket.create_connection((%r, %d), %d); print(s.recv(100).decode(), end='')"
            % (address, port, 5 if expected else 1))
    r = endpoint.run("python3", "-c", code, check=None)
    assert (r.code == 0) == expected, r
    return r.out


class Who:
    """A TCP server, in a namespace or on the host, that tells each client its address."""

    def __init__(self, port, prefix=()):
        code = ("import socket\ns = socket.socket(socket.AF_INET6); s.setsockopt(41, 26, 0)\n"
                "s.setsockopt(1, 2, 1); s.bind(('::', %d)); s.listen(5); print('up', flush=True)\n"
                "while 1:\n c, a = s.accept(); c.sendall(a[0].encode()); c.close()" % port)
        import subprocess
        self.p = subprocess.Popen([*prefix, "python3", "-c", code], stdout=subprocess.PIPE)
        assert self.p.stdout.readline() == b"up\n"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.p.kill()
        self.p.wait()
        self.p.stdout.close()


def make_outside():
    """A second machine: a namespace behind a veth, with a route back to the host only."""
    run("ip", "netns", "add", "outside")
    run("ip", "link", "add", "out0", "type", "veth", "peer", "name", "eth0", "netns", "outside")
    run("ip", "addr", "add", "198.51.100.1/24", "dev", "out0")
    run("ip", "link", "set", "out0", "up")
    for c in ("link set lo up", "addr add 198.51.100.2/24 dev eth0", "link set eth0 up"):
        run("ip", "netns", "exec", "outside", "ip", *c.split())


@clean
def test_attach_makes_a_working_namespace():
    a = Endpoint()
    r = a.reply
    assert r["ifname"] == "eth0" and r["mac"].startswith("02:42:") and len(r["endpoint"]) == 64, r
    out = a.run("ip", "-4", "addr", "show", "eth0").out
    assert "inet %s/%s" % (r["address"], r["prefix"]) in out, out
    assert r["mac"] in a.run("ip", "link", "show", "eth0").out
    assert "default via " + r["gateway"] in a.run("ip", "route").out
    pings(a, "127.0.0.1")
    pings(a, r["gateway"])
    assert "master berth0" in run("ip", "link", "show", r["link"]).out
    with open("/proc/sys/net/ipv4/ip_forward") as f:
        assert f.read() == "1\n"
    assert os.listdir(LEASES) == [a.address]


@clean
def test_two_containers_reach_each_other_and_the_host():
    a, b = Endpoint(), Endpoint()
    assert a.address != b.address
    pings(a, b.address)
    pings(b, a.address)
    with Who(7001, ("nsenter", "--net=/proc/%d/fd/%d" % (os.getpid(), b.fd))):
        assert tcp_ok(a, b.address, 7001).endswith(a.address)
    with Who(7002):
        assert tcp_ok(a, a.reply["gateway"], 7002).endswith(a.address)


@clean
def test_ipv6_between_containers():
    a, b = Endpoint(), Endpoint()
    assert a.reply["address6"].startswith("fd"), a.reply
    pings(a, b.reply["address6"])
    pings(a, a.reply["gateway6"])
    assert "default via " + a.reply["gateway6"] in a.run("ip", "-6", "route").out


@clean
def test_egress_is_masqueraded_and_nothing_comes_in():
    a = Endpoint()
    make_outside()
    with Who(7003, ("ip", "netns", "exec", "outside")):
        assert tcp_ok(a, OUTSIDE, 7003).endswith("198.51.100.1")
    pings(a, OUTSIDE)
    # Even with a route, nobody outside reaches an address of a container.
    run("ip", "netns", "exec", "outside", "ip", "route", "add", a.address, "via", "198.51.100.1")
    r = run("ip", "netns", "exec", "outside", "python3", "-c", PING, a.address, "0.7", check=None)
    assert r.code != 0 and "timed out" in r.err, r


@clean
def test_attach_twice_keeps_the_address():
    a = Endpoint()
    again = Endpoint(a.id)
    Endpoint.made.remove(a)
    assert again.address == a.address and again.reply["mac"] == a.reply["mac"]
    pings(again, again.reply["gateway"])
    a.close_namespace()
    pings(again, again.reply["gateway"])


@clean
def test_detach_frees_everything_and_twice_is_fine():
    a = Endpoint()
    link = a.reply["link"]
    c = Client()
    for _ in range(2):
        assert c.call("detach", container=a.id)[0]["errno"] == "0"
    c.close()
    # The namespace is still held here, so the interface does not go by itself.
    wait_for(lambda: run("ip", "link", "show", link, check=None).code != 0)
    wait_for(lambda: os.listdir(LEASES) == [])
    b = Endpoint()
    assert b.address == a.address


@clean
def test_address_is_free_when_nobody_holds_the_namespace():
    a = Endpoint()
    a.close_namespace()
    wait_for(lambda: run("ip", "link", "show", a.reply["link"], check=None).code != 0)
    wait_for(lambda: os.listdir(LEASES) == [])


@clean
def test_quick_restart_keeps_the_address():
    a = Endpoint()
    c = Client()
    assert c.call("detach", container=a.id)[0]["errno"] == "0"
    c.close()
    again = Endpoint(a.id)
    Endpoint.made.remove(a)
    assert again.address == a.address
    pings(again, again.reply["gateway"])
    a.close_namespace()
    time.sleep(1.5)     # longer than netd waits before it removes what was detached
    pings(again, again.reply["gateway"])


@clean
def test_kill_loses_nothing():
    a, b = Endpoint(), Endpoint()
    make_outside()
    for _ in range(3):
        pid = int(unit_property("berth-netd.service", "MainPID"))
        os.kill(pid, signal.SIGKILL)
        pings(a, b.address)
        with Who(7004, ("ip", "netns", "exec", "outside")):
            assert tcp_ok(a, OUTSIDE, 7004).endswith("198.51.100.1")
        wait_for(lambda: int(unit_property("berth-netd.service", "MainPID")) not in (0, pid))
        wait_for(lambda: unit_property("berth-netd.service", "ActiveState") == "active")
        assert sorted(os.listdir(LEASES)) == sorted((a.address, b.address))
        c = Endpoint()
        assert c.address not in (a.address, b.address)
        pings(a, c.address)
        c.detach()
    systemctl("reset-failed", "berth-netd.service", check=None)


@clean
def test_killed_at_random_moments_nothing_leaks():
    stop = threading.Event()

    def killer():
        while not stop.is_set():
            pid = int(unit_property("berth-netd.service", "MainPID"))
            if pid:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            time.sleep(random.uniform(0, 0.15))
    t = threading.Thread(target=killer)
    t.start()
    try:
        end = time.monotonic() + 6
        while time.monotonic() < end:
            try:
                e = Endpoint(secrets.token_hex(32))
            except (OSError, ValueError):      # died with our request
                continue
            pings(e, e.reply["gateway"])
            if len(Endpoint.made) > 5:
                random.choice(Endpoint.made).close_namespace()
                random.choice(Endpoint.made).close_namespace()
                Endpoint.made[:] = [e for e in Endpoint.made if e.fd >= 0]
    finally:
        stop.set()
        t.join()
    held = sorted(e.address for e in Endpoint.made)
    assert len(set(held)) == len(held) and held
    Client().call("list")
    wait_for(lambda: sorted(os.listdir(LEASES)) == held)
    for e in Endpoint.made:
        pings(e, e.reply["gateway"])
    links = [l for l in os.listdir("/sys/class/net") if l.startswith("ve")]
    assert len(links) == len(held), links


@clean
def test_start_drops_what_belongs_to_nobody():
    a, gone, dead = Endpoint(), Endpoint(), Endpoint()
    systemctl("stop", "berth-netd.service")
    os.rmdir("%s/%s" % (CONTAINERS, gone.id))
    dead.close_namespace()
    wait_for(lambda: run("ip", "link", "show", dead.reply["link"], check=None).code != 0)
    with open(LEASES + "/172.17.200.200", "w"):
        pass
    run("ip", "link", "add", "ve00000000", "type", "veth", "peer", "name", "vx00000000")
    run("ip", "link", "set", "ve00000000", "master", "berth0")
    c = Client()
    reply, _ = c.call("list")
    c.close()
    assert reply["lease"].startswith(a.address + " " + a.id), reply
    assert os.listdir(LEASES) == [a.address]
    assert run("ip", "link", "show", "ve00000000", check=None).code != 0
    assert run("ip", "link", "show", gone.reply["link"], check=None).code != 0
    os.mkdir("%s/%s" % (CONTAINERS, gone.id))
    pings(a, a.reply["gateway"])


@clean
def test_flush_ruleset_is_survived():
    a = Endpoint()
    make_outside()
    run("nft", "flush", "ruleset", check=None)
    with Who(7005, ("ip", "netns", "exec", "outside")):
        wait_for(lambda: tcp_ok(a, OUTSIDE, 7005).endswith("198.51.100.1"))
    assert run("nft", "list", "table", "inet", "berth").code == 0


@clean
def test_removed_bridge_comes_back():
    a = Endpoint()
    run("ip", "link", "del", "berth0")
    wait_for(lambda: run("ip", "link", "show", "berth0", check=None).code == 0)
    wait_for(lambda: "master berth0" in run("ip", "link", "show", a.reply["link"]).out)
    b = Endpoint()
    pings(a, b.address)
    a.detach()
    b.detach()
    wait_for(lambda: os.listdir(LEASES) == [])
    run("ip", "link", "del", "berth0")
    a, b = Endpoint(), Endpoint()
    pings(a, b.address)


@clean
def test_options_of_later_are_refused_by_name():
    c = Client()
    cid = secrets.token_hex(32)
    for fields, word in (({"network": "mynet"}, "mynet"), ({"network": "bridge", "publish": "80:80"}, "publish"),
                         ({"network": "bridge", "ip": "172.17.0.9"}, "ip")):
        reply, fds = c.call("attach", container=cid, **fields)
        assert reply["errno"] == "95" and word in reply["message"] and not fds, reply
    assert c.call("dance")[0]["errno"] == "95"
    assert c.call("attach", container="../../etc", network="bridge")[0]["errno"] == "22"
    assert c.call("attach", network="bridge")[0]["errno"] == "22"
    c.close()


def test_malformed_messages_only_end_their_connection():
    for data in (b"x", b"verb", b"\x00" * 100, b"verb=attach\nseq=1\ncontainer=\xff\xfe\n", b"=\n=\n", b"\n\n",
                 b"verb=attach\n" + b"a=b\n" * 600):
        c = Client()
        c.s.send(data)
        try:
            c.s.recv(65536)
        except ConnectionResetError:
            pass
        c.close()
    c = Client()
    assert c.call("list")[0]["errno"] == "0"
    c.close()


@clean
def test_a_client_that_does_not_read_delays_nobody():
    a = Endpoint()
    slow = Client()
    slow.s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    slow.s.setblocking(False)
    sent = 0
    try:
        while sent < 100000:
            slow.send("attach", container=a.id, network="bridge")
            sent += 1
    except BlockingIOError:
        pass
    assert sent < 100000
    idle = [Client() for _ in range(50)]
    c = Client()
    assert c.call("list")[0]["errno"] == "0"
    for x in [slow, c, *idle]:
        x.close()


@clean
def test_many_at_once_get_addresses_of_their_own():
    errors = []

    def work():
        try:
            c = Client()
            for _ in range(10):
                Endpoint(client=c)
            c.close()
        except Exception as e:      # reported by the main thread
            errors.append(e)
    threads = [threading.Thread(target=work) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not errors, errors
    addresses = [e.address for e in Endpoint.made]
    assert len(addresses) == 80 and len(set(addresses)) == 80
    pings(Endpoint.made[0], addresses[-1])


def start_container(name, *cmd):
    """A container on the default network, as `docker run -d` makes it."""
    cid = http("POST", "/containers/create?name=" + name, {"Image": make_image(), "Cmd": list(cmd)}, expect=201).json()["Id"]
    http("POST", "/containers/%s/start" % cid, expect=204)
    return cid


def test_containers_on_the_default_network():
    try:
        web = start_container("net-web", "sh", "-c", "mkdir /w; echo hello >/w/index.html; exec httpd -f -p 80 -h /w")
        address = inspect(web)["NetworkSettings"]["IPAddress"]
        assert inspect(web)["NetworkSettings"]["Networks"]["bridge"]["IPAddress"] == address
        fetch = "wget -q -O - http://%s/" % address
        wait_for(lambda: run("python3", "-c", "import urllib.request; print(urllib.request.urlopen('http://%s/').read())"
                             % address, check=None).out == "b'hello\\n'\n")
        run("docker", "run", "--rm", make_image(), "sh", "-c", "[ \"$(%s)\" = hello ]" % fetch)
        # Nobody notices that netd dies, and the next container gets another address.
        os.kill(int(unit_property("berth-netd.service", "MainPID")), signal.SIGKILL)
        out = run("docker", "run", "--rm", make_image(), "sh", "-c", fetch + "; ip -4 addr show eth0").out
        assert "hello" in out and address + "/" not in out, out
        assert os.listdir(LEASES) == [address] or wait_for(lambda: os.listdir(LEASES) == [address])
        http("POST", "/containers/%s/restart?t=0" % web, expect=204, timeout=60)
        assert inspect(web)["NetworkSettings"]["IPAddress"]
        http("DELETE", "/containers/%s?force=1" % web, expect=204)
        wait_for(lambda: os.listdir(LEASES) == [])
    finally:
        remove_all()


def test_host_and_none_do_not_ask_netd():
    run("docker", "run", "--rm", "--network", "none", make_image(), "sh", "-c", "! ip link show eth0")
    run("docker", "run", "--rm", "--network", "host", make_image(), "ip", "link", "show", "lo")
    assert not os.path.isdir(LEASES) or os.listdir(LEASES) == []


def test_subnet_avoids_what_the_host_uses():
    systemctl("stop", "berth-netd.service", "berth-netd.socket")
    run("ip", "link", "del", "berth0", check=None)
    run("ip", "link", "add", "vpn0", "type", "veth", "peer", "name", "vpn1")
    try:
        run("ip", "addr", "add", "172.17.3.4/30", "dev", "vpn0")
        run("ip", "link", "set", "vpn0", "up")
        run("ip", "link", "set", "vpn1", "up")
        run("ip", "route", "add", "172.18.0.0/15", "dev", "vpn0")
        systemctl("start", "berth-netd.socket")
        a = Endpoint()
        assert a.address.startswith("172.20.0."), a.reply
        pings(a, a.reply["gateway"])
        a.detach()
    finally:
        systemctl("start", "berth-netd.socket")
        run("ip", "link", "del", "vpn0")


def test_sandbox():
    r = run("systemd-analyze", "security", "--no-pager", "--threshold=25", "berth-netd.service", check=None)
    assert r.code == 0, r.out.splitlines()[-3:]


@clean
def test_it_leaves_when_idle():
    drop_in = "/run/systemd/system/berth-netd.service.d"
    os.makedirs(drop_in, exist_ok=True)
    with open(drop_in + "/idle.conf", "w") as f:
        f.write("[Service]\nExecStart=\nExecStart=/usr/libexec/berth/berth-netd --idle-timeout=1\n")
    try:
        systemctl("daemon-reload")
        systemctl("stop", "berth-netd.service")
        a = Endpoint()
        time.sleep(2.5)
        assert unit_property("berth-netd.service", "ActiveState") == "active"
        a.detach()
        wait_for(lambda: unit_property("berth-netd.service", "ActiveState") == "inactive")
        assert unit_property("berth-netd.service", "Result") == "success"
        Endpoint()
    finally:
        os.unlink(drop_in + "/idle.conf")
        systemctl("daemon-reload")
        systemctl("stop", "berth-netd.service")
