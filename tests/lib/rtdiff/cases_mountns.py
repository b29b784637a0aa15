# SPDX-License-Identifier: LGPL-2.1-or-later
"""No mount namespace in config.json, and one by path."""
from .case import Case, bad, drop, more, put


def without_mount(*others):
    def change(config, _):
        spaces = config["linux"]["namespaces"]
        spaces[:] = [n for n in spaces if n["type"] not in ("mount",) + others]
    return change


def by_path(config, _):
    config["linux"]["namespaces"].append({"type": "mount", "path": "/proc/self/ns/mnt"})


NO_MASKS = (put("linux.maskedPaths", []), put("linux.readonlyPaths", []))

Case("mountns/none", without_mount(), apart=True)
Case("mountns/none, no masks", without_mount(), *NO_MASKS, apart=True)
Case("mountns/none, user", without_mount(), put("process.user", {"uid": 1000, "gid": 1000, "additionalGids": [7]}), apart=True)
Case("mountns/none, bind", without_mount(), more("mounts", {"destination": "/vol", "source": "/etc", "options": ["bind", "ro"]}),
     sh="ls -d /vol/passwd; touch /vol/x", apart=True)
Case("mountns/none, read-only", without_mount(), put("root.readonly", True), sh="touch /x", apart=True)
Case("mountns/none, nothing mounted", without_mount(), put("mounts", []), *NO_MASKS, args=["/bin/sh", "-c", "pwd; ls /; id -u"],
     apart=True)
Case("mountns/none, no other either", put("linux.namespaces", []), drop("hostname"), apart=True)
bad("mountns/none, hostname", "uts namespace", put("linux.namespaces", []), apart=True)
Case("mountns/by path", without_mount(), by_path, apart=True)
bad("mountns/by path of another", "join mount namespace", without_mount(),
    more("linux.namespaces", {"type": "mount", "path": "/proc/self/ns/net"}), apart=True)
bad("mountns/by path of nothing", "/nowhere", without_mount(), more("linux.namespaces", {"type": "mount", "path": "/nowhere"}),
    apart=True)
bad("mountns/twice", "given twice", more("linux.namespaces", {"type": "mount"}), apart=True)
