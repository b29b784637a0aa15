#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A stand-in for berthd: answers the client's requests from a table and runs "containers" as plain host processes.

    fake-engine.py SOCKET [LOGFILE]

Each request is written to LOGFILE as one JSON line {method, target, headers, body}. The image name picks the behaviour:
`nosuch` is unknown; everything else runs the command line on this host, without any isolation.
"""
import json, os, pty, re, select, signal, socket, struct, subprocess, sys, threading, time, urllib.parse

CONTAINERS, EXECS = {}, {}
LOCK = threading.Lock()
LOG = None


class Process:
    """A command with its streams; stands for a container or an exec."""

    def __init__(self, ident, config):
        self.id, self.config = ident, config
        self.tty = bool(config.get('Tty'))
        self.name = None
        self.started, self.ended = threading.Event(), threading.Event()
        self.attached = []
        self.code = None
        self.child = None
        self.error = None
        self.output = b''

    def start(self):
        cmd = (self.config.get('Entrypoint') or []) + (self.config.get('Cmd') or ['true'])
        env = dict(os.environ, **dict(e.split('=', 1) for e in self.config.get('Env') or []))
        stdin = subprocess.PIPE if self.config.get('OpenStdin') or self.config.get('AttachStdin') else subprocess.DEVNULL
        try:
            if self.tty:
                master, slave = pty.openpty()
                self.child = subprocess.Popen(cmd, stdin=slave, stdout=slave, stderr=slave, env=env, start_new_session=True)
                os.close(slave)
                self.streams = [(1, master)]
                self.stdin = master
            else:
                self.child = subprocess.Popen(cmd, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env,
                                              start_new_session=True)
                self.streams = [(1, self.child.stdout.fileno()), (2, self.child.stderr.fileno())]
                self.stdin = self.child.stdin.fileno() if self.child.stdin else None
        except FileNotFoundError:
            return 'failed to create task: exec: "%s": executable file not found in $PATH' % cmd[0]
        except PermissionError:
            return 'failed to create task: exec: "%s": permission denied' % cmd[0]
        for s in self.attached:
            self.feed(s)
        threading.Thread(target=self.pump, daemon=True).start()
        self.started.set()
        return None

    def feed(self, sock):
        def run():
            while True:
                try:
                    data = sock.recv(65536)
                except OSError:
                    return
                if not data:
                    break
                if self.stdin is not None:
                    try:
                        os.write(self.stdin, data)
                    except OSError:
                        return
            if self.stdin is not None and not self.tty:
                self.child.stdin.close()
                self.stdin = None
        threading.Thread(target=run, daemon=True).start()

    def pump(self):
        open_fds = dict((fd, n) for n, fd in self.streams)
        while open_fds:
            for fd in select.select(list(open_fds), [], [])[0]:
                try:
                    data = os.read(fd, 65536)
                except OSError:
                    data = b''
                if not data:
                    del open_fds[fd]
                    continue
                framed = data if self.tty else struct.pack('>BxxxI', open_fds[fd], len(data)) + data
                self.output += framed
                for s in list(self.attached):
                    try:
                        s.sendall(framed)
                    except OSError:
                        self.attached.remove(s)
        code = self.child.wait()
        self.code = code if code >= 0 else 128 - code
        self.ended.set()
        for s in self.attached:
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            s.close()


class Handler:
    def __init__(self, sock):
        self.sock, self.buf = sock, b''

    def fill(self):
        data = self.sock.recv(65536)
        if not data:
            raise EOFError
        self.buf += data

    def take(self, n):
        while len(self.buf) < n:
            self.fill()
        out, self.buf = self.buf[:n], self.buf[n:]
        return out

    def line(self):
        while b'\r\n' not in self.buf:
            self.fill()
        out, self.buf = self.buf.split(b'\r\n', 1)
        return out

    def body(self, headers):
        if headers.get('transfer-encoding') == 'chunked':
            out = b''
            while True:
                n = int(self.line(), 16)
                out += self.take(n)
                self.line()
                if n == 0:
                    return out
        return self.take(int(headers.get('content-length') or 0))

    def reply(self, status, obj=None, ctype='application/json'):
        data = b'' if obj is None else obj if isinstance(obj, bytes) else json.dumps(obj).encode() + b'\n'
        head = 'HTTP/1.1 %d X\r\nApi-Version: 1.50\r\nContent-Type: %s\r\n' % (status, ctype)
        if status not in (204, 304):
            head += 'Content-Length: %d\r\n' % len(data)
        self.sock.sendall(head.encode() + b'\r\n' + data)

    def chunked(self, ctype='application/json'):
        self.sock.sendall(('HTTP/1.1 200 OK\r\nContent-Type: %s\r\nTransfer-Encoding: chunked\r\n\r\n' % ctype).encode())

    def chunk(self, data):
        self.sock.sendall(b'%x\r\n%s\r\n' % (len(data), data))

    def error(self, status, text):
        self.reply(status, {'message': text})

    def serve(self):
        try:
            while True:
                method, target, _ = self.line().decode().split(' ')
                headers = {}
                while True:
                    l = self.line().decode()
                    if not l:
                        break
                    k, v = l.split(':', 1)
                    headers[k.lower()] = v.strip()
                body = self.body(headers)
                if LOG:
                    with LOCK, open(LOG, 'a') as f:
                        f.write(json.dumps({'method': method, 'target': target, 'headers': headers,
                                            'body': body.decode('utf-8', 'replace')[:100000]}) + '\n')
                path, _, query = re.sub(r'^/v1\.\d+', '', target).partition('?')
                if self.dispatch(method, path, dict(urllib.parse.parse_qsl(query, keep_blank_values=True)), headers, body):
                    return
        except (EOFError, OSError):
            pass
        self.sock.close()

    def find(self, name):
        for c in CONTAINERS.values():
            if c.id == name or c.name == name or (len(name) >= 4 and c.id.startswith(name)):
                return c
        self.error(404, 'No such container: ' + name)
        return None

    def dispatch(self, method, path, q, headers, body):
        if path == '/_ping':
            self.reply(200, b'' if method == 'HEAD' else b'OK', 'text/plain\r\nOstype: linux')
        elif path == '/version':
            self.reply(200, {'Platform': {'Name': 'berth'}, 'Version': '0.1.0', 'ApiVersion': '1.50', 'MinAPIVersion': '1.24',
                             'Os': 'linux', 'Arch': 'amd64', 'KernelVersion': '6.1', 'Components': []})
        elif path == '/info':
            self.reply(200, {'Containers': len(CONTAINERS), 'Images': 1, 'ServerVersion': '0.1.0', 'Driver': 'overlay2',
                             'NCPU': 2, 'MemTotal': 2097152000, 'Runtimes': {'berth': {}}})
        elif path == '/images/json':
            self.reply(200, IMAGES)
        elif path == '/containers/json':
            self.reply(200, [summary(c) for c in CONTAINERS.values() if 'all' in q or c.started.is_set() and not c.ended.is_set()])
        elif path == '/images/load':
            self.chunked()
            self.chunk(b'{"stream":"Loaded image: busybox:latest\\n"}\n')
            self.chunk(b'{"stream":"%d bytes\\n"}\n' % len(body))
            self.sock.sendall(b'0\r\n\r\n')
        elif path == '/images/create' and 'fromSrc' in q:
            self.chunked()
            self.chunk(b'{"status":"sha256:%s"}\n' % (b'ab' * 32))
            self.sock.sendall(b'0\r\n\r\n')
        elif path == '/images/create':
            self.error(404, 'pull access denied for ' + q['fromImage'])
        elif path == '/containers/create':
            self.create(q, json.loads(body))
        elif path.startswith('/exec/'):
            return self.exec(method, path.split('/')[2], path.split('/')[3], headers, json.loads(body or b'{}'))
        elif path.startswith('/images/'):
            self.image(method, path[8:])
        elif path.startswith('/containers/'):
            name, _, verb = path[12:].partition('/')
            c = self.find(name)
            return c is not None and self.container(method, c, verb, q, headers, body)
        else:
            self.error(404, 'page not found')
        return False

    def create(self, q, config):
        if config['Image'] == 'nosuch':
            return self.error(404, 'No such image: nosuch:latest')
        if any(c.name == q.get('name', '') for c in CONTAINERS.values() if c.name):
            return self.error(409, 'Conflict. The container name "/%s" is already in use' % q['name'])
        c = Process(os.urandom(32).hex(), config)
        c.name = q.get('name') or 'name_' + c.id[:4]
        CONTAINERS[c.id] = c
        self.reply(201, {'Id': c.id, 'Warnings': []})

    def image(self, method, path):
        name = path.split('/')[0]
        if name == 'nosuch':
            self.error(404, 'No such image: nosuch:latest')
        elif method == 'DELETE':
            self.reply(200, [{'Untagged': name + ':latest'}, {'Deleted': 'sha256:' + 'ab' * 32}])
        elif path.endswith('/tag'):
            self.reply(201)
        else:
            self.reply(200, {'Id': 'sha256:' + 'ab' * 32, 'RepoTags': ['busybox:latest']})

    def container(self, method, c, verb, q, headers, body):
        if method == 'DELETE':
            if c.started.is_set() and not c.ended.is_set() and 'force' not in q:
                self.error(409, 'cannot remove container "%s": container is running' % c.name)
                return False
            if c.child and not c.ended.is_set():
                os.killpg(c.child.pid, signal.SIGKILL)
            CONTAINERS.pop(c.id, None)
            self.reply(204)
        elif verb == 'attach':
            self.upgrade(c.tty)
            c.attached.append(self.sock)
            if c.started.is_set():
                c.feed(self.sock)
            return True
        elif verb == 'wait':
            self.chunked()
            if q.get('condition') == 'next-exit' or not c.started.is_set():
                c.started.wait()
            c.ended.wait()
            if q.get('condition') == 'removed':
                CONTAINERS.pop(c.id, None)
            self.chunk(b'{"StatusCode":%d}\n' % c.code)
            self.sock.sendall(b'0\r\n\r\n')
        elif verb == 'start':
            if c.started.is_set():
                self.reply(304)
                return False
            err = c.start()
            if err:
                self.error(400, err)
            else:
                self.reply(204)
        elif verb in ('kill', 'stop'):
            sig = q.get('signal', 'KILL' if verb == 'kill' else 'TERM')
            os.killpg(c.child.pid, int(sig) if sig.isdigit() else getattr(signal, 'SIG' + sig.replace('SIG', '', 1)))
            self.reply(204)
        elif verb == 'resize':
            import fcntl, termios
            fcntl.ioctl(c.streams[0][1], termios.TIOCSWINSZ, struct.pack('HHHH', int(q['h']), int(q['w']), 0, 0))
            self.reply(200)
        elif verb == 'json':
            self.reply(200, inspect(c))
        elif verb == 'logs':
            self.chunked('application/vnd.docker.%s-stream' % ('raw' if c.tty else 'multiplexed'))
            if 'follow' in q:
                c.ended.wait()
            for i in range(0, len(c.output), 50000):
                self.chunk(c.output[i:i + 50000])
            self.sock.sendall(b'0\r\n\r\n')
        elif verb == 'top':
            self.reply(200, {'Titles': ['PID', 'CMD'], 'Processes': [['1', 'sleep 1000']]})
        elif verb == 'exec':
            e = Process(os.urandom(32).hex(), json.loads(body))
            EXECS[e.id] = e
            self.reply(201, {'Id': e.id})
        else:
            self.reply(204)
        return False

    def upgrade(self, tty):
        self.sock.sendall(('HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.%s-stream\r\n'
                           'Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n' % ('raw' if tty else 'multiplexed')).encode())

    def exec(self, method, ident, verb, headers, body):
        e = EXECS[ident]
        if verb == 'json':
            e.ended.wait(5)
            self.reply(200, {'ID': ident, 'Running': not e.ended.is_set(), 'ExitCode': e.code})
        elif verb == 'resize':
            self.reply(200)
        elif body.get('Detach'):
            e.start()
            self.reply(200)
        else:
            self.upgrade(e.tty)
            e.attached.append(self.sock)
            err = e.start()
            if err:
                self.sock.sendall(struct.pack('>BxxxI', 1, len(err) + 2) + b'%s\r\n' % err.encode())
                e.code = 127
                e.ended.set()
                self.sock.shutdown(socket.SHUT_RDWR)
            return True
        return False


IMAGES = [{'Id': 'sha256:' + 'e2' * 32, 'RepoTags': ['busybox:latest', 'localhost:5000/a/b:1'], 'Created': 1700000000,
           'RepoDigests': ['busybox@sha256:' + 'cd' * 32], 'Size': 4261550},
          {'Id': 'sha256:' + 'f3' * 32, 'RepoTags': [], 'RepoDigests': [], 'Created': 1795000000, 'Size': 999}]


def summary(c):
    return {'Id': c.id, 'Names': ['/' + c.name], 'Image': c.config['Image'], 'ImageID': 'sha256:' + 'e2' * 32,
            'Command': ' '.join(c.config.get('Cmd') or ['sh']), 'Created': int(time.time()) - 100,
            'State': 'running' if c.started.is_set() and not c.ended.is_set() else 'exited', 'Status': 'Up 3 seconds',
            'Ports': [{'IP': '0.0.0.0', 'PrivatePort': 80, 'PublicPort': 8080, 'Type': 'tcp'}], 'Labels': {'a': 'b'},
            'HostConfig': {'NetworkMode': 'bridge'}, 'NetworkSettings': {'Networks': {'bridge': {}}}, 'Mounts': []}


def inspect(c):
    run = c.started.is_set() and not c.ended.is_set()
    return {'Id': c.id, 'Name': '/' + c.name, 'State': {'Running': run, 'ExitCode': c.code or 0}, 'Config': c.config,
            'HostConfig': c.config.get('HostConfig') or {}}


def main():
    global LOG
    LOG = sys.argv[2] if len(sys.argv) > 2 else None
    listener = socket.socket(socket.AF_UNIX)
    try:
        os.unlink(sys.argv[1])
    except FileNotFoundError:
        pass
    listener.bind(sys.argv[1])
    listener.listen(64)
    print('ready', flush=True)
    while True:
        sock, _ = listener.accept()
        threading.Thread(target=Handler(sock).serve, daemon=True).start()


main()
