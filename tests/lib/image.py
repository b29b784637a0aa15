# SPDX-License-Identifier: LGPL-2.1-or-later
"""Container images made in memory: tar layers, docker-archive and OCI-layout files.

Used by the tests (through harness) and by tools/mkimage. Standard library only; zstd through libzstd.
Entries are plain tarfile.TarInfo objects, so a test can also build tars no honest tool would write.
"""
import ctypes
import gzip
import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile

EPOCH = "2024-01-01T00:00:00Z"
MTIME = 1704067200


def member(name, data=None, mode=None, kind=None, link="", uid=0, gid=0, dev=(0, 0), pax=None):
    """One tar member as (TarInfo, bytes). kind: file dir symlink hardlink fifo char block."""
    if kind is None:
        kind = "dir" if name.endswith("/") else "file"
    info = tarfile.TarInfo(name.rstrip("/") if kind == "dir" else name)
    info.type = {"file": tarfile.REGTYPE, "dir": tarfile.DIRTYPE, "symlink": tarfile.SYMTYPE,
                 "hardlink": tarfile.LNKTYPE, "fifo": tarfile.FIFOTYPE, "char": tarfile.CHRTYPE,
                 "block": tarfile.BLKTYPE}[kind]
    if isinstance(data, str):
        data = data.encode()
    data = data or b""
    info.size = len(data) if kind == "file" else 0
    info.mode = mode if mode is not None else (0o755 if kind == "dir" else 0o777 if kind == "symlink" else 0o644)
    info.linkname = link
    info.uid, info.gid = uid, gid
    info.mtime = MTIME
    info.devmajor, info.devminor = dev
    if pax:
        info.pax_headers = pax
    return info, data


def tar(members):
    """Uncompressed tar of (TarInfo, bytes) pairs, names written exactly as they are."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as t:
        for info, data in members:
            t.addfile(info, io.BytesIO(data) if info.isreg() else None)
    return out.getvalue()


def layer(files):
    """Layer from {"path": "text"}; a value of None makes a directory, a tuple ("->", target) a symlink."""
    members = []
    for name, data in files.items():
        if data is None:
            members.append(member(name.rstrip("/") + "/"))
        elif isinstance(data, tuple):
            members.append(member(name, kind="symlink", link=data[1]))
        else:
            members.append(member(name, data))
    return tar(members)


def find_busybox():
    """Path of a statically linked busybox on this machine."""
    for path in ("/bin/busybox", "/usr/bin/busybox", "/sbin/busybox", "/usr/sbin/busybox",
                 shutil.which("busybox") or ""):
        if path and os.access(path, os.X_OK):
            return path
    raise FileNotFoundError("no busybox on this machine (Debian: busybox-static, Fedora: busybox)")


def busybox_members(busybox=None):
    """Members of a small root file system around busybox: applets are hard links, as in Docker's own."""
    busybox = busybox or find_busybox()
    with open(busybox, "rb") as f:
        binary = f.read()
    applets = subprocess.run([busybox, "--list"], check=True, capture_output=True, text=True).stdout.split()
    members = [member(d) for d in ("bin/", "dev/", "etc/", "home/", "proc/", "root/", "sys/", "usr/", "usr/bin/",
                                   "var/", "var/spool/", "var/tmp/", "tmp/", "www/")]
    for info, _ in members:
        if info.name in ("tmp", "var/tmp"):
            info.mode = 0o1777
        if info.name == "root":
            info.mode = 0o700
    members.append(member("bin/busybox", binary, 0o755))
    members += [member("bin/" + a, kind="hardlink", link="bin/busybox", mode=0o755)
                for a in applets if a != "busybox" and "/" not in a]
    members += [
        member("usr/bin/env", kind="symlink", link="../../bin/env"),
        member("etc/passwd", "root:x:0:0:root:/root:/bin/sh\ndaemon:x:1:1:daemon:/usr/sbin:/bin/false\n"
                             "bin:x:2:2:bin:/bin:/bin/false\nwww-data:x:33:33:www-data:/var/www:/bin/false\n"
                             "operator:x:37:37:Operator:/var:/bin/false\nuser:x:1000:1000:user:/home:/bin/sh\n"
                             "nobody:x:65534:65534:nobody:/home:/bin/false\n"),
        member("etc/group", "root:x:0:\ndaemon:x:1:\nbin:x:2:\nwww-data:x:33:\noperator:x:37:\nstaff:x:50:user\n"
                            "user:x:1000:\nnogroup:x:65534:\n"),
        member("etc/shadow", "root:*:::::::\n", 0o600),
        member("www/index.html", "<html><body><h1>It works</h1></body></html>\n"),
    ]
    return members


def zstd(data):
    """data compressed by libzstd (Python has no zstd before 3.14)."""
    lib = ctypes.CDLL("libzstd.so.1")
    lib.ZSTD_compressBound.restype = lib.ZSTD_compress.restype = ctypes.c_size_t
    lib.ZSTD_compressBound.argtypes = [ctypes.c_size_t]
    lib.ZSTD_compress.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_int]
    size = lib.ZSTD_compressBound(len(data))
    out = ctypes.create_string_buffer(size)
    n = lib.ZSTD_compress(out, size, data, len(data), 3)
    if n > size:
        raise ValueError("zstd failed")
    return out.raw[:n]


def compress(data, how):
    """how: None, "gzip" or "zstd"."""
    if how is None:
        return data
    if how == "gzip":
        return gzip.compress(data, 6, mtime=0)
    if how == "zstd":
        return zstd(data)
    raise ValueError(how)


def sha256(data):
    """Hex digest."""
    return hashlib.sha256(data).hexdigest()


def config_blob(layers, config=None):
    """Image configuration for uncompressed layer tars; config is the inner Config object."""
    inner = {"Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"], "Cmd": ["sh"]}
    inner.update(config or {})
    return json.dumps({
        "architecture": {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine),
        "os": "linux", "created": EPOCH, "config": inner,
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + sha256(l) for l in layers]},
        "history": [{"created": EPOCH, "created_by": "layer %d" % i} for i in range(len(layers))],
    }, sort_keys=True).encode()


def image_id(layers, config=None):
    """What docker calls the image's ID."""
    return "sha256:" + sha256(config_blob(layers, config))


def docker_archive(layers, tags=("busybox:latest",), config=None, compression=None):
    """Archive in the format of `docker save` before version 25."""
    blob = config_blob(layers, config)
    members, names = [member(sha256(blob) + ".json", blob)], []
    for data in layers:
        name = sha256(data) + "/layer.tar"
        names.append(name)
        members += [member(sha256(data) + "/"), member(sha256(data) + "/VERSION", "1.0"),
                    member(name, compress(data, compression))]
    members.append(member("manifest.json", json.dumps(
        [{"Config": sha256(blob) + ".json", "RepoTags": list(tags) or None, "Layers": names}])))
    return tar(members)


MEDIA = {None: "application/vnd.oci.image.layer.v1.tar", "gzip": "application/vnd.oci.image.layer.v1.tar+gzip",
         "zstd": "application/vnd.oci.image.layer.v1.tar+zstd"}


def oci_layout(layers, tags=("busybox:latest",), config=None, compression="gzip", corrupt=None):
    """OCI image layout as a tar. corrupt: "layer", "config" or "manifest" damages that blob, not its digest."""
    blobs = {}

    def put(data, media, what):
        digest = sha256(data)
        blobs[digest] = data[:-1] + bytes([data[-1] ^ 1]) if corrupt == what else data
        return {"mediaType": media, "digest": "sha256:" + digest, "size": len(data)}

    conf = put(config_blob(layers, config), "application/vnd.oci.image.config.v1+json", "config")
    descs = [put(compress(l, compression), MEDIA[compression], "layer") for l in layers]
    manifest = put(json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
                               "config": conf, "layers": descs}).encode(),
                   "application/vnd.oci.image.manifest.v1+json", "manifest")
    manifests = []
    for tag in tags:
        m = dict(manifest)
        full = tag if "/" in tag else "docker.io/library/" + tag
        m["annotations"] = {"io.containerd.image.name": full,
                            "org.opencontainers.image.ref.name": tag.rpartition(":")[2]}
        manifests.append(m)
    members = [member("oci-layout", json.dumps({"imageLayoutVersion": "1.0.0"})),
               member("index.json", json.dumps({"schemaVersion": 2, "manifests": manifests or [manifest],
                                                "mediaType": "application/vnd.oci.image.index.v1+json"})),
               member("blobs/"), member("blobs/sha256/")]
    members += [member("blobs/sha256/" + digest, data) for digest, data in blobs.items()]
    return tar(members)


def busybox_image(tags=("busybox:latest",), config=None, compression=None):
    """docker-archive tar of the busybox image."""
    return docker_archive([tar(busybox_members())], tags, config, compression)
