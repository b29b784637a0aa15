# SPDX-License-Identifier: LGPL-2.1-or-later
"""Images: load, import, list, tag, inspect, remove through the docker client and the socket; hostile archives."""
import json
import os
import signal
import socket

from harness import (berth, connect, docker, http, image, load, make_image, remove_all, run, systemctl, timeout,
                     wait_for)
from image import docker_archive, layer, member, oci_layout, tar

STATE = "/var/lib/berth"
SMALL = {"etc/hello": "hello\n"}


def setup():
    make_image()


def listing():
    """All paths of the store but the insides of layers; sizes of files."""
    found = {}
    for top in ("images", "blobs", "layers"):
        for d, dirs, files in os.walk(os.path.join(STATE, top)):
            for name in dirs + files:
                path = os.path.join(d, name)
                found[path] = os.lstat(path).st_size if name in files else 0
            if d == STATE + "/layers":
                dirs[:] = [x for x in dirs if x.startswith(".new-")]
    found.pop(STATE + "/images/.lock", None)
    return found


def settled():
    """The listing once no worker is busy with unused layers."""
    wait_for(lambda: run("pgrep", "-x", "berth-worker", check=None).code == 1, what="no worker runs")
    return listing()


def refused(archive, *texts, status=400):
    """Loading fails with this, and leaves nothing."""
    before = settled()
    r = load(archive, expect=None)
    assert r.status == status, r
    for text in texts:
        assert text in r.json()["message"], r
    assert settled() == before


# --- the good ways -------------------------------------------------------------------------------------------------

def check_loaded(archive, name, path="/tmp/image-test.tar"):
    with open(path, "wb") as f:
        f.write(archive)
    r = docker("load", "-i", path)
    assert "Loaded image: %s" % name in r.out, r
    return json.loads(docker("image", "inspect", name).out)[0]


def test_docker_archive_every_compression():
    for i, how in enumerate((None, "gzip", "zstd")):
        layers = [layer({"n": str(i)}), layer({"m": str(i)})]
        info = check_loaded(docker_archive(layers, ("da:%d" % i,), compression=how), "da:%d" % i)
        assert info["Id"] == image.image_id(layers)
        assert info["RootFS"]["Layers"] == ["sha256:" + image.sha256(x) for x in layers]


def test_oci_layout_every_compression():
    for i, how in enumerate((None, "gzip", "zstd")):
        layers = [layer({"o": str(i)})]
        info = check_loaded(oci_layout(layers, ("oci:%d" % i,), compression=how), "oci:%d" % i)
        assert info["Id"] == image.image_id(layers)


def test_compressed_archive():
    import bz2
    import gzip
    import lzma
    for i, pack in enumerate((gzip.compress, lzma.compress, bz2.compress, image.zstd)):
        check_loaded(pack(docker_archive([layer({"p": str(i)})], ("packed:%d" % i,))), "packed:%d" % i)


def test_several_tags_and_images():
    r = load(docker_archive([layer(SMALL)], ("t/one:1", "two:latest", "r.example:5000/three:x")))
    for name in ("t/one:1", "two:latest", "r.example:5000/three:x"):
        assert '{"stream":"Loaded image: %s\\n"}' % name in r.text, r
    tags = http("GET", "/images/two/json", expect=200).json()["RepoTags"]
    assert sorted(tags) == sorted(["t/one:1", "two:latest", "r.example:5000/three:x"]), tags


def test_untagged_image_is_dangling():
    layers = [layer({"dangling": "x"})]
    r = load(docker_archive(layers, ()))
    assert "Loaded image ID: %s" % image.image_id(layers) in r.text, r
    ids = [i["Id"] for i in http("GET", '/images/json?filters={"dangling":["true"]}', expect=200).json()]
    assert image.image_id(layers) in ids
    docker("rmi", image.image_id(layers))


def test_reload_renames_the_old_one():
    old, new = [layer({"v": "1"})], [layer({"v": "2"})]
    load(docker_archive(old, ("moving:1",)))
    r = load(docker_archive(new, ("moving:1",)))
    assert "The image moving:1 already exists, renaming the old one with ID %s to empty string" % image.image_id(old) in r.text, r
    assert http("GET", "/images/moving:1/json").json()["Id"] == image.image_id(new)
    assert http("GET", "/images/%s/json" % image.image_id(old)).json()["RepoTags"] == []


def test_chunked_and_pieces():
    data = docker_archive([layer({"c": "x"})], ("chunked:1",))
    r = http("POST", "/images/load?quiet=1", iter([data[:10], data[10:4000], data[4000:]]), expect=200)
    assert "Loaded image: chunked:1" in r.text


def test_whiteouts_in_a_container():
    busybox = tar(image.busybox_members())
    second = tar([member("etc/.wh.group", ""), member("www/.wh..wh..opq", ""), member("www/new", "new\n"),
                  member("home/.wh.nothing", "")])
    load(docker_archive([busybox, second], ("wh:1",)))
    r = berth("run", "--rm", "--network", "none", "wh:1", "sh", "-c", "ls /etc /www /home; cat /www/new")
    assert r.out == "/etc:\nhostname\nhosts\npasswd\nresolv.conf\nshadow\n\n/home:\n\n/www:\nnew\nnew\n" or \
        ("group" not in r.out and "index.html" not in r.out and "new\nnew\n" in r.out), r


def test_owners_modes_and_times():
    info, data = member("bin/probe", "x", 0o4755, uid=12, gid=34)
    load(docker_archive([tar(image.busybox_members()), tar([(info, data)])], ("modes:1",)))
    assert berth("run", "--rm", "--network", "none", "modes:1", "stat", "-c", "%a %u %g %Y", "/bin/probe").out.split() == \
        ["4755", "12", "34", str(image.MTIME)]


def test_import_and_changes():
    path = "/tmp/import-test.tar"
    for i, how in enumerate((None, "gzip", "zstd")):
        with open(path, "wb") as f:
            f.write(image.compress(tar(image.busybox_members()), how))
        r = docker("import", "-m", "a message", "-c", 'CMD ["echo","imported"]', "-c", "ENV A=b", "-c", "WORKDIR /www",
                   path, "imp:%d" % i)
        info = json.loads(docker("image", "inspect", "imp:%d" % i).out)[0]
        assert r.out.strip() == info["Id"]
        assert info["Config"]["Env"] == ["A=b"] and info["Config"]["WorkingDir"] == "/www"
        assert info["Comment"] == "a message"
    assert berth("run", "--rm", "--network", "none", "imp:0").out == "imported\n"


def test_import_refuses():
    before = settled()
    data = tar(image.busybox_members())
    r = http("POST", "/images/create?fromSrc=-&repo=BAD!", b"x", expect=400)
    assert "must be lowercase" in r.json()["message"], r
    for query, status, text in (("changes=RUN%20x", 400, "RUN is not a valid change command"),
                                ("changes=ONBUILD%20RUN%20x", 501, "ONBUILD")):
        r = http("POST", "/images/create?fromSrc=-&" + query, data, expect=status)
        assert text in r.json()["message"], r
    r = http("POST", "/images/create?fromSrc=-", data[:len(data) // 2], expect=400)
    assert "Truncated" in r.json()["message"], r
    assert settled() == before


# --- names and removal ---------------------------------------------------------------------------------------------

def test_tag_list_remove():
    docker("tag", "busybox", "again/x:7")
    docker("tag", "busybox", "y")
    names = docker("images", "--format", "{{.Repository}}:{{.Tag}}").out.split()
    assert {"again/x:7", "y:latest", "busybox:latest"} <= set(names), names
    assert docker("rmi", "again/x:7").out == "Untagged: again/x:7\n"
    assert docker("rmi", "y").out == "Untagged: y:latest\n"
    r = docker("rmi", "y", check=None)
    assert r.code == 1 and "No such image: y:latest" in r.err, r


def test_ids_and_prefixes():
    full = http("GET", "/images/busybox/json", expect=200).json()["Id"]
    for name in (full, full[7:], full[7:19], full[:19]):
        assert http("GET", "/images/%s/json" % name, expect=200).json()["Id"] == full


def test_bad_references():
    r = http("POST", "/images/busybox/tag?repo=BAD!", expect=400)
    assert r.json()["message"] == "invalid reference format: repository name (library/BAD!) must be lowercase"
    assert http("GET", "/images/nosuch/json", expect=404).json()["message"] == "No such image: nosuch:latest"


def test_remove_deletes_layers_that_nobody_uses():
    shared, own = layer({"shared": "1"}), layer({"own": "1"})
    load(docker_archive([shared, own], ("both:1",)))
    load(docker_archive([shared], ("one:1",)))
    r = docker("rmi", "both:1")
    assert r.out.count("Deleted: ") == 2, r
    wait_for(lambda: not os.path.exists("%s/layers/%s" % (STATE, image.sha256(own))))
    assert os.path.exists("%s/layers/%s" % (STATE, image.sha256(shared)))
    docker("rmi", "one:1")
    wait_for(lambda: not os.path.exists("%s/layers/%s" % (STATE, image.sha256(shared))))


def test_images_in_use():
    load(docker_archive([tar(image.busybox_members() + [member("mark", "x")])], ("used:1",)))
    cid = berth("create", "--network", "none", "used:1", "true").out.strip()
    r = docker("rmi", "used:1", check=None)
    assert r.code == 1 and "conflict: unable to remove repository reference \"used:1\" (must force) - container %s is using" \
        % cid[:12] in r.err, r
    layers = http("GET", "/images/used:1/json").json()["RootFS"]["Layers"]
    docker("rmi", "-f", "used:1")
    settled()
    # The container goes on working without its image.
    assert all(os.path.exists("%s/layers/%s" % (STATE, x[7:])) for x in layers)
    berth("start", cid)
    wait_for(lambda: http("GET", "/containers/%s/json" % cid).json()["State"]["Status"] == "exited")
    remove_all()


# --- bad archives --------------------------------------------------------------------------------------------------

def test_not_an_archive():
    refused(b"hello", "not a tar archive")
    refused(b"", "neither manifest.json nor index.json")
    refused(tar([member("x", "y")]), "neither manifest.json nor index.json")


def test_truncated():
    data = docker_archive([layer({"big": "x" * 100000})])
    refused(data[:50000], "Truncated")
    import gzip
    refused(gzip.compress(data)[:-50], "truncated")


def test_corrupt():
    data = bytearray(docker_archive([layer({"big": "x" * 10000})], compression="gzip"))
    where = bytes(data).index(b"\x1f\x8b")
    data[where + 40] ^= 0xff
    refused(bytes(data), "layer sha256:")


def test_wrong_digests():
    for what in ("layer", "config", "manifest"):
        refused(oci_layout([layer(SMALL)], corrupt=what), "digest mismatch")


def hostile(*members):
    return docker_archive([tar(list(members))], ("hostile:1",))


def test_hostile_layers():
    refused(hostile(member("../../../../etc/cron.d/x", "x")), '"../../../../etc/cron.d/x": the name has a ".." component')
    refused(hostile(member("/etc/cron.d/x", "x")), '"/etc/cron.d/x": the name is absolute')
    refused(hostile(member("l", kind="symlink", link="/etc"), member("l/x", "x")), "leaves the layer through a symlink")
    refused(hostile(member("l", kind="symlink", link="../../.."), member("l/x", "x")), "leaves the layer through a symlink")
    refused(hostile(member("h", kind="hardlink", link="../../../../etc/passwd")), "hard link target")
    refused(hostile(member("h", kind="hardlink", link="/etc/passwd")), "hard link target \"/etc/passwd\" is absolute")
    refused(hostile(member("l", kind="symlink", link="/etc"), member("h", kind="hardlink", link="l/passwd")),
            "leaves the layer through a symlink")
    refused(hostile(member(".wh...", "")), "the whiteout names no file")
    refused(hostile(member("x", "", pax={"SCHILY.xattr.trusted.overlay.redirect": "/etc"})), "trusted.overlay.redirect")
    assert not os.path.exists("/etc/cron.d/x")


def test_hostile_archives():
    refused(tar([member("../../x", "x")]), "the name has a")
    refused(tar([member("manifest.json", kind="symlink", link="/etc/passwd")]), "link target")
    refused(tar([member("manifest.json", '[{"Config":"../../etc/passwd","Layers":[]}]')]), "the name")
    refused(tar([member("manifest.json", "[" * 1000)]), "manifest.json")


def test_xz_bomb_of_dictionary():
    # A header that asks for 4 GiB must not get them.
    import lzma
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 20}]
    data = lzma.compress(docker_archive([layer(SMALL)], ("xz:1",)), filters=filters)
    assert "Loaded image: xz:1" in load(data).text


# --- interruptions -------------------------------------------------------------------------------------------------

def begin_load(data, part):
    s = connect()
    s.sendall(b"POST /v1.50/images/load?quiet=1 HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(data))
    s.sendall(data[:part])
    return s


def worker_pid():
    r = run("pgrep", "-x", "-o", "berth-worker", check=None)
    return int(r.out) if r.code == 0 else None


def new_dirs():
    return [d for d in os.listdir(STATE + "/layers") if d.startswith(".new-")]


def test_client_leaves():
    before = settled()
    data = docker_archive([layer({"big": "x" * 1000000})], ("left:1",))
    for part in (0, 100, 3000, 500000, len(data) - 1):
        s = begin_load(data, part)
        wait_for(worker_pid)
        s.close()
        wait_for(lambda: worker_pid() is None, what="the worker ends")
        assert listing() == before


def test_killed_worker_is_cleaned_up_after():
    before = settled()
    data = docker_archive([layer({"big": "x" * 1000000})], ("killed:1",))
    s = begin_load(data, 500000)
    wait_for(new_dirs)
    os.kill(wait_for(worker_pid), signal.SIGKILL)
    wait_for(lambda: worker_pid() is None)
    s.close()
    assert new_dirs()
    load(docker_archive([layer(SMALL)], ("after:1",)))
    assert not new_dirs()
    docker("rmi", "after:1")
    wait_for(lambda: settled() == before or None, what="the store is as before")


def test_engine_killed_while_loading():
    data = docker_archive([layer({"big": "y" * 1000000})], ("survivor:1",))
    s = begin_load(data, 500000)
    wait_for(worker_pid)
    systemctl("kill", "-s", "KILL", "--kill-who=main", "berth.service")
    s.sendall(data[500000:])
    answer = b""
    while True:
        piece = s.recv(65536)
        if not piece:
            break
        answer += piece
    assert b"Loaded image: survivor:1" in answer, answer
    assert http("GET", "/images/survivor:1/json", expect=200)


def test_half_closed_client_gets_its_answer():
    data = docker_archive([layer({"half": "x"})], ("half:1",))
    s = begin_load(data, len(data))
    s.shutdown(socket.SHUT_WR)
    answer = b""
    while True:
        piece = s.recv(65536)
        if not piece:
            break
        answer += piece
    assert b"Loaded image: half:1" in answer, answer


@timeout(120)
def test_many_at_once():
    run("sh", "-c", "rm -rf /tmp/many; mkdir /tmp/many")
    for i in range(12):
        with open("/tmp/many/%d" % i, "wb") as f:
            f.write(docker_archive([layer({"same": "1"}), layer({"other": str(i)})], ("many:%d" % i,)))
    run("sh", "-c", "for i in /tmp/many/*; do docker load -q -i $i & done; wait", timeout=100)
    names = docker("images", "--format", "{{.Repository}}:{{.Tag}}", "many").out.split()
    assert sorted(names) == sorted("many:%d" % i for i in range(12)), names
    run("sh", "-c", "for i in $(seq 0 11); do docker rmi many:$i & done; wait", timeout=100)
    wait_for(lambda: not os.path.exists("%s/layers/%s" % (STATE, image.sha256(layer({"same": "1"})))))
    wait_for(lambda: not new_dirs())
