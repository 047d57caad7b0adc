"""Lets `dwell doctor` judge networks with one thing wrong, and then does what it warns of: `doctor_test.py DWELL [TEST]`."""

import errno
import json
import os
import resource
import socket
import subprocess
import sys
import tempfile
import unittest

import networks
import program
from program import run


def limits_named(found, name):
    return [limit for limit in found["limits"] if limit["name"] == name]


def first(found, side, unit):
    return next(limit for limit in found["limits"] if limit["first"] and (limit["side"], limit["unit"]) == (side, unit))


def folk(found, name):
    return next((setting for setting in found["folk_settings"] if setting["name"] == name), None)


class Doctor(unittest.TestCase):
    def setUp(self):
        why = networks.enter_fresh_network(networks.CLONE_NEWNS)
        if why:
            self.skipTest(why)

    def set(self, name, value):
        why = networks.set_sysctl(name, value)
        if why:
            self.skipTest(why)

    def judge(self, *arguments, code=None):
        result = run("doctor", "--json", *arguments)
        self.assertIn(result.returncode, (0, 3, 4) if code is None else (code,), result.stdout + result.stderr)
        return json.loads(result.stdout)

    def within(self, figure, reached):
        self.assertLessEqual(abs(figure - reached), 0.05 * reached, f"said {figure}, reached {reached}")
        print(f"  said {figure:g}, reached {reached}")

    def test_names_a_port_range_of_200_and_how_far_it_goes(self):
        self.set("net.ipv4.ip_local_port_range", "20000 20199")
        found = self.judge("--as", "client", "--connections", 300, code=3)
        limit = first(found, "client", "at once")
        self.assertEqual((limit["name"], limit["binds"]), ("net.ipv4.ip_local_port_range", True))
        self.assertIn("EADDRNOTAVAIL", limit["then"])
        server = socket.socket()
        server.bind(("127.0.0.1", 5000))
        server.listen(4096)
        clients = []
        with self.assertRaises(OSError) as refused:
            while len(clients) < 1000:
                clients.append(socket.create_connection(("127.0.0.1", 5000)))
        self.assertEqual(refused.exception.errno, errno.EADDRNOTAVAIL)
        self.within(limit["allows"], len(clients))

    def test_says_how_many_short_connections_200_ports_carry_in_a_minute(self):
        self.set("net.ipv4.ip_local_port_range", "20000 20199")
        self.set("net.ipv4.tcp_tw_reuse", 0)  # as between machines
        limit = first(self.judge("--as", "client", "--rate", 100, code=3), "client", "a second")
        self.assertEqual((limit["name"], limit["binds"]), ("net.ipv4.ip_local_port_range", True))
        server = socket.socket()
        server.bind(("127.0.0.1", 5000))
        server.listen(64)
        count = 0
        with self.assertRaises(OSError) as refused:
            while count < 1000:  # in much less than the 60 s that each port is held
                client = socket.create_connection(("127.0.0.1", 5000))
                accepted, _ = server.accept()
                client.close()
                self.assertEqual(accepted.recv(1), b"")
                accepted.close()
                count += 1
        self.assertEqual(refused.exception.errno, errno.EADDRNOTAVAIL)
        self.within(limit["allows"] * 60, count)

    def test_names_256_descriptors_of_a_running_server_and_how_far_they_go(self):
        server = subprocess.Popen(
            [sys.executable, "-c",
             "import resource, socket\n"
             "resource.setrlimit(resource.RLIMIT_NOFILE, (256, 4096))\n"
             "server = socket.create_server(('127.0.0.1', 5000), backlog=4096)\n"
             "print(flush=True)\n"
             "peers = []\n"
             "try:\n"
             "    while True: peers.append(server.accept())\n"
             "except OSError as error: print(error.errno, len(peers), flush=True)\n"
             "input()\n"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(lambda: (server.kill(), server.communicate()))
        server.stdout.readline()
        early = [socket.create_connection(("127.0.0.1", 5000)) for _ in range(20)]
        networks.eventually(lambda: len(os.listdir(f"/proc/{server.pid}/fd")) > 20)
        found = self.judge("--as", "server", "--connections", 1000, "--port", 5000, code=3)
        limit = first(found, "server", "at once")
        self.assertEqual((limit["name"], limit["binds"]), ("RLIMIT_NOFILE", True))
        self.assertRegex(limit["value"], rf"256 of .* \(pid {server.pid}\)")
        late = [socket.create_connection(("127.0.0.1", 5000)) for _ in range(280)]
        number, count = map(int, server.stdout.readline().split())
        self.assertEqual(number, errno.EMFILE)
        self.within(limit["allows"], count)
        for client in early + late:
            client.close()

    def test_names_the_descriptors_of_its_own_shell(self):
        def few():
            resource.setrlimit(resource.RLIMIT_NOFILE, (256, 1024))

        result = run("doctor", "--as", "client", "--connections", "1000", "--json", preexec_fn=few)
        limit = first(json.loads(result.stdout), "client", "at once")
        self.assertEqual(limit["name"], "RLIMIT_NOFILE")
        self.assertIn("ulimit -n 1024", limit["fix"])
        self.within(limit["allows"], 253)

    def test_names_an_accept_queue_of_128_and_how_far_it_goes(self):
        self.set("net.core.somaxconn", 128)
        found = self.judge("--as", "server", "--rate", 2000, code=4)
        limit = first(found, "server", "a second")
        self.assertEqual((limit["name"], limit["value"], limit["binds"]), ("net.core.somaxconn", "128", True))
        server = networks.listen(4096)
        port = server.getsockname()[1]
        clients = [socket.socket() for _ in range(200)]
        for client in clients:
            client.setblocking(False)
            client.connect_ex(("127.0.0.1", port))

        def look():
            return json.loads(run("states", f":{port}", "--json").stdout)

        self.assertTrue(networks.eventually(lambda: look()["counters"]["TcpExt.ListenOverflows"] > 0), look())
        queue = look()["listeners"][0]
        self.assertEqual(queue["limit"], 128)
        self.within(limit["allows"] * 0.1, queue["queued"])

    def test_says_what_tcp_fin_timeout_really_does(self):
        self.set("net.ipv4.tcp_fin_timeout", 5)
        found = self.judge()
        setting = folk(found, "net.ipv4.tcp_fin_timeout")
        self.assertEqual((setting["value"], setting["belief"]), ("5", "shortens TIME_WAIT"))
        self.assertIn("TIME_WAIT stays 60 s", setting["truth"])
        server = networks.listen()
        port = server.getsockname()[1]
        client = socket.create_connection(("127.0.0.1", port))
        accepted, _ = server.accept()
        accepted.close()
        client.close()
        seen = json.loads(run("states", f":{port}", "--json").stdout)
        self.assertGreater(seen["oldest_time_wait"]["remaining_ms"], 50_000, "and so it is")

    def test_names_few_time_wait_buckets_and_how_far_they_go(self):
        self.set("net.ipv4.tcp_max_tw_buckets", 100)
        found = self.judge("--as", "server", "--rate", 20, code=4)
        limit = first(found, "server", "a second")
        self.assertEqual((limit["name"], limit["binds"]), ("net.ipv4.tcp_max_tw_buckets", True))
        self.assertIn("TCPTimeWaitOverflow", limit["then"])
        self.assertIsNotNone(folk(found, "net.ipv4.tcp_max_tw_buckets"))
        server = networks.listen()
        port = server.getsockname()[1]
        for _ in range(150):
            client = socket.create_connection(("127.0.0.1", port))
            accepted, _ = server.accept()
            accepted.close()
            self.assertEqual(client.recv(1), b"")
            client.close()
        seen = json.loads(run("states", f":{port}", "--json").stdout)
        self.within(limit["allows"] * 60, seen["local"]["TIME_WAIT"])
        self.assertGreater(seen["counters"]["TcpExt.TCPTimeWaitOverflow"], 0)

    def track_connections(self):
        """Makes conntrack look at connections, and one of them. Skips where that cannot be."""
        if not os.path.exists("/proc/sys/net/netfilter/nf_conntrack_max"):
            self.skipTest("this kernel has no conntrack, or it is not loaded")
        made = subprocess.run(["nft", "add table ip t; add chain ip t c { type filter hook input priority 0; };"
                               "add rule ip t c ct state new accept"], capture_output=True, text=True)
        if made.returncode != 0:
            self.skipTest(f"no stateful rule can be made here: {made.stderr.strip()}")
        server = networks.listen()
        self.pair = socket.create_connection(server.getsockname()), server.accept(), server

    def test_counts_conntrack_only_where_it_tracks(self):
        quiet = self.judge()
        self.assertEqual(limits_named(quiet, "net.netfilter.nf_conntrack_max"), [])
        self.assertTrue(any(note.startswith("conntrack: ") for note in quiet["notes"]))
        self.track_connections()
        self.assertEqual(len(limits_named(self.judge(), "net.netfilter.nf_conntrack_max")), 4)

    def test_explains_a_small_conntrack_table(self):
        self.track_connections()
        name = "net.netfilter.nf_conntrack_max"
        if networks.set_sysctl(name, 1000):
            # It is the whole machine's here and not ours to change: what is read from /proc is made to say 1,000.
            with tempfile.NamedTemporaryFile("w", delete=False) as file:
                file.write("1000\n")
            self.addCleanup(os.unlink, file.name)
            subprocess.run(["mount", "--make-rprivate", "/"], check=True)
            mounted = subprocess.run(["mount", "--bind", file.name, "/proc/sys/" + name.replace(".", "/")],
                                     capture_output=True, text=True)
            if mounted.returncode != 0:
                self.skipTest(f"a small table cannot be made here: {mounted.stderr.strip()}")
        found = self.judge("--rate", 50, code=3)
        limit = first(found, "server", "a second")
        self.assertEqual((limit["name"], limit["value"], limit["binds"]), (name, "1000", True))
        self.assertAlmostEqual(limit["allows"], 1000 / 120, delta=0.1)
        self.assertIn("table full", limit["then"])

    def test_the_sysctl_file_removes_what_binds(self):
        for name, value in (("net.core.somaxconn", 128), ("net.ipv4.ip_local_port_range", "20000 20199"),
                            ("net.ipv4.tcp_max_tw_buckets", 100), ("net.ipv4.tcp_fin_timeout", 5),
                            ("net.ipv4.tcp_timestamps", 0)):
            self.set(name, value)
        asked = ("--rate", 800, "--port", 20100)
        self.judge(*asked, code=4)
        written = run("doctor", "--sysctl", *asked)
        self.assertEqual(written.returncode, 0)
        lines = written.stdout.splitlines()
        settings = [line for line in lines if line and not line.startswith("#")]
        for line in settings:
            self.assertTrue(lines[lines.index(line) - 1].startswith("# "), f"no reason above {line}")
            name, value = line.split(" = ")
            self.assertEqual(networks.set_sysctl(name, value), "")
        after = self.judge(*asked, code=0)
        self.assertEqual([limit["name"] for limit in after["limits"] if limit["binds"]], [])
        self.assertEqual([setting["name"] for setting in after["folk_settings"]], [])
        self.assertIn("# Nothing to change.", run("doctor", "--sysctl", *asked).stdout)

    def test_says_what_it_cannot_read(self):
        found = self.judge()
        self.assertTrue(any(line.startswith("net.ipv4.tcp_max_orphans: ") for line in found["unreadable"]), found)

    def test_text_names_what_binds_first(self):
        self.set("net.ipv4.ip_local_port_range", "20000 20199")
        text = run("doctor", "--as", "client", "--connections", 300).stdout
        self.assertIn("As a client: net.ipv4.ip_local_port_range binds first, at 200 at once", text)
        self.assertNotIn("As a server", text)
        calm = run("doctor", "--as", "client", "--connections", 100)
        self.assertIn("nothing binds below that", calm.stdout)
        self.assertEqual(calm.returncode, 0)

    def test_wrong_usage(self):
        for wrong in (("--rate", "0"), ("--rate", "many"), ("--connections", "0"), ("--port", "0"), ("--as", "proxy"),
                      ("--json", "--sysctl")):
            with self.subTest(wrong):
                refused = run("doctor", *wrong)
                self.assertEqual(refused.returncode, 2)
                self.assertIn("see dwell --help", refused.stderr)


if __name__ == "__main__":
    program.main()
