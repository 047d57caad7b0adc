"""Networks that lose and are slow, in a namespace of the test's own: `networks_test.py FOLDER [TEST]`."""

import http.client
import subprocess
import threading
import time
import unittest

from server_process import FaultTest, Server, echoes, main, needs, some_bytes
from networks import enter_fresh_network  # its folder is known from here on

NO_NETWORK = enter_fresh_network()


class Lossy(FaultTest):
    def setUp(self):
        if NO_NETWORK:
            self.skipTest(NO_NETWORK)

    def run_here(self, *command):
        needs(command[0])
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            self.skipTest(f"{command[0]} cannot do that here: {done.stderr.strip()}")

    def test_what_arrives_is_exact_when_a_tenth_of_the_segments_is_lost(self):
        self.run_here("nft", "add table inet lossy; add chain inet lossy in { type filter hook input priority 0; }; "
                             "add rule inet lossy in meta l4proto tcp numgen random mod 100 vmap { 0-9 : drop }")
        try:
            data = some_bytes(200_000)
            with Server("echo_server", "--json", "--idle", "4s", "--write", "4s") as server:
                workers = []
                wrong = []

                def talk():
                    try:
                        with server.connect() as peer:
                            for part in range(0, len(data), 40_000):
                                if not echoes(server, data[part:part + 40_000], peer):
                                    wrong.append("other bytes")
                    except OSError as error:
                        wrong.append(str(error))

                for _ in range(8):
                    workers.append(threading.Thread(target=talk))
                    workers[-1].start()
                for each in workers:
                    each.join()
                self.assertEqual(wrong, [])
                counts = server.await_counts(lambda now: now["live"] == 0)
                self.assertEqual(counts["closed"]["peer_closed"], 8)
        finally:
            subprocess.run(["nft", "delete", "table", "inet", "lossy"], check=True)

    def test_a_slow_line_is_no_reason_to_be_reaped(self):
        """256 kbit/s carry 32 KB/s: longer than the write and read deadlines, which the kernel's own waits fit into."""
        self.run_here("ip", "link", "set", "lo", "mtu", "1500")
        self.run_here("tc", "qdisc", "add", "dev", "lo", "root", "tbf", "rate", "256kbit", "burst", "8kb", "latency", "200ms")
        try:
            with Server("http_server", "--write", "3s", "--read", "3s", "--idle", "3s") as server:
                peer = http.client.HTTPConnection(server.where, timeout=60)
                began = time.monotonic()
                peer.request("GET", "/download/150000")
                answer = peer.getresponse().read()
                self.assertEqual(len(answer), 150_000)
                self.assertGreater(time.monotonic() - began, 3)
                body = some_bytes(60_000)
                peer.request("POST", "/upload", body=body)
                self.assertIn(b"60000", peer.getresponse().read())
                peer.close()
        finally:
            subprocess.run(["tc", "qdisc", "del", "dev", "lo", "root"], check=True)


if __name__ == "__main__":
    main()
