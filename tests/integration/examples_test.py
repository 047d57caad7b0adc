"""Starts the example programs as a user does, talks to them, and reads what they say: `examples_test.py FOLDER [TEST]`."""

import errno
import json
import os
import pathlib
import re
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest

PROGRAMS = pathlib.Path()
PATIENCE = 30
SKIPPED = 77
CAN_BIND_PRIVILEGED = os.geteuid() == 0


def built(program):
    path = PROGRAMS / program
    if not path.exists():
        raise unittest.SkipTest(f"{program} is not built: it needs DWELL_BUILD_HTTP, or DWELL_BUILD_ADMIN")
    return path


class Server:
    """A running example; on leaving the block it is told to end, and must."""

    def __init__(self, program, *arguments, listen="127.0.0.1:0", pass_fds=()):
        self.process = subprocess.Popen([built(program), "--listen", listen, *arguments], pass_fds=pass_fds,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.log = []
        self.logged = threading.Condition()
        self.reader = threading.Thread(target=self.read_log)
        self.reader.start()
        self.before = []  # what it says before it is ready
        self.ready = self.process.stdout.readline().strip()
        while self.ready and not self.ready.startswith("listening on "):
            self.before.append(self.ready)
            self.ready = self.process.stdout.readline().strip()
        if not self.ready.startswith("listening on "):
            self.process.kill()
            self.reader.join()
            raise AssertionError(f"not ready: {self.ready!r}, {self.log}")
        self.where = self.ready.removeprefix("listening on ")

    def read_log(self):
        for line in self.process.stderr:
            with self.logged:
                self.log.append(line)
                self.logged.notify()

    def await_log(self, words):
        with self.logged:
            found = self.logged.wait_for(lambda: any(words in line for line in self.log), PATIENCE)
        assert found, f"{words!r} is not in the log: {self.log}"

    def __enter__(self):
        return self

    def __exit__(self, failure, *_):
        if failure and self.process.poll() is None:
            self.process.kill()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                raise
        self.reader.join()
        self.process.stdout.close()
        self.process.stderr.close()

    def connect(self, receive_buffer=None):
        if self.where.startswith("unix:"):
            peer = socket.socket(socket.AF_UNIX)
            address = self.where.removeprefix("unix:")
        else:
            host, port = self.where.rsplit(":", 1)
            peer = socket.socket(socket.AF_INET6 if host.startswith("[") else socket.AF_INET)
            address = (host.strip("[]"), int(port))
        if receive_buffer:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        peer.settimeout(PATIENCE)
        peer.connect(address)
        return peer

    def counts(self):
        """What SIGUSR1 prints, for a server started with --json."""
        self.process.send_signal(signal.SIGUSR1)
        while not (line := self.process.stdout.readline()).startswith("{"):  # it has something else to say
            if not line:
                raise AssertionError(f"ended: {self.log}")
        return json.loads(line)

    def await_counts(self, fits):
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            counts = self.counts()
            if fits(counts):
                return counts
            time.sleep(0.01)
        raise AssertionError(f"never seen: {counts}")

    def end(self, *signals):
        """Exit code, and what is left of standard output."""
        for each in signals:
            self.process.send_signal(each)
        rest = self.process.stdout.read()
        return self.process.wait(PATIENCE), rest


def read_to_end(peer):
    received = bytearray()
    while block := peer.recv(1 << 16):
        received += block
    return bytes(received)


def read_exactly(peer, size):
    received = bytearray()
    while len(received) < size:
        block = peer.recv(size - len(received))
        if not block:
            raise AssertionError(f"ended after {len(received)} of {size} bytes")
        received += block
    return bytes(received)


def read_line(peer):
    line = bytearray()
    while not line.endswith(b"\n"):
        line += read_exactly(peer, 1)
    return bytes(line)


def some_bytes(size):
    return bytes(index * 7919 % 251 for index in range(size))


def send_in_background(peer, data):
    sender = threading.Thread(target=peer.sendall, args=[data])
    sender.start()
    return sender


def run(program, *arguments, prefix=()):
    return subprocess.run([*prefix, built(program), *arguments], capture_output=True, text=True,
                          timeout=PATIENCE)


class Complaints(unittest.TestCase):
    """Bad input: one line on standard error that names the thing and the fix, and the right exit code."""

    def complains(self, expected, *arguments, code, prefix=()):
        for program in ("echo_server", "chat_server", "http_server"):
            with self.subTest(program=program, arguments=arguments):
                ended = run(program, *arguments, prefix=prefix)
                self.assertRegex(ended.stderr, rf"^{program}: [^\n]*{expected}[^\n]*\n\Z")
                self.assertEqual((ended.returncode, ended.stdout), (code, ""))

    def test_wrong_usage(self):
        for expected, arguments in [
            ("--nothing; see .* --help", ["--nothing"]),
            ("surplus; see", ["surplus"]),
            ('--mode: "medium": use long\\|short', ["--mode", "medium"]),
            ('--close: "politely": use graceful\\|peer-first\\|abort-after-fin\\|abort', ["--close", "politely"]),
            ('--log-level: "loud": use off\\|', ["--log-level", "loud"]),
            ("--log-level.*missing", ["--log-level"]),
            ('--idle: "5": use .*60s', ["--idle", "5"]),
            ('--idle: "5 s": use .*60s', ["--idle", "5 s"]),
            ('--idle: "-1s": use 1ms to 24 days', ["--idle=-1s"]),
            ('--idle: "577h": use 1ms to 24 days', ["--idle", "577h"]),
            ("--threads: .*two.*0 to 1024", ["--threads", "two"]),
            ("--threads: .*1025.*0 to 1024", ["--threads", "1025"]),
            ("--max-connections: .*0.*1 to", ["--max-connections", "0"]),
            ('--listen: "nowhere": ADDR:PORT, .*unix:PATH', ["--listen", "nowhere"]),
            ('--listen: "127.0.0.1:65536": a port from 0 to 65535', ["--listen", "127.0.0.1:65536"]),
            ('--listen: "::1:80": .*brackets', ["--listen", "::1:80"]),
            ("--listen: unix:: a path", ["--listen", "unix:"]),
            ("--listen: .*1 required", ["--listen", "127.0.0.1:0", "--listen", "127.0.0.1:0"]),
        ]:
            self.complains(expected, *arguments, code=2)

    def test_wrong_usage_of_the_echo_server(self):
        for expected, arguments in [
            ('--handler: "threads": use callbacks\\|coroutine', ["--handler", "threads"]),
            ("--size is for --mode short", ["--size", "10"]),
            ("close.idle = peer_first: .*; use graceful", ["--close-idle", "peer-first"]),
            ("--size: .*0.*1 to", ["--mode", "short", "--size", "0"]),
        ]:
            with self.subTest(arguments=arguments):
                ended = run("echo_server", *arguments)
                self.assertRegex(ended.stderr, rf"^echo_server: [^\n]*{expected}[^\n]*\n\Z")
                self.assertEqual(ended.returncode, 2)

    def test_wrong_usage_of_the_http_server(self):
        for expected, arguments, code in [
            ('--admin: "9901": ADDR:PORT, .* was expected', ["--admin", "9901"], 2),
            ("cannot listen on 192.0.2.1:0: .*no interface", ["--admin", "192.0.2.1:0"], 1),
            ("/proc/access.log", ["--access-log", "/proc/access.log"], 1),
            ('--read: "10": use .*60s', ["--read", "10"], 2),
        ]:
            with self.subTest(arguments=arguments):
                ended = run("http_server", "--listen", "127.0.0.1:0", *arguments)
                self.assertRegex(ended.stderr, rf"^http_server: [^\n]*{expected}[^\n]*\n\Z")
                self.assertEqual(ended.returncode, code)

    def test_taken_port(self):
        for threads in ("1", "2"):
            with Server("echo_server", "--threads", threads) as first:
                self.complains(f"cannot listen on {first.where}: .*in use.*use another port",
                               "--listen", first.where, "--threads", threads, code=1)

    def test_taken_unix_path(self):
        with tempfile.TemporaryDirectory() as folder:
            with Server("echo_server", listen=f"unix:{folder}/socket") as first:
                self.complains(f"cannot listen on {first.where}: .*use another path", "--listen", first.where, code=1)

    def test_privileged_port(self):
        first_free = int(pathlib.Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text())
        if first_free <= 1:
            self.skipTest("net.ipv4.ip_unprivileged_port_start leaves no port privileged")
        prefix = []
        if CAN_BIND_PRIVILEGED:
            prefix = ["setpriv", "--bounding-set=-net_bind_service", "--inh-caps=-net_bind_service"]
        self.complains("cannot listen on 127.0.0.1:1: .*use a port above 1023 or grant CAP_NET_BIND_SERVICE",
                       "--listen", "127.0.0.1:1", code=1, prefix=prefix)

    def test_address_of_nobody(self):
        self.complains("cannot listen on 192.0.2.1:0: .*no interface", "--listen", "192.0.2.1:0", code=1)

    def test_help_and_version(self):
        for program in ("echo_server", "chat_server", "http_server"):
            helped = run(program, "--help")
            self.assertEqual((helped.returncode, helped.stderr), (0, ""))
            self.assertIn(f"Examples:\n  {program} --listen", helped.stdout)
            version = run(program, "--version")
            self.assertEqual(version.returncode, 0)
            self.assertRegex(version.stdout, rf"^{program} \d+\.\d+\.\d+\n\Z")


class Echo(unittest.TestCase):
    def check_echo(self, server, size=100_000):
        with server.connect() as peer:
            message = some_bytes(size)
            sender = send_in_background(peer, message)
            self.assertEqual(read_exactly(peer, size), message)
            sender.join()

    def test_long_with_each_handler_and_two_threads(self):
        for handler in ("callbacks", "coroutine"):
            for threads in ("1", "2"):
                with self.subTest(handler=handler, threads=threads):
                    with Server("echo_server", "--handler", handler, "--threads", threads) as server:
                        for _ in range(8):
                            self.check_echo(server)

    def test_short_sends_whole_messages_and_closes(self):
        for handler in ("callbacks", "coroutine"):
            for size in (1, 1000, 1_000_000):
                with self.subTest(handler=handler, size=size):
                    with Server("echo_server", "--mode", "short", "--handler", handler, "--size",
                                str(size), "--json") as server, server.connect() as peer:
                        message = some_bytes(size)
                        if size > 1:  # nothing comes back for less than all
                            peer.sendall(message[:size // 2])
                            server.await_counts(lambda counts: counts["received"] == size // 2)
                            self.assertEqual(server.counts()["sent"], 0)
                        sender = send_in_background(peer, message[size // 2:] if size > 1 else message)
                        self.assertEqual(read_to_end(peer), message)
                        sender.join()
                        peer.close()
                        counts = server.await_counts(lambda counts: counts["live"] == 0)
                        self.assertEqual((counts["closed"]["finished"], counts["exchanges"]), (1, 1))

    def test_short_without_size_answers_what_comes_first(self):
        with Server("echo_server", "--mode", "short") as server, server.connect() as peer:
            peer.sendall(b"hello")
            self.assertEqual(read_to_end(peer), b"hello")

    def test_where_time_wait_goes_is_counted(self):
        for method, place in (("graceful", "here"), ("abort-after-fin", "nowhere"), ("abort", "nowhere")):
            with self.subTest(method=method):
                with Server("echo_server", "--mode", "short", "--close", method, "--json") as server:
                    with server.connect() as peer:
                        peer.sendall(b"x")
                        try:
                            read_to_end(peer)
                        except ConnectionResetError:
                            self.assertEqual(method, "abort")
                    counts = server.await_counts(lambda counts: counts["live"] == 0 and counts["opened"] == 1)
                    self.assertEqual({name: count for name, count in counts["time_wait"].items() if count}, {place: 1})

    def test_a_client_that_closes_first_keeps_time_wait(self):
        with Server("echo_server", "--json") as server:
            server.connect().close()
            counts = server.await_counts(lambda counts: counts["closed"]["peer_closed"] == 1)
            self.assertEqual(counts["time_wait"]["there"], 1)

    def test_idle_connections_are_closed_and_not_early(self):
        with Server("echo_server", "--idle", "400ms", "--json") as server, server.connect() as peer:
            start = time.monotonic()
            peer.sendall(b"x")
            self.assertEqual(read_to_end(peer), b"x")
            self.assertGreaterEqual(time.monotonic() - start, 0.35)
            peer.close()
            server.await_counts(lambda counts: counts["closed"]["idle_timeout"] == 1)

    def test_idle_off(self):
        with Server("echo_server", "--idle", "off") as server:
            self.check_echo(server, 10)

    def test_max_connections_evicts_the_longest_idle(self):
        with Server("echo_server", "--max-connections", "2", "--json") as server:
            peers = []
            for _ in range(3):
                peers.append(server.connect())
                peers[-1].sendall(b"x")
                self.assertEqual(read_exactly(peers[-1], 1), b"x")
                time.sleep(0.01)
            with self.assertRaises(ConnectionResetError):
                peers[0].recv(1)
            counts = server.counts()
            self.assertEqual((counts["live"], counts["evicted"], counts["closed"]["overload"]), (2, 1, 1))
            for peer in peers:
                peer.close()

    def test_unix_socket(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "socket"
            with Server("echo_server", "--json", listen=f"unix:{path}") as server:
                self.assertEqual(server.where, f"unix:{path}")
                self.check_echo(server)
                counts = server.await_counts(lambda counts: counts["live"] == 0)
                self.assertEqual(counts["time_wait"]["not_applicable"], 1)
                self.assertEqual(server.end(signal.SIGINT)[0], 0)
            self.assertFalse(path.exists())

    def test_a_socket_left_behind_is_replaced(self):
        with tempfile.TemporaryDirectory() as folder:
            path = f"{folder}/socket"
            with Server("echo_server", listen=f"unix:{path}") as killed:
                killed.process.kill()
                killed.process.wait()
            self.assertTrue(os.path.exists(path))
            with Server("echo_server", listen=f"unix:{path}") as server:
                self.check_echo(server, 10)

    def ipv6(self):
        try:
            with socket.socket(socket.AF_INET6) as probe:
                probe.bind(("::1", 0))
        except OSError as error:
            if error.errno in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
                self.skipTest(f"no IPv6 loopback here: {error}")
            raise

    def test_ipv6(self):
        self.ipv6()
        with Server("echo_server", listen="[::1]:0") as server:
            self.assertRegex(server.where, r"^\[::1\]:\d+$")
            self.check_echo(server)

    def test_every_address_on_one_socket(self):
        self.ipv6()
        with Server("echo_server", listen=":0") as server:
            port = server.where.rsplit(":", 1)[1]
            for where in (f"[::1]:{port}", f"127.0.0.1:{port}"):
                server.where = where
                self.check_echo(server, 10)


class Ends(unittest.TestCase):
    def test_a_signal_drains(self):
        for which in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(which=which), Server("echo_server", "--json") as server, server.connect() as peer:
                peer.sendall(b"x")
                read_exactly(peer, 1)
                server.process.send_signal(which)
                self.assertEqual(read_to_end(peer), b"")
                peer.close()
                code, rest = server.end()
                self.assertEqual(code, 0)
                self.assertEqual(json.loads(rest)["closed"]["drain"], 1)

    def test_a_second_signal_aborts(self):
        with Server("echo_server", "--json") as server, server.connect(receive_buffer=4096) as peer:
            # Never reads: its answers keep it busy.
            peer.setblocking(False)
            sent = 0
            try:
                while True:
                    sent += peer.send(bytes(1 << 16))
                    time.sleep(0.001)
            except BlockingIOError:
                pass
            self.assertGreater(sent, 0)
            server.process.send_signal(signal.SIGINT)
            server.await_log("draining")
            self.assertIsNone(server.process.poll())
            code, rest = server.end(signal.SIGINT)
            self.assertEqual(code, 1)
            counts = json.loads(rest)
            self.assertEqual((counts["live"], counts["closed"]["drain"]), (0, 1))

    def test_counts_as_text(self):
        with Server("echo_server") as server:
            with server.connect() as peer:
                peer.sendall(b"12345")
                read_exactly(peer, 5)
            server.process.send_signal(signal.SIGUSR1)
            first = [server.process.stdout.readline() for _ in range(4)]
            code, rest = server.end(signal.SIGINT)
            self.assertEqual(code, 0)
            for text in ("".join(first), rest):
                self.assertRegex(text, re.compile(r"\Aconnections: 1 opened, \d open, 0 evicted, 0 refused\n"
                                                  r"closed: .*\nTIME_WAIT: .*\n"
                                                  r"exchanges: 1, 5 B received, 5 B sent, .*\n\Z"))
            self.assertIn("closed: peer_closed 1\nTIME_WAIT: there 1 (0 observed, the rest expected)\n", rest)


class Chat(unittest.TestCase):
    def join(self, server, name, **options):
        peer = server.connect(**options)
        self.assertRegex(read_line(peer), rb"^\* you are guest-\d+\.\d+\.\d+; /name NAME")
        peer.sendall(b"/name " + name + b"\n")
        self.assertEqual(read_line(peer), b"* you are " + name + b"\n")
        return peer

    def test_lines_reach_all_others_on_every_loop(self):
        for threads in ("1", "3"):
            with self.subTest(threads=threads), Server("chat_server", "--threads", threads) as server:
                members = {name: self.join(server, name) for name in (b"ann", b"bob", b"eve", b"joe", b"kim", b"leo")}
                for name, speaker in members.items():
                    speaker.sendall(b"it is me\r\nand")
                    speaker.sendall(b" again\n")
                    for other, listener in members.items():
                        if other != name:
                            self.assertEqual(read_line(listener), name + b": it is me\n")
                            self.assertEqual(read_line(listener), name + b": and again\n")
                for member in members.values():
                    member.sendall(b"/quit\n")
                    self.assertEqual(read_to_end(member), b"")
                    member.close()

    def test_pipelined_lines_keep_their_order(self):
        with Server("chat_server", "--threads", "2") as server:
            ann, bob = self.join(server, b"ann"), self.join(server, b"bob")
            sender = send_in_background(ann, b"".join(b"%d\n" % number for number in range(20_000)))
            heard = bob.makefile("rb")
            for number in range(20_000):
                self.assertEqual(heard.readline(), b"ann: %d\n" % number)
            heard.close()
            sender.join()
            ann.close()
            bob.close()

    def test_who_does_not_read_costs_nobody_else(self):
        with Server("chat_server", "--threads", "2", "--json") as server:
            slow = self.join(server, b"slow", receive_buffer=4096)
            ann, bob = self.join(server, b"ann"), self.join(server, b"bob")
            line = b"x" * 1000 + b"\n"
            # No more than may be queued for a member: bob, too, would miss lines when he gets no processor.
            sender = send_in_background(ann, line * 200)
            self.assertEqual(read_exactly(bob, 200 * (5 + len(line))), (b"ann: " + line) * 200)
            sender.join()
            # Its deadline may be the kernel's, which runs as long.
            server.await_counts(lambda counts: counts["closed"]["write_timeout"] + counts["closed"]["peer_vanished"] == 1)
            self.assertEqual(server.counts()["live"], 2)
            for member in (slow, ann, bob):
                member.close()

    def test_a_line_too_long_ends_only_its_member(self):
        for line in (b"y" * 2000, b"y" * 2000 + b"\n", b"y" * 60_000 + b"\n"):
            with self.subTest(size=len(line)), Server("chat_server", "--json") as server:
                ann, bob = self.join(server, b"ann"), self.join(server, b"bob")
                ann.sendall(line)
                self.assertEqual(read_to_end(ann), b"")
                ann.close()
                server.await_counts(lambda counts: counts["closed"]["protocol_error"] == 1)
                bob.sendall(b"/name still here\n")
                self.assertEqual(read_line(bob), b"* you are still here\n")
                bob.close()

    def test_names_are_bounded(self):
        with Server("chat_server") as server, self.join(server, b"ann") as ann:
            for name in (b"", b"n" * 33):
                ann.sendall(b"/name " + name + b"\n")
                self.assertEqual(read_line(ann), b"* /name NAME takes 1 to 32 characters\n")

    def test_short_mode_is_one_line(self):
        with Server("chat_server", "--mode", "short") as server, server.connect() as ann:
            bob = server.connect()
            read_line(ann), read_line(bob)
            ann.sendall(b"one\n")
            self.assertEqual(read_to_end(ann), b"")
            self.assertRegex(read_line(bob), rb"^guest-\S+: one\n$")
            bob.close()


class Hello(unittest.TestCase):
    """Each in a network namespace of its own, because their ports are fixed."""

    INSIDE = """
import signal, socket, subprocess, sys, time
program, port, request, expected = sys.argv[1:]
server = subprocess.Popen(program)
end = time.monotonic() + 20
while True:
  try: peer = socket.create_connection(("127.0.0.1", int(port)), 20); break
  except ConnectionRefusedError:
    if time.monotonic() > end: raise
    time.sleep(0.01)
peer.sendall(request.encode())
answer = b""
while not answer.endswith(expected.encode()):
  block = peer.recv(4096)
  assert block, answer
  answer += block
server.send_signal(signal.SIGINT)
assert peer.recv(9) == b""
peer.close()
sys.exit(server.wait(20))
"""

    def converse(self, program, port, request, expected):
        namespace = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--net"]
        if subprocess.run([*namespace, "true"], capture_output=True).returncode != 0:
            self.skipTest("no network namespace may be made here")
        ended = subprocess.run([*namespace, "sh", "-c", 'ip link set lo up && exec "$@"', "sh", sys.executable, "-c",
                                self.INSIDE, built(program), port, request, expected],
                               capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(ended.returncode, 0, ended.stderr)

    def test_the_ten_lines(self):
        self.converse("hello", "7777", "hello", "hello")

    def test_the_first_lines_of_http(self):
        self.converse("hello_http", "8080", "GET /hello/Ada HTTP/1.1\r\nHost: me\r\n\r\n", "\r\n\r\nHello, Ada!\n")
        self.converse("hello_http", "8080", "POST /jobs HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "\r\n\r\n")


class Proxy(unittest.TestCase):
    """tcp_proxy: all bytes both ways, half-closes, backpressure, and upstreams that are not there or go."""

    def through(self, listener, *arguments):
        host, port = listener.getsockname()
        return Server("tcp_proxy", "--to", f"{host}:{port}", "--json", *arguments)

    def listener(self):
        made = socket.create_server(("127.0.0.1", 0))
        made.settimeout(PATIENCE)
        self.addCleanup(made.close)
        return made

    def test_passes_much_both_ways_at_once_and_both_half_closes(self):
        up, down = some_bytes(20_000_000), bytes(reversed(some_bytes(20_000_000)))
        listener = self.listener()
        with self.through(listener) as server, server.connect() as client:
            backend, _ = listener.accept()
            backend.settimeout(PATIENCE)
            with backend:
                got = {}
                senders = [send_in_background(client, up), send_in_background(backend, down)]
                readers = [threading.Thread(target=lambda: got.update(up=read_to_end(backend))),
                           threading.Thread(target=lambda: got.update(down=read_to_end(client)))]
                for each in readers:
                    each.start()
                senders[0].join()
                client.shutdown(socket.SHUT_WR)
                readers[0].join()
                self.assertTrue(got["up"] == up)
                senders[1].join()  # goes on after the other direction has ended
                backend.sendall(b"the end")
                backend.shutdown(socket.SHUT_WR)
                readers[1].join()
                self.assertTrue(got["down"] == down + b"the end")

    def test_reads_no_faster_than_the_other_end_takes(self):
        listener = self.listener()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)
        size = 64_000_000
        with self.through(listener, "--idle", "5min", "--write", "5min") as server:
            with server.connect() as client:
                backend, _ = listener.accept()
                with backend:
                    sender = send_in_background(client, bytes(size))
                    before = -1
                    while (now := self.resident(server)) != before:  # until nothing moves any more
                        before = now
                        time.sleep(0.5)
                    self.assertTrue(sender.is_alive())
                    self.assertLess(now, 40_000_000 if not os.environ.get("DWELL_SANITIZED") else 400_000_000)
                    backend.settimeout(PATIENCE)
                    self.assertEqual(len(read_exactly(backend, size)), size)
                    sender.join()

    def resident(self, server):
        status = pathlib.Path(f"/proc/{server.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) * 1024

    def test_tells_the_client_by_a_reset_that_nobody_is_there(self):
        listener = self.listener()
        with self.through(listener) as server:
            listener.close()
            with server.connect() as client, self.assertRaises(ConnectionResetError):
                client.sendall(b"?")
                read_to_end(client)
            server.await_log("nobody listens there")

    def test_a_reset_stays_a_reset(self):
        listener = self.listener()
        with self.through(listener) as server, server.connect() as client:
            client.sendall(b"?")
            backend, _ = listener.accept()
            self.assertEqual(backend.recv(10), b"?")
            backend.sendall(b"half an ans")
            self.assertEqual(read_exactly(client, 11), b"half an ans")
            backend.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            backend.close()
            with self.assertRaises(ConnectionResetError):
                read_to_end(client)

    def test_an_upstream_that_falls_silent_and_a_client_that_leaves_are_let_go(self):
        listener = self.listener()
        with self.through(listener, "--idle", "500ms") as server:
            with server.connect() as client:
                backend, _ = listener.accept()
                with backend:
                    backend.settimeout(PATIENCE)
                    self.assertEqual(read_to_end(client), b"")
                    self.assertEqual(read_to_end(backend), b"")
        with self.through(listener) as server:
            client = server.connect()
            backend, _ = listener.accept()
            with backend:
                backend.settimeout(PATIENCE)
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                client.close()
                try:
                    self.assertEqual(read_to_end(backend), b"")
                except ConnectionResetError:
                    pass

    def test_wrong_usage(self):
        for expected, arguments in [
            ("--to is required", []),
            ('--to: "nowhere": use HOST:PORT', ["--to", "nowhere"]),
            ('--to: "host:0": use HOST:PORT', ["--to", "host:0"]),
            ("--connect", ["--to", "host:1", "--connect", "5"]),
        ]:
            with self.subTest(arguments=arguments):
                ended = run("tcp_proxy", *arguments)
                self.assertRegex(ended.stderr, rf"^tcp_proxy: [^\n]*{expected}[^\n]*\n\Z")
                self.assertEqual((ended.returncode, ended.stdout), (2, ""))


def main():
    global PROGRAMS
    PROGRAMS = pathlib.Path(sys.argv[1]).resolve()
    program = unittest.main(argv=[sys.argv[0], *sys.argv[2:]], exit=False)
    result = program.result
    if not result.wasSuccessful():
        sys.exit(1)
    sys.exit(SKIPPED if result.testsRun == len(result.skipped) else 0)


if __name__ == "__main__":
    main()
