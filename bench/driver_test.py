"""The driver against the raw peer: `driver_test.py DRIVER RAW_EPOLL BARE_REAP`."""

import http.server
import json
import signal
import subprocess
import sys
import threading
import time
import unittest

DRIVER, RAW_EPOLL, BARE_REAP = sys.argv[1:4]
PATIENCE = 60  # seconds: a machine may be busy


class Peer:
    def __init__(self, program, *flags):
        self.process = subprocess.Popen([program, "--listen", "127.0.0.1:0", *map(str, flags)],
                                        stdout=subprocess.PIPE, text=True)
        self.address = self.process.stdout.readline().split()[-1]

    def __enter__(self):
        return self

    def __exit__(self, *error):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()

    def counts(self):
        """What it prints when it is asked to end."""
        self.process.terminate()
        return json.loads(self.process.communicate(timeout=PATIENCE)[0])


def start(*argv):
    return subprocess.Popen([DRIVER, *map(str, argv), "--json"], stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True)


def drive(*argv, code=0):
    process = start(*argv)
    output, errors = process.communicate(timeout=PATIENCE)
    if process.returncode != code:
        raise AssertionError(f"exit code {process.returncode}: {errors}")
    return json.loads(output)


def fail(*argv):
    """(exit code, standard error) of a run that must not succeed."""
    process = start(*argv)
    _, errors = process.communicate(timeout=PATIENCE)
    return process.returncode, errors


class Exchanges(unittest.TestCase):
    def test_both_ends_count_the_same_requests(self):
        with Peer(RAW_EPOLL) as peer:
            result = drive("long", peer.address, "-n", 10, "--count", 1000)
            counts = peer.counts()
        self.assertEqual((result["exchanges"], result["failed"]), (1000, 0))
        self.assertEqual((counts["connections"], counts["requests"]), (10, 1000))
        self.assertEqual(result["received_bytes"], 64_000)

    def test_a_request_larger_than_any_buffer_comes_back_whole(self):
        with Peer(RAW_EPOLL) as peer:
            result = drive("long", peer.address, "-n", 2, "--size", "5mb", "--count", 6)
        self.assertEqual((result["exchanges"], result["failed"]), (6, 0))

    def test_short_connections_end_by_the_servers_fin(self):
        with Peer(RAW_EPOLL, "--mode", "short", "--size", 1000) as peer:
            result = drive("short", peer.address, "--size", 1000, "--count", 300)
        self.assertEqual(result["exchanges"], 300)
        self.assertEqual(result["ended_by"], {"fin": 300, "reset": 0})

    def test_a_reset_before_the_reply_is_a_failure_of_its_class(self):
        with Peer(RAW_EPOLL, "--mode", "short", "--close", "abort") as peer:
            result = drive("short", peer.address, "-n", 1, "--size", 100_000, "--count", 20,
                           code=1)
        # Its first 64 bytes were echoed and the rest was dropped.
        self.assertEqual((result["exchanges"], result["failed"]), (0, 20))
        self.assertEqual(result["errors"]["reset"], 20)

    def test_a_reply_that_is_cut_off_is_a_failure_of_its_class(self):
        with Peer(RAW_EPOLL, "--mode", "short", "--size", 10) as peer:
            result = drive("short", peer.address, "-n", 1, "--size", 10, "--reply", 20, "--count", 20,
                           code=1)
        self.assertEqual((result["exchanges"], result["errors"]["closed_early"]), (0, 20))


class Time(unittest.TestCase):
    def test_a_stalled_server_shows_in_the_latency_of_all_requests_due_meanwhile(self):
        stall = 0.4
        with Peer(RAW_EPOLL) as peer:
            running = start("long", peer.address, "-n", 2, "--rate", 1000, "--warmup", "0s",
                            "--duration", "2s")
            time.sleep(0.5)
            peer.process.send_signal(signal.SIGSTOP)
            time.sleep(stall)
            peer.process.send_signal(signal.SIGCONT)
            result = json.loads(running.communicate(timeout=PATIENCE)[0])
        # Only two requests were on their way, but some 400 of 2,000 were due.
        self.assertGreater(result["latency_us"]["p90"], stall / 4 * 1e6)
        self.assertGreater(result["latency_us"]["max"], stall / 2 * 1e6)
        self.assertGreater(result["late"], 100)

    def test_interrupted_leaves_a_valid_result(self):
        with Peer(RAW_EPOLL) as peer:
            running = start("long", peer.address, "--warmup", "0s", "--duration", "10min")
            time.sleep(1)
            running.send_signal(signal.SIGINT)
            result = json.loads(running.communicate(timeout=PATIENCE)[0])
        self.assertEqual((running.returncode, result["interrupted"]), (0, True))
        self.assertGreater(result["exchanges"], 0)


class Closing(unittest.TestCase):
    def test_idle_connections_are_seen_to_close(self):
        with Peer(BARE_REAP, "--connections", 50, "--after", 1) as peer:
            result = drive("idle", peer.address, "-n", 50, "--spread", "100ms", "--expect", "1s")
        self.assertEqual((result["closed_by_server"], result["early"], result["resets"]), (50, 0, 0))

    def test_a_deadline_kept_too_soon_is_early(self):
        with Peer(BARE_REAP, "--connections", 50, "--after", 1) as peer:
            result = drive("idle", peer.address, "-n", 50, "--spread", "100ms", "--expect", "30s")
        self.assertEqual(result["early"], 50)

    def test_lingering_delivers_all_though_more_is_sent(self):
        with Peer(RAW_EPOLL, "--mode", "short", "--size", 1_000_000, "--close", "lingering") as peer:
            result = drive("crossing", peer.address, "--size", 1_000_000, "--tries", 10)
        self.assertEqual((result["whole"], result["resets"]), (10, 0))


class Site(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    connections, requests = 0, []

    def setup(self):
        type(self).connections += 1
        super().setup()

    def do_GET(self):
        type(self).requests.append((self.path, self.headers.get("Connection")))
        body = b"hello" * (2 if self.path == "/changes" and len(self.requests) > 5 else 1)
        self.send_response(404 if self.path == "/nowhere" else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Http(unittest.TestCase):
    def setUp(self):
        Site.connections, Site.requests = 0, []
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site)
        self.server.handle_error = lambda *_: None  # the driver resets the connection it asked first on
        self.address = f"127.0.0.1:{self.server.server_port}"
        thread = threading.Thread(target=self.server.serve_forever)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)

    def test_many_requests_over_each_connection(self):
        result = drive("long", self.address, "-n", 5, "--get", "/here", "--count", 100)
        self.assertEqual((result["exchanges"], result["failed"]), (100, 0))
        self.assertEqual(Site.requests, [("/here", None)] * 101)  # the first to learn the size of the reply
        self.assertEqual(Site.connections, 6)

    def test_a_connection_for_each_request(self):
        result = drive("short", self.address, "-n", 2, "--get", "/", "--count", 20)
        self.assertEqual((result["exchanges"], result["failed"], result["ended_by"]["fin"]), (20, 0, 20))
        self.assertEqual(Site.requests, [("/", "close")] * 21)

    def test_idle_connections_have_had_one_reply(self):
        result = drive("idle", self.address, "-n", 5, "--get", "/", "--spread", "10ms", "--hold", "10ms")
        self.assertEqual((result["opened"], result["closed_by_server"]), (5, 0))
        self.assertEqual(len(Site.requests), 6)

    def test_a_reply_of_another_size_is_a_failure(self):
        result = drive("long", self.address, "-n", 1, "--get", "/changes", "--count", 20)
        self.assertEqual((result["exchanges"], result["failed"]), (4, result["errors"]["corrupt"]))
        self.assertGreater(result["failed"], 0)

    def test_what_is_not_200_is_named(self):
        code, errors = fail("long", self.address, "--get", "/nowhere")
        self.assertEqual(code, 1)
        self.assertIn("404", errors)


class Usage(unittest.TestCase):
    def test_nobody_listens(self):
        with Peer(RAW_EPOLL) as peer:
            address = peer.address
        code, errors = fail("long", address)
        self.assertEqual(code, 1)
        self.assertIn("refused", errors)

    def test_wrong_usage_names_what_is_wrong(self):
        for argv, named in ((["long", "nowhere"], "nowhere"), (["long", "127.0.0.1:1", "--rate", "-1"], "rate"),
                            (["long", "127.0.0.1:1", "--duration", "3"], "duration"),
                            (["long", "127.0.0.1:1", "--fast"], "--fast"), (["idle"], "target"),
                            (["long", "127.0.0.1:1", "--get", "here"], "begins with a /")):
            with self.subTest(argv):
                code, errors = fail(*argv)
                self.assertEqual(code, 2)
                self.assertIn(named, errors)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
