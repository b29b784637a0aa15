#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""test-man.py BERTH MANPAGE: every flag of `berth COMMAND --help` is in the command's section of the page, and no other."""
import re, subprocess, sys

BERTH, PAGE = sys.argv[1:3]


def help_of(*args):
    return subprocess.run([BERTH, *args, '--help'], capture_output=True, text=True, check=True).stdout


def flags_of_help(text):
    return set(re.findall(r'^  (?:-\w, |    )--([a-z0-9-]+)', text, re.M)), set(re.findall(r'^  -(\w), --', text, re.M))


def flags_of_page(text):
    items = re.findall(r'^\.TP\n\.B[A-Z]? (.*)$', text, re.M)
    plain = [i.replace('\\-', '-') for i in items]
    return (set(n for i in plain for n in re.findall(r'--([a-z0-9-]+)', i)),
            set(n for i in plain for n in re.findall(r'(?:^|[ "])-(\w)(?=[ "]|$)', i)))


def main():
    page = open(PAGE).read()
    sections = dict((s.split('\n', 1)[0], s) for s in re.split(r'^\.SS ', re.split(r'^\.SH EXIT STATUS', page, flags=re.M)[0],
                                                               flags=re.M)[1:])
    commands = re.findall(r'^  (\w+) {2,}\S', help_of().split('Commands:')[1].split('Global Options:')[0], re.M)
    bad = []
    for missing in set(commands) ^ set(sections):
        bad.append('%s: in only one of --help and the page' % missing)
    for c in commands:
        want, want_short = flags_of_help(help_of(c))
        have, have_short = flags_of_page(sections.get(c, ''))
        if c == 'create':
            run, run_short = flags_of_page(sections['run'])
            have, have_short = run - {'detach', 'detach-keys', 'sig-proxy'}, run_short - {'d'}
        for f in want ^ have:
            bad.append('%s --%s: %s' % (c, f, 'not in the page' if f in want else 'only in the page'))
        for f in want_short ^ have_short:
            bad.append('%s -%s: %s' % (c, f, 'not in the page' if f in want_short else 'only in the page'))
    print('\n'.join(bad) or '%d commands agree' % len(commands))
    return 1 if bad else 0


sys.exit(main())
