"""Servers on a socket that somebody else has opened: `inherited_listener_test.py FOLDER [TEST]`."""

import collections
import json
import os
import pathlib
import select
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest

from examples_test import PATIENCE, Server, built, main, read_exactly, run


def serve_on(listener, *arguments):
    return Server("echo_server", "--json", "--log-level", "warn", *arguments, listen=f"fd:{listener.fileno()}", pass_fds=[listener.fileno()])


def listening(family=socket.AF_INET, where=("127.0.0.1", 0)):
    made = socket.socket(family, socket.SOCK_STREAM)
    made.bind(where)
    made.listen(1024)
    return made


class Listener(unittest.TestCase):
    def converse(self, where, family=socket.AF_INET):
        with socket.socket(family) as peer:
            peer.settimeout(PATIENCE)
            peer.connect(where)
            peer.sendall(b"hello")
            self.assertEqual(read_exactly(peer, 5), b"hello")

    def test_is_taken_over_with_one_loop_and_with_several(self):
        for flags in (["--threads", "1"], ["--threads", "3"], ["--threads", "3", "--tables", "per-loop"]):
            with listening() as socket_, serve_on(socket_, *flags) as server:
                self.assertEqual(server.where, "%s:%d" % socket_.getsockname())
                for _ in range(6):
                    self.converse(socket_.getsockname())
                server.await_counts(lambda counts: counts["closed"]["peer_closed"] == 6)

    def test_of_the_unix_family_keeps_its_file(self):
        with tempfile.TemporaryDirectory() as folder:
            path = f"{folder}/socket"
            with listening(socket.AF_UNIX, path) as socket_:
                with serve_on(socket_) as server:
                    self.assertEqual(server.where, f"unix:{path}")
                    self.converse(path, socket.AF_UNIX)
                    server.end(signal.SIGTERM)
                self.assertTrue(pathlib.Path(path).exists())

    def test_a_restart_loses_nothing(self):
        """One process follows the other on the same socket, while clients come all the time, for one request or for many. What is sent before
        our FIN is answered; whoever's request crosses it hears of the end by that FIN, and is counted."""
        outcomes, done = collections.Counter(), threading.Event()

        def ask(peer):
            try:
                peer.sendall(b"hello")
                answer = peer.recv(5)
            except OSError as failure:
                answer = type(failure).__name__
            outcomes["answered" if answer == b"hello" else "crossed" if answer == b"" else answer] += 1
            return answer == b"hello"

        def is_at_end(peer):
            return select.select([peer], [], [], 0)[0] != []

        def visit(where, times):
            while not done.is_set():
                with socket.create_connection(where, PATIENCE) as peer:
                    for _ in range(times):
                        if done.is_set() or is_at_end(peer) or not ask(peer):
                            break
                        time.sleep(0.001)

        counted = 0
        with listening() as socket_:
            clients = [threading.Thread(target=visit, args=(socket_.getsockname(), times)) for times in (1, 1, 1_000_000, 1_000_000)]
            server = serve_on(socket_)
            for each in clients:
                each.start()
            for last in (False, False, False, False, True):
                if last:
                    done.set()
                    for each in clients:
                        each.join()
                fresh = None if last else serve_on(socket_)
                code, said = server.end(signal.SIGTERM)
                server.__exit__(None)
                self.assertEqual(code, 0)
                counted += json.loads(said.splitlines()[-1])["reap_raced"]
                server = fresh
                count = outcomes["answered"]
                deadline = time.monotonic() + PATIENCE
                while not last and outcomes["answered"] < count + 50 and time.monotonic() < deadline:
                    time.sleep(0.01)
        print(f"{outcomes}, {counted} counted")
        self.assertEqual(set(outcomes) - {"answered", "crossed"}, set())
        self.assertEqual(outcomes["crossed"], counted)
        self.assertGreater(outcomes["answered"], 200)

    def test_what_is_none_is_named(self):
        with socket.socket() as deaf, open(os.devnull) as file:
            for passed, why in ((deaf.fileno(), "a stream socket that listens is needed"), (file.fileno(), "a stream socket that listens is needed")):
                ended = subprocess.run([built("echo_server"), "--listen", f"fd:{passed}"], pass_fds=[passed], capture_output=True, text=True, timeout=PATIENCE)
                self.assertEqual(ended.returncode, 1)
                self.assertIn(f"cannot listen on fd:{passed}:", ended.stderr)
                self.assertIn(why, ended.stderr)
        self.assertIn("nobody has passed it to this process", run("echo_server", "--listen", "fd:77").stderr)
        self.assertIn("the number of a descriptor was expected", run("echo_server", "--listen", "fd:x").stderr)


class ServiceManager(unittest.TestCase):
    """What systemd passes and hears, played by the test."""

    def setUp(self):
        if "no socket has the name" not in run("echo_server", "--listen", "systemd:x").stderr:
            self.skipTest("built without DWELL_BUILD_SYSTEMD")

    def start(self, folder, listener, name, **environment):
        """A server that is told of `listener`, and the socket that it reports to."""
        heard = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        heard.settimeout(PATIENCE)
        heard.bind(f"{folder}/notify")
        # LISTEN_PID has to be the server's own: a shell knows it before it becomes the server.
        command = ["sh", "-c", f'exec 3<&{listener.fileno()}; LISTEN_PID=$$ exec "$@"', "sh"]
        process = subprocess.Popen([*command, built("echo_server"), "--listen", f"systemd:{name}"], pass_fds=[listener.fileno()], text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   env={**os.environ, "LISTEN_FDS": "1", "LISTEN_FDNAMES": "echo", "NOTIFY_SOCKET": f"{folder}/notify", **environment})
        return process, heard

    def hear(self, heard, wanted):
        words = ""
        while wanted not in words:
            words = heard.recv(4096).decode()
        return words

    def test_passes_a_socket_by_name_and_hears_how_the_server_is(self):
        with tempfile.TemporaryDirectory() as folder, listening() as listener:
            process, heard = self.start(folder, listener, "echo", WATCHDOG_USEC="400000")
            with process, heard:
                self.hear(heard, "READY=1")
                with socket.create_connection(listener.getsockname(), timeout=PATIENCE) as peer:
                    peer.sendall(b"hello")
                    self.assertEqual(read_exactly(peer, 5), b"hello")
                    self.hear(heard, "STATUS=1 connections")
                for _ in range(3):
                    self.hear(heard, "WATCHDOG=1")
                process.send_signal(signal.SIGTERM)
                self.hear(heard, "STOPPING=1")
                self.assertIn("listening on 127.0.0.1:", process.communicate(timeout=PATIENCE)[0])
                self.assertEqual(process.returncode, 0)

    def test_a_name_that_was_not_passed_is_an_error(self):
        with tempfile.TemporaryDirectory() as folder, listening() as listener:
            process, heard = self.start(folder, listener, "web")
            with process, heard:
                self.assertIn("passed were: echo", process.communicate(timeout=PATIENCE)[1])
                self.assertNotEqual(process.returncode, 0)
        self.assertIn("none was passed", run("echo_server", "--listen", "systemd:web").stderr)


if __name__ == "__main__":
    main()
