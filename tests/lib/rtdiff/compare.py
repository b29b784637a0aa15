# SPDX-License-Identifier: LGPL-2.1-or-later
"""Our facts against those of the peers: a fact is right when one of them has it too."""
import fnmatch
import functools
import re
import shutil

import bundle

from .case import CASES
from .observe import Run

PEERS = ("crun", "runc")


class Deviation:
    """A fact of ours that no peer has."""

    def __init__(self, case, key, ours, theirs):
        self.case, self.key, self.ours, self.theirs = case, key, ours, theirs

    def same(self):
        return self.key, self.ours, tuple(self.theirs.items())


def describe(items):
    """Equal deviations of several cases as one."""
    groups = {}
    for d in items:
        groups.setdefault(d.same(), []).append(d.case)
    for (key, ours, theirs), cases in groups.items():
        yield "\n".join(["%s (%d): %s" % (key, len(cases), "; ".join(cases[:8])), "    ours: %s" % ours] +
                        ["    %s: %s" % t for t in theirs])


def deviations(case, ours, peers):
    """What of `ours` no run of `peers` shows. A fact that only they have counts as well. In place of a peer that cannot
    do the case stands what it shows of the plain bundle."""
    if ours.refused and any(p.refused for p in peers):
        return []   # what ours must say and leave is checked elsewhere
    if ours.refused or all(p.refused for p in peers):
        texts = [("%s %s" % (r.code, r.err)).strip() for r in [ours, *peers]]
        return [Deviation(case.name, "exit", texts[0], dict(zip([p.name for p in peers], texts[1:])))]
    found = []
    for key in sorted(set(ours.facts).union(*(p.facts for p in peers if not p.refused))):
        value = ours.facts.get(key)
        theirs = {p.name: (plain(p.name) if p.refused else p).facts.get(key) for p in peers}
        if value not in theirs.values():
            found.append(Deviation(case.name, key, value, theirs))
    return found


@functools.lru_cache
def plain(peer):
    return Run(CASES[0], peer, peer)


def faults(case, ours):
    """What is wrong whatever the peers do."""
    found = []
    if ours.left:
        found.append("%s: left behind: %s" % (case.name, ", ".join(ours.left)))
    if case.fails is not None:
        if ours.code == 0:
            found.append("%s: must fail" % case.name)
        elif not re.search(case.fails, ours.err):
            found.append("%s: the error must say %r: %s" % (case.name, case.fails, ours.err.strip()))
    return found


def run_case(case):
    peers = [Run(case, p, p) for p in PEERS if shutil.which(p)]
    assert peers, "no other runtime is here"
    return Run(case, bundle.RUNTIME, "ours"), peers


def run_group(group, intended):
    """Run all cases of a group. Return: (problems, intended deviations), lists of text."""
    problems, new, known, used = [], [], [], set()
    for case in CASES:
        if case.group != group:
            continue
        ours, peers = run_case(case)
        problems += faults(case, ours)
        for d in deviations(case, ours, peers):
            hits = [i for i in intended if fnmatch.fnmatchcase(d.case, i[0]) and fnmatch.fnmatchcase(d.key, i[1])
                    and re.search(i[2], str(d.ours), re.S)]
            used.update(hits)
            if hits and not hits[0][0].startswith("*/"):
                known.append(d)
            elif not hits:
                new.append(d)
    for i in intended:
        if i not in used and i[0].split("/")[0] == group:
            problems.append("%s %s: this intended difference is gone: take it out of the table" % i[:2])
    return problems + list(describe(new)), list(describe(known))
