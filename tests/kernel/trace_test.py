"""Watches connections open and close through `dwell trace`: `trace_test.py DWELL [TEST]`."""

import json
import os
import signal
import socket
import subprocess
import unittest

import networks
import program
from program import run


class Trace(unittest.TestCase):
    def setUp(self):
        why = networks.enter_fresh_network()
        if why:
            self.skipTest(why)
        self.server = networks.listen()
        self.addCleanup(self.server.close)
        self.port = self.server.getsockname()[1]

    def trace(self, *arguments):
        """A running trace that is ready. Skips where there cannot be one."""
        tracing = subprocess.Popen([program.DWELL, "trace", f":{self.port}", *arguments],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(lambda: (tracing.kill(), tracing.communicate()))
        ready = tracing.stderr.readline()
        if "tracefs" in ready or "instances" in ready:
            self.skipTest(ready.strip())
        self.assertEqual(ready, f"tracing port {self.port}; Ctrl-C ends\n")
        return tracing

    def end(self, tracing):
        tracing.send_signal(signal.SIGINT)
        rest, _ = tracing.communicate(timeout=networks.PATIENCE)
        self.assertEqual(tracing.returncode, 0)
        return rest

    def instance_of(self, tracing):
        return f"/sys/kernel/tracing/instances/dwell-{tracing.pid}"

    def exchange(self, server_first):
        client = socket.create_connection(("127.0.0.1", self.port))
        accepted, _ = self.server.accept()
        first, second = (accepted, client) if server_first else (client, accepted)
        first.close()
        self.assertEqual(second.recv(1), b"")
        second.close()

    def follow(self, tracing, side, until, lines):
        """Reads transitions until that side reaches a state. Returns the states it went through."""
        while not any(line["side"] == side and line["to"] == until for line in lines):
            lines.append(json.loads(tracing.stdout.readline()))
        return [line["to"] for line in lines if line["side"] == side]

    def test_shows_a_handshake_and_an_active_close_of_the_server(self):
        tracing = self.trace("--json")
        self.exchange(server_first=True)
        lines = []
        server = self.follow(tracing, "server", "TIME_WAIT", lines)
        client = self.follow(tracing, "client", "CLOSED", lines)
        self.end(tracing)
        # FIN_WAIT_2 comes twice where the trace was read before the client had closed.
        self.assertEqual(list(dict.fromkeys(server)),
                         ["SYN_RECEIVED", "ESTABLISHED", "FIN_WAIT_1", "FIN_WAIT_2", "TIME_WAIT"])
        self.assertEqual(client, ["SYN_SENT", "ESTABLISHED", "CLOSE_WAIT", "LAST_ACK", "CLOSED"])
        waiting = next(line for line in lines if line["to"] == "TIME_WAIT")
        self.assertEqual(waiting["local"], f"127.0.0.1:{self.port}")
        self.assertGreater(waiting["remaining_ms"], 30_000)
        self.assertEqual(lines[0]["time"], 0)
        self.assertTrue(all(line["time"] >= 0 for line in lines))

    def test_shows_that_time_wait_is_the_clients_when_that_closes_first(self):
        tracing = self.trace("--json")
        self.exchange(server_first=False)
        lines = []
        client = self.follow(tracing, "client", "TIME_WAIT", lines)
        self.assertEqual(list(dict.fromkeys(client))[-3:], ["FIN_WAIT_1", "FIN_WAIT_2", "TIME_WAIT"])
        self.assertEqual(self.follow(tracing, "server", "CLOSED", lines)[-3:], ["CLOSE_WAIT", "LAST_ACK", "CLOSED"])
        self.end(tracing)

    def test_follows_an_orphan_into_time_wait(self):
        tracing = self.trace("--json")
        client = socket.create_connection(("127.0.0.1", self.port))
        accepted, _ = self.server.accept()
        accepted.close()
        lines = []
        seen = self.follow(tracing, "server", "FIN_WAIT_2", lines)
        while not any("remaining_ms" in line for line in lines):  # once more, as an orphan
            lines.append(json.loads(tracing.stdout.readline()))
        self.assertNotIn("TIME_WAIT", seen)
        client.close()
        self.follow(tracing, "server", "TIME_WAIT", lines)
        self.end(tracing)
        closed = next(line for line in lines if (line["side"], line["to"]) == ("client", "CLOSED"))
        waiting = next(line for line in lines if line["to"] == "TIME_WAIT")
        self.assertEqual(waiting["from"], "FIN_WAIT_2")
        self.assertLess(abs(waiting["time"] - closed["time"]), 0.1, "reckoned from the time it still lasts")

    def test_shows_one_port_only(self):
        other = networks.listen()
        tracing = self.trace("--json")
        socket.create_connection(other.getsockname()).close()
        self.exchange(server_first=True)
        lines = []
        self.follow(tracing, "server", "TIME_WAIT", lines)
        lines += map(json.loads, self.end(tracing).splitlines())
        for line in lines:
            self.assertIn(f":{self.port}", line["local"] + " " + line["remote"])

    def test_text_says_side_ends_and_transition(self):
        tracing = self.trace()
        self.exchange(server_first=True)
        line = ""
        while "TIME_WAIT" not in line:
            line = tracing.stdout.readline()
        self.end(tracing)
        self.assertRegex(line, rf"^ +\d+\.\d{{6}}  server  127.0.0.1:{self.port} <-> 127.0.0.1:\d+ +"
                               r"FIN_WAIT_2   -> TIME_WAIT \([56]\d\.\d s left\)$")

    def test_leaves_no_instance_behind(self):
        tracing = self.trace()
        self.assertTrue(os.path.isdir(self.instance_of(tracing)))
        self.end(tracing)
        self.assertFalse(os.path.exists(self.instance_of(tracing)))

    def test_says_what_is_missing_without_permission(self):
        if os.geteuid() != 0:
            self.skipTest("needs root, to become somebody else")
        refused = run("trace", ":80", user=65534, group=65534)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("root", refused.stderr)

    def test_wrong_usage(self):
        for wrong in ([], [":0"], [":80", ":81"]):
            with self.subTest(wrong):
                self.assertEqual(run("trace", *wrong).returncode, 2)


if __name__ == "__main__":
    program.main()
