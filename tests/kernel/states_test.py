"""Asks `dwell states` about sockets in each kind of trouble: `states_test.py DWELL [TEST]`."""

import json
import os
import pty
import signal
import socket
import subprocess
import unittest

import networks
import program
from program import run


class States(unittest.TestCase):
    def setUp(self):
        why = networks.enter_fresh_network()
        if why:
            self.skipTest(why)
        self.server = networks.listen(7)
        self.port = self.server.getsockname()[1]
        self.addCleanup(self.server.close)

    def pair(self):
        client = socket.create_connection(("127.0.0.1", self.port))
        accepted, _ = self.server.accept()
        self.addCleanup(client.close)
        self.addCleanup(accepted.close)
        return client, accepted

    def start(self, *arguments, **options):
        started = program.start(*arguments, **options)
        self.addCleanup(lambda: (started.kill(), started.communicate()))
        return started

    def look(self, *arguments):
        return json.loads(run("states", f":{self.port}", "--json", *arguments).stdout)

    def test_counts_both_sides(self):
        pairs = [self.pair() for _ in range(4)]
        pairs[0][0].shutdown(socket.SHUT_WR)
        pairs[1][1].close()
        pairs[1][0].close()
        self.assertTrue(networks.eventually(lambda: self.look()["local"]["TIME_WAIT"] == 1), self.look())
        seen = self.look()
        self.assertEqual({state: count for state, count in seen["local"].items() if count},
                         {"LISTEN": 1, "ESTABLISHED": 2, "CLOSE_WAIT": 1, "TIME_WAIT": 1})
        self.assertEqual({state: count for state, count in seen["remote"].items() if count},
                         {"ESTABLISHED": 2, "FIN_WAIT_2": 1})
        self.assertEqual(seen["port"], self.port)
        waiting = seen["oldest_time_wait"]
        self.assertEqual(waiting["local"], f"127.0.0.1:{self.port}")
        self.assertGreater(waiting["remaining_ms"], 30_000)
        self.assertLessEqual(waiting["remaining_ms"], 61_000)

    def test_says_what_waits_for_accept_and_what_is_unread(self):
        client = socket.create_connection(("127.0.0.1", self.port))
        client.sendall(b"x" * 1000)
        self.addCleanup(client.close)
        self.assertTrue(networks.eventually(lambda: self.look()["unread"] == 1000), self.look())
        text = run("states", f":{self.port}").stdout
        self.assertIn(f"accept queue    127.0.0.1:{self.port}: 1 of 7", text)
        self.assertIn("not accepted    1\n", text)
        self.assertIn("1,000 B unread", text)
        self.assertNotIn("\033", text, "plain when it is not a terminal")

    def test_says_how_long_time_wait_still_lasts(self):
        client, accepted = self.pair()
        accepted.close()
        client.close()
        self.assertTrue(networks.eventually(lambda: self.look()["oldest_time_wait"]))
        self.assertRegex(run("states", f":{self.port}").stdout,
                         rf"TIME_WAIT       oldest 127.0.0.1:{self.port} <-> 127.0.0.1:\d+, [3456]\d\.\d s left; newest")

    def test_without_a_port_counts_all(self):
        self.pair()
        seen = json.loads(run("states", "--json").stdout)
        self.assertEqual(seen["local"]["ESTABLISHED"], 2)
        self.assertIsNone(seen["port"])
        self.assertIsNone(seen["remote"])

    def test_exit_codes(self):
        self.assertEqual(run("states", f":{self.port}").returncode, 0)
        self.server.close()
        nobody = run("states", f":{self.port}")
        self.assertEqual(nobody.returncode, 3)
        self.assertEqual(nobody.stdout, f"no socket has port {self.port}\n")
        for wrong in (":0", ":65536", "http", "80x"):
            with self.subTest(wrong):
                refused = run("states", wrong)
                self.assertEqual(refused.returncode, 2)
                self.assertIn(wrong, refused.stderr)
        self.assertEqual(run("states", "--help").returncode, 0)

    def test_watch_ends_at_an_interrupt_with_whole_lines(self):
        watching = self.start("states", f":{self.port}", "--watch", "--interval", "0.1", "--json")
        lines = [watching.stdout.readline() for _ in range(3)]
        watching.send_signal(signal.SIGINT)
        rest, _ = watching.communicate(timeout=networks.PATIENCE)
        self.assertEqual(watching.returncode, 0)
        for line in [*lines, *rest.splitlines()]:
            self.assertEqual(json.loads(line)["local"]["LISTEN"], 1)

    def test_watch_is_plain_where_there_is_no_terminal(self):
        watching = self.start("states", f":{self.port}", "--watch", "--interval", "0.1")
        seen = "".join(watching.stdout.readline() for _ in range(12))
        self.assertGreaterEqual(seen.count("LISTEN"), 2)
        self.assertNotIn("\033", seen)

    def test_watch_redraws_on_a_terminal(self):
        master, terminal = pty.openpty()
        watching = self.start("states", f":{self.port}", "--watch", "--interval", "0.1", stdout=terminal)
        seen = b""
        for _ in range(50):
            seen += os.read(master, 4096)
            if seen.count(b"\033[H") >= 2:
                break
        self.assertGreaterEqual(seen.count(b"\033[H"), 2, seen)
        watching.send_signal(signal.SIGINT)
        watching.wait(networks.PATIENCE)
        os.close(terminal)
        os.close(master)
        self.assertEqual(watching.returncode, 0)


if __name__ == "__main__":
    program.main()
