"""Static files as the clients that people use see them: `files_clients_test.py FOLDER [TEST]`."""

import http.client
import os
import pathlib
import random
import re
import signal
import subprocess
import tempfile
import time
import unittest

from examples_test import PATIENCE, Server, built, main, read_exactly
from http_clients_test import SANITIZED, ClientTest, request

PER_TURN = 256 * 1024
TLS = ("--tls-self-signed",)


class Site(ClientTest):
    """A folder with a few files, and a server of it."""

    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.big = random.Random(1).randbytes(3_000_001)
        (self.folder / "big.bin").write_bytes(self.big)
        (self.folder / "small.txt").write_text("hello\n")
        (self.folder / "sub").mkdir()
        (self.folder / "sub/index.html").write_text("<p>index</p>")

    def serve(self, *flags):
        return Server("http_server", "--json", "--log-level", "warn", "--files", str(self.folder), *flags)

    def url(self, server, name, scheme="http"):
        return f"{scheme}://{server.where}/files/{name}"


class Curl(Site):
    tool = "curl"

    def curl(self, *arguments):
        return self.run_tool("-sS", *arguments).stdout

    def both_ways(self):
        for flags, scheme in (((), "http"), (TLS, "https")):
            with self.subTest(scheme=scheme), self.serve(*flags) as server:
                yield server, lambda name: self.url(server, name, scheme)

    def test_whole_parts_and_resumed(self):
        for _, url in self.both_ways():
            got = self.folder / "got"
            self.assertEqual(self.curl("-k", url("big.bin")), self.big)
            self.assertEqual(self.curl("-k", "-r", "1000000-2000000", url("big.bin")), self.big[1_000_000:2_000_001])
            self.assertEqual(self.curl("-k", "-r", "-77", url("big.bin")), self.big[-77:])
            got.write_bytes(self.big[:1_234_567])
            self.curl("-k", "-C", "-", "-o", str(got), url("big.bin"))
            self.assertEqual(got.read_bytes(), self.big)

    def test_conditions(self):
        for _, url in self.both_ways():
            code = ("-o", str(self.folder / "out"), "-w", "%{http_code} %{size_download}")
            etag = str(self.folder / "etag")
            self.assertEqual(self.curl("-k", "--etag-save", etag, *code, url("small.txt")), b"200 6")
            self.assertEqual(self.curl("-k", "--etag-compare", etag, *code, url("small.txt")), b"304 0")
            self.assertEqual(self.curl("-k", "-z", str(self.folder / "small.txt"), *code, url("small.txt")), b"304 0")
            self.assertEqual(self.curl("-k", "-z", "2000-01-01", *code, url("small.txt")), b"200 6")
            self.assertEqual(self.curl("-k", "-r", "9-", *code, url("small.txt"))[:3], b"416")

    def test_directories_and_paths(self):
        (self.folder / "out").symlink_to("/etc/passwd")
        for _, url in self.both_ways():
            self.assertEqual(self.curl("-k", "-L", url("sub")), b"<p>index</p>")
            for name in ("../../../../etc/passwd", "%2e%2e/%2e%2e/etc/passwd", "..%2f..%2fetc/passwd", "/etc/passwd", "out"):
                said = self.curl("-k", "--path-as-is", "-w", "%{http_code}", url(name))
                self.assertEqual(said, b"404 Not Found\n404", name)


class Wget(Site):
    tool = "wget"

    def test_goes_on_where_it_stopped(self):
        with self.serve() as server:
            got = self.folder / "got"
            got.write_bytes(self.big[:2_000_000])
            self.run_tool("-q", "-c", "-O", str(got), self.url(server, "big.bin"))
            self.assertEqual(got.read_bytes(), self.big)

    def test_fetches_only_what_is_newer(self):
        with self.serve() as server:
            for _ in range(2):
                said = self.run_tool("-N", "-P", str(self.folder / "mirror"), self.url(server, "big.bin")).stderr
            self.assertIn(b"304 Not Modified", said)


class Chromium(Site):
    tool = "chromium"

    def test_loads_a_page_its_parts_and_a_range(self):
        (self.folder / "page.html").write_text(
            "<link rel=stylesheet href=style.css><p id=said></p><script type=module src=script.mjs></script>")
        (self.folder / "style.css").write_text("p { color: rgb(1, 2, 3) }")
        (self.folder / "script.mjs").write_text("""
            const part = await fetch('big.bin', {headers: {Range: 'bytes=5-9'}});
            const whole = await (await fetch('big.bin')).arrayBuffer();
            said.textContent = [part.status, (await part.arrayBuffer()).byteLength, whole.byteLength,
                                getComputedStyle(said).color].join(' ');""")
        with self.serve() as server, tempfile.TemporaryDirectory() as profile:
            said = self.run_tool("--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}",
                                 "--virtual-time-budget=10000", "--dump-dom", self.url(server, "page.html")).stdout
            self.assertIn(b">206 5 3000001 rgb(1, 2, 3)</p>", said)


class PythonHttpClient(Site):
    def test_random_ranges_of_one_connection(self):
        numbers = random.Random(2)
        with self.serve() as server:
            peer = http.client.HTTPConnection(server.where, timeout=PATIENCE)
            for _ in range(100):
                first = numbers.randrange(len(self.big))
                last = min(first + numbers.randrange(600_000), len(self.big) - 1)
                peer.request("GET", "/files/big.bin", headers={"Range": f"bytes={first}-{last}"})
                answer = peer.getresponse()
                self.assertEqual((answer.status, answer.read()), (206, self.big[first:last + 1]))
            self.assertEqual(server.counts()["opened"], 1)
            peer.close()


class Deadlines(Site):
    """The kernel's buffers are kept small, so that the client's pace is what the server sees."""

    def ask(self, server, receive_buffer=4096):
        peer = server.connect(receive_buffer=receive_buffer)
        peer.sendall(request("/files/big.bin"))
        return peer

    def test_what_advances_stays_and_what_stalls_ends(self):
        with self.serve("--write", "1s", "--idle", "1s") as server:
            with self.ask(server) as slow, self.ask(server) as stalled:
                for _ in range(12):  # three seconds
                    time.sleep(0.25)
                    slow.settimeout(PATIENCE)
                    read_exactly(slow, 20_000)
                counts = server.await_counts(lambda counts: counts["closed"]["write_timeout"] == 1)
                self.assertEqual(counts["live"], 1)
                with slow.makefile("rb") as rest:
                    rest.read(len(self.big) - 240_000)
                with self.assertRaises(ConnectionResetError):
                    while stalled.recv(65536):
                        pass

    def test_a_file_that_shrinks_is_cut_by_a_reset(self):
        with self.serve() as server, self.ask(server) as peer:
            read_exactly(peer, 10_000)
            os.truncate(self.folder / "big.bin", 100_000)
            with self.assertRaises(ConnectionResetError):
                while peer.recv(65536):
                    pass
            server.await_counts(lambda counts: counts["closed"]["handler_failed"] == 1)


class SystemCalls(Site):
    tool = "strace"

    def test_a_file_leaves_by_sendfile_and_no_other_call(self):
        if SANITIZED:
            self.skipTest("LeakSanitizer does not run under strace")
        log = self.folder / "calls"
        traced = subprocess.Popen(
            [self.tool, "-f", "-qq", "-e", "trace=openat2,sendfile,sendto,sendmsg,write,writev,read,pread64",
             "-o", str(log), built("http_server"), "--listen", "127.0.0.1:0", "--log-level", "off", "--files",
             str(self.folder)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            where = traced.stdout.readline().strip().removeprefix("listening on ")
            if not where:
                self.skipTest(f"strace cannot trace here: {traced.stderr.read()[:100]}")
            peer = http.client.HTTPConnection(where, timeout=PATIENCE)
            before = log.read_text().count("\n")
            for _ in range(3):
                peer.request("GET", "/files/big.bin")
                self.assertEqual(peer.getresponse().read(), self.big)
            peer.close()
        finally:
            children = pathlib.Path(f"/proc/{traced.pid}/task/{traced.pid}/children").read_text().split()
            for child in children:
                os.kill(int(child), signal.SIGTERM)
            traced.communicate(timeout=PATIENCE)
        calls = [re.match(r"\d+ +(\w+)\((.*)\) += (-?\d+)", line) for line in log.read_text().splitlines()[before:]]
        calls = [(call[1], call[2], int(call[3])) for call in calls if call]
        files = [(arguments, count) for name, arguments, count in calls if name == "sendfile"]
        self.assertEqual(sum(count for _, count in files if count > 0), 3 * len(self.big))
        self.assertTrue(all(int(arguments.rsplit(", ", 1)[1]) <= PER_TURN for arguments, _ in files), files)
        heads = [arguments for name, arguments, _ in calls if name in ("sendto", "sendmsg")]
        self.assertEqual(len(heads), 3)
        self.assertTrue(all("MSG_MORE" in head for head in heads), heads)  # shares a segment with the file
        touched = {descriptor for arguments, _ in files for descriptor in arguments.split(", ")[:2]}
        self.assertFalse([call for call in calls if call[0] in ("read", "pread64", "write", "writev")
                          and call[1].split(", ")[0] in touched])
        self.assertEqual(sum(name == "openat2" for name, _, _ in calls), 3)


if __name__ == "__main__":
    main()
