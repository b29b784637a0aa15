# SPDX-License-Identifier: LGPL-2.1-or-later
"""config.json itself: versions, wrong types, missing parts, what is ignored."""
from .case import Case, bad, drop, put

for v in ("1.0.0", "1.0.2-dev", "1.1.0", "1.2.0", "1.2.1", "1.9.0"):
    Case("config/version " + v, put("ociVersion", v))
for v in ("2.0.0", "0.9.0", "x", "", "1"):
    bad("config/version '%s'" % v, "ociVersion", put("ociVersion", v))
bad("config/no version", "ociVersion", drop("ociVersion"))
bad("config/version is a number", "ociVersion", put("ociVersion", 1))
Case("config/unknown fields", put("x-unknown", {"a": 1}), put("process.unknown", 1), put("linux.unknown", [1]), put("root.unknown", "x"))
Case("config/null mounts", put("mounts", None), args=["true"])
Case("config/null lists", put("linux.maskedPaths", None), put("linux.readonlyPaths", None))
Case("config/null objects", put("hooks", None), put("annotations", None), put("linux.resources", None), put("linux.seccomp", None))
Case("config/given twice", raw=lambda t: t[:-1] + ', "hostname": "second"}')
Case("config/white space", raw=lambda t: "\n\t " + t + "\n\n")
bad("config/no process", "process", drop("process"))
bad("config/empty", "JSON", raw=lambda t: "")
bad("config/cut off", "JSON", raw=lambda t: t[:-5])
bad("config/text behind", "JSON", raw=lambda t: t + "x")
bad("config/list", "config.json", raw=lambda t: "[%s]" % t)
bad("config/number", "config.json", raw=lambda t: "7")
bad("config/null", "config.json", raw=lambda t: "null")
bad("config/byte order mark", "JSON", raw=lambda t: "\ufeff" + t)
bad("config/comment", "JSON", raw=lambda t: "/* x */" + t)
bad("config/deep", "JSON", raw=lambda t: t[:-1] + ', "x": ' + "[" * 100000 + "]" * 100000 + "}")
for field, value in (("process", []), ("process.args", "true"), ("process.args", [{}]), ("process.env", "A=1"), ("process.cwd", 7),
                     ("process.user", 0), ("process.terminal", "no"), ("process.noNewPrivileges", "no"), ("process.rlimits", {}),
                     ("process.apparmorProfile", 1), ("root", "rootfs"), ("root.path", 5), ("hostname", 5), ("domainname", []),
                     ("mounts", {}), ("mounts", ["x"]), ("mounts.0.destination", 5), ("mounts.0.type", 5), ("mounts.0.source", []),
                     ("hooks", []), ("hooks", {"prestart": {}}), ("hooks", {"prestart": ["x"]}), ("annotations", []),
                     ("annotations", {"a": 1}), ("linux", []), ("linux.namespaces", {}), ("linux.namespaces", ["pid"]),
                     ("linux.uidMappings", {}), ("linux.devices", {}), ("linux.devices", [1]), ("linux.cgroupsPath", 1),
                     ("linux.resources", []), ("linux.resources", {"memory": 1}), ("linux.resources", {"devices": {}}),
                     ("linux.seccomp", []), ("linux.seccomp", {"defaultAction": 1}), ("linux.sysctl", []),
                     ("linux.rootfsPropagation", 1), ("linux.maskedPaths", {}), ("linux.personality", []),
                     ("process.consoleSize", []), ("process.consoleSize", {"height": "x"}), ("process.scheduler", []),
                     ("process.capabilities", 1), ("linux.timeOffsets", [])):
    says = "prestart" if isinstance(value, dict) and "prestart" in value else field.split(".")[-1]
    bad("types/%s is %s" % (field, str(value)[:20]), says, put(field, value))
