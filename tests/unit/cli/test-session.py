#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""test-session.py FAKE_ENGINE BERTH: the client's streams, exit codes and errors against a stand-in for the engine."""
import fcntl, hashlib, json, os, pty, select, signal, struct, subprocess, sys, tempfile, termios, time

FAKE, BERTH = sys.argv[1:3]
DIR = tempfile.mkdtemp(prefix='berth-cli-')
SOCKET, LOG = DIR + '/s', DIR + '/log'
ENV = dict(os.environ, BERTH_HOST='unix://' + SOCKET, TZ='UTC')
FAILED = []


def berth(*args, stdin=b'', env=ENV):
    p = subprocess.run([BERTH, *args], input=stdin, capture_output=True, env=env, timeout=30)
    return p.returncode, p.stdout, p.stderr.decode()


def check(what, got, want):
    if got != want:
        FAILED.append('%s: got %r, expected %r' % (what, got, want))


def contains(what, text, part):
    if part not in text:
        FAILED.append('%s: no %r in %r' % (what, part, text))


def requests():
    with open(LOG) as f:
        return [json.loads(l) for l in f]


def test_run():
    open(LOG, 'w').close()
    check('run', berth('run', '--rm', 'img', 'sh', '-c', 'echo out; echo err >&2; exit 7'), (7, b'out\n', 'err\n'))
    verbs = [r['target'].split('?')[0].split('/')[-1] for r in requests()]
    # attach and wait travel side by side, on connections of their own.
    check('requests of run', (verbs[:1], sorted(verbs[1:3]), verbs[3:]), (['create'], ['attach', 'wait'], ['start']))
    check('stdin', berth('run', '--rm', '-i', 'img', 'cat', stdin=b'abc'), (0, b'abc', ''))
    check('no stdin', berth('run', '--rm', 'img', 'cat', stdin=b'abc'), (0, b'', ''))
    check('early reader', berth('run', '--rm', '-i', 'img', 'head', '-c1', stdin=b'x' * 4000000)[:2], (0, b'x'))
    code, out, err = berth('run', '--rm', 'img', 'nosuchbinary')
    check('missing binary', code, 127)
    contains('missing binary', err, 'berth: Error response from daemon: ')
    check('not runnable', berth('run', '--rm', 'img', '/etc/passwd')[0], 126)
    code, out, err = berth('run', 'nosuch')
    check('no image', code, 125)
    contains('no image', err, "Unable to find image 'nosuch:latest' locally\n")
    check('bad flag', berth('run', '--bogus', 'img')[0], 125)


def test_volume():
    line = b'x' * 94
    want = b''.join(b'%05d%s\n' % (i % 100000, line) for i in range(200000))
    with open(DIR + '/big', 'wb') as f:
        f.write(want)
    for args in (['run', '--rm', 'img', 'cat', DIR + '/big'], ['run', '--rm', '-i', 'img', 'cat']):
        code, out, _ = berth(*args, stdin=want if '-i' in args else b'')
        check('200000 lines', (code, hashlib.md5(out).digest()), (0, hashlib.md5(want).digest()))
    p = subprocess.Popen([BERTH, 'run', '--rm', 'img', 'yes'], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENV)
    p.stdout.readline()
    p.stdout.close()
    check('closed pipe', (p.wait(10), p.stderr.read()), (-signal.SIGPIPE, b''))


def test_signals():
    p = subprocess.Popen([BERTH, 'run', '--rm', 'img', 'sh', '-c', 'trap "echo got; exit 6" USR1; echo ready; sleep 9 & wait'],
                         stdout=subprocess.PIPE, env=ENV)
    check('ready', p.stdout.readline(), b'ready\n')
    p.send_signal(signal.SIGUSR1)
    check('forwarded', (p.stdout.read(), p.wait(10)), (b'got\n', 6))


def session(args, steps):
    """Each step waits for a text on the terminal, then types or calls."""
    pid, fd = pty.fork()
    if pid == 0:
        os.execve(BERTH, [BERTH, *args], ENV)
    out, start = b'', time.monotonic()
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack('HHHH', 33, 77, 0, 0))
    while time.monotonic() - start < 15:
        if steps and steps[0][0] in out:
            out = out[out.index(steps[0][0]) + len(steps[0][0]):]
            act = steps.pop(0)[1]
            if callable(act):
                act(pid, fd)
            else:
                os.write(fd, act)
            continue
        if select.select([fd], [], [], 0.1)[0]:
            try:
                data = os.read(fd, 65536)
            except OSError:
                break
            if not data:
                break
            out += data
    else:
        os.kill(pid, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), out, steps


def test_terminal():
    def grow(pid, fd):
        fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack('HHHH', 44, 88, 0, 0))
        os.write(fd, b'while [ "$(stty size)" != "44 88" ]; do :; done; echo re""sized\n')

    code, _, left = session(['run', '--rm', '-it', 'img', 'sh'],
                            [(b'', b'echo rea""dy\n'), (b'ready', grow), (b'resized', b'exit 5\n')])
    check('run -it', (code, left), (5, []))
    code, out, _ = session(['run', '-it', '--name', 'det', 'img', 'sh'], [(b'', b'echo rea""dy\n'), (b'ready', b'\x10\x11')])
    check('detach', code, 0)
    contains('detach', out, b'read escape sequence')
    check('exec -it', session(['exec', '-it', 'det', 'sh'], [(b'', b'echo rea""dy\n'), (b'ready', b'exit 9\n')])[0], 9)
    check('term', session(['exec', '-it', 'det', 'sh'], [(b'', b'echo rea""dy\n'),
                                                         (b'ready', lambda pid, fd: os.kill(pid, signal.SIGTERM))])[0], 143)
    check('attach', session(['attach', 'det'], [(b'', b'exit 4\n')])[0], 4)
    contains('no terminal', berth('run', '-it', 'img')[2], 'the input device is not a TTY')


def test_others():
    check('create', berth('create', '--name', 'sa', 'img', 'sh', '-c', 'echo hi; echo no >&2; exit 3')[0], 0)
    check('start -a', berth('start', '-a', 'sa'), (3, b'hi\n', 'no\n'))
    check('logs', berth('logs', 'sa'), (0, b'hi\n', 'no\n'))
    check('run -d', berth('run', '-d', '--name', 'bg', 'img', 'sleep', '1000')[0], 0)
    check('exec', berth('exec', 'bg', 'sh', '-c', 'echo x; exit 3'), (3, b'x\n', ''))
    check('exec -i', berth('exec', '-i', 'bg', 'cat', stdin=b'abc'), (0, b'abc', ''))
    check('exec missing', berth('exec', 'bg', 'nosuchbinary')[0], 127)
    check('rm running', berth('rm', 'bg')[0], 1)
    check('kill', berth('kill', '-s', 'TERM', 'bg'), (0, b'bg\n', ''))
    check('wait', berth('wait', 'bg'), (0, b'143\n', ''))
    check('rm', berth('rm', 'bg', 'nosuch')[:2], (1, b'bg\n'))
    check('rm -f', berth('rm', '-f', 'nosuch')[0], 0)
    check('inspect', berth('inspect', 'nosuch')[:2], (1, b'[]\n'))
    check('load', berth('load', stdin=b'x' * 1000000), (0, b'Loaded image: busybox:latest\n1000000 bytes\n', ''))
    check('usage', berth('rm')[0], 1)
    check('format', berth('ps', '--format', '{{.ID}}')[0], 1)
    code, _, err = berth('ps', env=dict(ENV, BERTH_HOST='unix:///nonexistent/s'))
    check('no engine', (code, err),
          (1, 'berth: Cannot connect to berth at unix:///nonexistent/s. Is berth.socket running?\n'))


def main():
    fake = subprocess.Popen([sys.executable, FAKE, SOCKET, LOG], stdout=subprocess.PIPE)
    try:
        fake.stdout.readline()
        for t in (test_run, test_volume, test_signals, test_terminal, test_others):
            t()
    finally:
        fake.kill()
    print('\n'.join(FAILED) or 'all as expected')
    return 1 if FAILED else 0


sys.exit(main())
