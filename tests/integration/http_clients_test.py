"""http_server as the clients that people use see it: `http_clients_test.py FOLDER [TEST]`."""

import concurrent.futures
import csv
import hashlib
import http.client
import json
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request

from examples_test import PATIENCE, Server, main, read_to_end, some_bytes

FLOOD = pathlib.Path(__file__).parents[2] / "bench" / "lab" / "flood.py"
MEGABYTE = 1_000_000
HIGH_WATERMARK = 64 * 1024  # of queued output
POOL = 1024 * 1024  # a loop keeps so much for reuse
SANITIZED = "DWELL_SANITIZED" in os.environ  # sanitizers keep what is freed, and take their time


def serve(*flags):
    return Server("http_server", "--json", "--log-level", "warn", *flags)


def url(server, path="/"):
    return f"http://{server.where}{path}"


def resident(server):
    """Bytes of memory that a running server uses now."""
    status = pathlib.Path(f"/proc/{server.process.pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) * 1024


def request(path="/", method="GET", more="", body=b""):
    return f"{method} {path} HTTP/1.1\r\nHost: test\r\n{more}\r\n".encode() + body


def read_answer(stream, head_only=False):
    """(status, header, body) of an answer with a length."""
    version, status, _ = stream.readline().split(b" ", 2)
    assert version == b"HTTP/1.1", version
    header = {}
    while line := stream.readline().strip():
        name, _, value = line.partition(b": ")
        header[name.decode().lower()] = value.decode()
    return int(status), header, b"" if head_only else stream.read(int(header.get("content-length", 0)))


class ClientTest(unittest.TestCase):
    tool = None

    def setUp(self):
        if self.tool and not shutil.which(self.tool):
            self.skipTest(f"{self.tool} is not installed")

    def run_tool(self, *arguments, given=None):
        ended = subprocess.run([self.tool, *arguments], input=given, capture_output=True, timeout=PATIENCE)
        self.assertEqual(ended.returncode, 0, ended.stderr.decode(errors="replace"))
        return ended


class Curl(ClientTest):
    tool = "curl"

    def curl(self, *arguments, given=None):
        return self.run_tool("-sS", *arguments, given=given).stdout

    def test_versions(self):
        with serve() as server:
            for flag in ("--http1.0", "--http1.1"):
                self.assertEqual(self.curl(flag, "-w", "%{http_code}", url(server)), b"OK200")
                streamed = self.curl(flag, "--raw", url(server, "/stream/2"))
                chunks = b"7\r\nline 1\n\r\n7\r\nline 2\n\r\n0\r\n\r\n"
                self.assertEqual(streamed, b"line 1\nline 2\n" if flag == "--http1.0" else chunks)

    def test_head(self):
        with serve() as server:
            for path, length in (("/", 2), ("/bytes/1000000", MEGABYTE)):
                said = self.curl("-I", "-w", "%{size_download}", url(server, path)).decode()
                self.assertRegex(said, rf"^HTTP/1.1 200 OK\r\n(?s:.*)Content-Length: {length}\r\n(?s:.*\r\n)?\r\n0$")

    def test_one_connection_for_many_requests(self):
        with serve() as server:
            paths = ("/", "/bytes/100000", "/stream/100", "/slow/20", "/nowhere", "/hello/you")
            said = self.curl("-o", "/dev/null", "-w", "%{http_code} %{num_connects}\n",
                             *(word for path in paths for word in ("-o", "/dev/null", url(server, path))))
            self.assertEqual(said.decode().splitlines()[0], "200 1")
            self.assertEqual(server.counts()["opened"], 1)
            self.assertEqual(server.counts()["exchanges"], len(paths))

    def test_uploads_with_and_without_100_continue(self):
        body = some_bytes(MEGABYTE)
        with serve() as server:
            for expected, header in ((True, "Expect: 100-continue"), (False, "Expect:")):
                ended = self.run_tool("-sSv", "--data-binary", "@-", "-H", header, "--expect100-timeout", str(PATIENCE),
                                      url(server, "/echo-body"), given=body)
                self.assertEqual(ended.stdout, body)
                self.assertEqual(b"HTTP/1.1 100 Continue" in ended.stderr, expected)

    def test_chunked_upload(self):
        body = some_bytes(MEGABYTE)
        with serve() as server:
            said = self.curl("--data-binary", "@-", "-H", "Transfer-Encoding: chunked", url(server), given=body)
            self.assertEqual(said, body)

    def test_no_byte_of_a_body_too_large_is_sent_for_nothing(self):
        with serve() as server:
            said = self.curl("--data-binary", "@-", "-H", "Expect: 100-continue", "-o", "/dev/null",
                             "-w", "%{http_code} %{size_upload}", url(server), given=bytes(2 * MEGABYTE))
            self.assertEqual(said, b"413 0")

    def test_cookies_and_header_lines(self):
        with serve() as server:
            self.assertEqual(self.curl("-b", "a=1; b=two", url(server, "/cookie")), b"a=1\nb=two\n")
            self.assertIn(b"X-Mine: yes\n", self.curl("-H", "X-Mine: yes", url(server, "/echo")))

    def test_access_log(self):
        with tempfile.TemporaryDirectory() as folder:
            log = pathlib.Path(folder, "access.log")
            with serve("--access-log", str(log)) as server:
                self.curl(url(server, "/hello/you"))
                server.end(15)
            self.assertRegex(log.read_text(), r'^\S+ peer=\S+ request="GET /hello/you HTTP/1.1" status=200 bytes=12 ms=\d+ ')


    def test_admin(self):
        with serve("--admin", "127.0.0.1:0") as server, server.connect() as peer:
            admin = server.before[0].removeprefix("admin on ")
            peer.sendall(request("/slow/20000"))
            for _ in range(PATIENCE * 10):
                listed = json.loads(self.curl(f"http://{admin}/connections?phase=handle"))["connections"]
                if listed:
                    break
                time.sleep(0.1)
            self.assertEqual(listed[0]["received_bytes"], len(request("/slow/20000")))
            self.assertEqual(self.curl(f"http://{admin}/healthz", "-o", "/dev/null", "-w", "%{http_code}"), b"200")


class Wget(ClientTest):
    tool = "wget"

    def test_downloads_over_one_connection(self):
        with serve() as server:
            said = self.run_tool("-q", "-O", "-", url(server, "/bytes/1000000"), url(server, "/stream/3"), url(server)).stdout
            self.assertEqual(said, b"x" * MEGABYTE + b"line 1\nline 2\nline 3\nOK")
            self.assertEqual(server.counts()["opened"], 1)

    def test_post(self):
        with serve() as server, tempfile.NamedTemporaryFile() as body:
            body.write(some_bytes(MEGABYTE))
            body.flush()
            self.assertEqual(self.run_tool("-q", "-O", "-", "--post-file", body.name, url(server)).stdout, some_bytes(MEGABYTE))


class PythonHttpClient(unittest.TestCase):
    def test_keep_alive(self):
        with serve() as server:
            peer = http.client.HTTPConnection(server.where, timeout=PATIENCE)
            for number in range(100):
                peer.request("POST" if number % 2 else "GET", "/", body=b"%d" % number if number % 2 else None)
                answer = peer.getresponse()
                self.assertEqual((answer.status, answer.read()), (200, b"%d" % number if number % 2 else b"OK"))
            self.assertEqual(server.counts()["opened"], 1)
            peer.close()

    def test_pipelined_answers_keep_their_order(self):
        sent, expected = bytearray(), []
        for number in range(500):
            if number % 10 == 0:
                sent += request("/bytes/7", "HEAD")
                expected.append(None)
                continue
            path, body = [(f"/hello/{number}", b"Hello, %d!\n" % number), (f"/bytes/{number * 10}", b"x" * number * 10),
                          ("/slow/1", b"after 1 ms\n"), ("/", b"body %d" % number)][number % 4]
            sent += request(path, "POST", f"Content-Length: {len(body)}\r\n", body) if path == "/" else request(path)
            expected.append(body)
        with serve() as server, server.connect() as peer:
            peer.sendall(sent)
            with peer.makefile("rb") as stream:
                for body in expected:
                    status, header, received = read_answer(stream, head_only=body is None)
                    self.assertEqual((status, received, header["content-length"]),
                                     (200, body or b"", str(len(body)) if body is not None else "7"))

    def test_one_megabyte_uploads(self):
        body = some_bytes(MEGABYTE)
        with serve() as server:
            for length in ({"Content-Length": str(len(body))}, {}):
                peer = http.client.HTTPConnection(server.where, timeout=PATIENCE)
                peer.request("POST", "/", body=body if length else iter([body[:7], body[7:]]), headers=length,
                             encode_chunked=not length)
                self.assertEqual(peer.getresponse().read(), body)
                peer.close()

    def test_who_sends_too_much_can_finish_and_reads_413(self):
        """A reset would cost the client its answer."""
        body = bytes(2 * MEGABYTE)

        def upload(server, pause):
            with server.connect() as peer:
                peer.sendall(request("/", "POST", f"Content-Length: {len(body)}\r\n"))
                for begin in range(0, len(body), 65_536):
                    peer.sendall(body[begin:begin + 65_536])
                    time.sleep(pause)
                return read_to_end(peer)[:12]

        with serve() as server, concurrent.futures.ThreadPoolExecutor(50) as clients:
            answers = list(clients.map(lambda index: upload(server, 0.01 * (index % 2)), range(50)))
        self.assertEqual(answers, [b"HTTP/1.1 413"] * 50)


class Node(ClientTest):
    tool = "node"

    SCRIPT = """
        const [site] = process.argv.slice(1);
        const sleep = ms => new Promise(done => setTimeout(done, ms));
        const get = async path => (await fetch(site + path)).text();
        const post = async body => (await fetch(site, {method: 'POST', body})).text();
        (async () => {
          const said = [];
          for (let i = 0; i < 20; ++i) said.push(await get('hello/' + i));
          said.push(await post('x'.repeat(1000000)).then(text => text.length));
          said.push(await get('stream/3'));
          await sleep(PAUSE);
          said.push(await get(''));
          console.log(JSON.stringify(said));
        })();
    """

    def talk(self, server, pause):
        script = self.SCRIPT.replace("PAUSE", str(pause))
        said = json.loads(self.run_tool("-e", script, url(server)).stdout)
        self.assertEqual(said, [f"Hello, {i}!\n" for i in range(20)] + [MEGABYTE, "line 1\nline 2\nline 3\n", "OK"])

    def test_fetch_keeps_its_connection(self):
        with serve() as server:
            self.talk(server, 100)
            self.assertLessEqual(server.counts()["opened"], 2)  # it opens a second one whatever the server does

    def test_fetch_honours_the_announced_timeout(self):
        """It leaves before we would close, so none of its requests can cross our FIN."""
        with serve("--idle", "4s") as server:
            self.talk(server, 4600)
            counts = server.await_counts(lambda counts: counts["live"] == 0)
            self.assertEqual(counts["closed"]["peer_closed"], counts["opened"], counts)


class Load(ClientTest):
    def test_wrk(self):
        self.needs("wrk")
        with serve() as server:
            for path in ("/", "/stream/20", "/bytes/100000"):
                said = self.run_tool("-t1", "-c50", "-d1s", url(server, path)).stdout.decode()
                self.assertRegex(said, r"[1-9]\d* requests in")
                self.assertNotRegex(said, "Socket errors|Non-2xx")

    def test_h2load(self):
        self.needs("h2load")
        with serve() as server:
            said = self.run_tool("--h1", "-n5000", "-c50", "-m10", url(server)).stdout.decode()
            self.assertIn("5000 total, 5000 started, 5000 done, 5000 succeeded, 0 failed, 0 errored, 0 timeout", said)

    def needs(self, tool):
        self.tool = tool
        self.setUp()


class Slow(ClientTest):
    """slowhttptest: each attack ends at a deadline, others are served all the while, memory is bounded."""

    tool = "slowhttptest"
    CLIENTS = 200

    def attack(self, server, *arguments, path="/", seconds=6):
        with urllib.request.urlopen(url(server, path)) as first:  # made once: what all answers share
            first.read()
        before = resident(server)
        with tempfile.TemporaryDirectory() as folder:
            out = pathlib.Path(folder, "slow")
            self.run_tool("-c", str(self.CLIENTS), "-r", str(self.CLIENTS), "-l", str(seconds), "-u", url(server, path),
                          "-g", "-o", str(out), *arguments)
            with open(out.with_suffix(".csv")) as table:
                rows = list(csv.DictReader(table))
        self.assertGreater(len(rows), 1)
        self.assertTrue(all(int(row["Service Available"]) for row in rows), rows)
        if not SANITIZED:
            self.assertLess(resident(server) - before, self.CLIENTS * (HIGH_WATERMARK + 4096) + POOL)
        return rows

    def test_headers(self):
        with serve("--read", "2s") as server:
            self.attack(server, "-H", "-i", "1", "-x", "10")
            closed = server.counts()["closed"]
            self.assertEqual(closed["read_timeout"], self.CLIENTS, closed)

    def test_bodies(self):
        with serve("--read", "2s") as server:
            self.attack(server, "-B", "-i", "1", "-x", "10", "-s", "8192", "-t", "POST")
            closed = server.counts()["closed"]
            self.assertEqual(closed["read_timeout"], self.CLIENTS, closed)

    def test_reading(self):
        with serve("--write", "2s") as server:  # it takes nothing for five seconds
            self.attack(server, "-X", "-w", "10", "-y", "20", "-n", "5", "-z", "32", "-k", "3", path="/bytes/1000000")
            closed = server.counts()["closed"]
            self.assertEqual(closed["write_timeout"] + closed["peer_vanished"], self.CLIENTS, closed)

    def test_ranges(self):
        with serve() as server:  # too long a header: refused at once
            self.attack(server, "-R", "-a", "1", "-b", "3000", "-t", "HEAD")
            closed = server.counts()["closed"]
            self.assertEqual(closed["protocol_error"], self.CLIENTS, closed)


class Pipelining(unittest.TestCase):
    def test_who_does_not_read_costs_a_bounded_amount_of_memory(self):
        wanted = request("/bytes/1000000")
        wanted *= 64 * 1024 // len(wanted)
        with serve() as server:
            with urllib.request.urlopen(url(server, "/bytes/1")) as first:  # the block that all answers share
                first.read()
            before = resident(server)
            with server.connect(receive_buffer=4096) as peer:
                peer.sendall(wanted)
                time.sleep(1)
                grown = resident(server) - before
                if not SANITIZED:
                    self.assertLess(grown, HIGH_WATERMARK + 4096 + POOL)
                with peer.makefile("rb") as stream:  # and nothing is lost
                    for _ in range(3):
                        self.assertEqual(read_answer(stream)[::2], (200, b"x" * MEGABYTE))

    def test_ten_thousand_at_once_do_not_hold_others_up(self):
        """Waiting for all of them would take a hundred times as long; ./dev bench http measures it on an optimised build."""
        with serve() as server, server.connect() as peer:
            ratios = []
            for _ in range(3):
                before = self.p99(peer)
                flood = subprocess.Popen([sys.executable, FLOOD, server.where], stdout=subprocess.PIPE)
                flood.stdout.readline()
                ratios.append(self.p99(peer) / before)
                flood.kill()
                flood.communicate()
        self.assertLess(min(ratios), 20, ratios)

    def p99(self, peer, count=300):
        times = []
        for _ in range(count):
            began = time.perf_counter()
            peer.sendall(request())
            peer.recv(4096)
            times.append(time.perf_counter() - began)
        return sorted(times)[count * 99 // 100]


if __name__ == "__main__":
    main()
