"""Bodies as they come and go, as clients see it: `http_streams_test.py FOLDER [TEST]`."""

import pathlib
import re
import time

from examples_test import PATIENCE, Server, main
from http_clients_test import SANITIZED, ClientTest, request, serve, url

GIGABYTES = 400_000_000 if SANITIZED else 4_000_000_000
MIB = 1024 * 1024


def most_resident(server):
    """Bytes of memory that a running server has used at most."""
    status = pathlib.Path(f"/proc/{server.process.pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024


class Large(ClientTest):
    tool = "curl"

    def assert_flat(self, server, before):
        if not SANITIZED:
            self.assertLess(most_resident(server) - before, 2 * MIB)

    def test_an_upload_of_any_size_costs_no_memory(self):
        with serve() as server, server.connect() as peer:
            before = most_resident(server)
            peer.sendall(request("/upload", "POST", f"Content-Length: {GIGABYTES}\r\n"))
            block, left = memoryview(bytes(MIB)), GIGABYTES
            while left:
                piece = block[:left]
                peer.sendall(piece)
                left -= len(piece)
            self.assertIn(b"%d bytes" % GIGABYTES, peer.recv(4096))
            self.assert_flat(server, before)

    def test_a_download_of_any_size_costs_no_memory(self):
        with serve() as server:
            before = most_resident(server)
            ended = self.run_tool("-s", "-o", "/dev/null", "-w", "%{size_download}", url(server, f"/download/{GIGABYTES}"))
            self.assertEqual(int(ended.stdout), GIGABYTES)
            self.assert_flat(server, before)

    def test_curl_sends_in_chunks_and_waits_for_continue(self):
        with serve() as server:
            data = bytes(range(256)) * 20_000
            for more in ((), ("-H", "Transfer-Encoding: chunked"), ("-H", "Expect: 100-continue"), ("--http1.0",)):
                ended = self.run_tool("-s", "--data-binary", "@-", *more, url(server, "/upload"), given=data)
                self.assertEqual(ended.stdout, b"%d bytes\n" % len(data), more)

    def test_downloads_that_advance_stay_and_one_that_stalls_is_reset_at_its_deadline(self):
        with serve("--write", "1s", "--idle", "1s", "--handle", "1s") as server:
            stalled = server.connect(receive_buffer=4096)
            stalled.sendall(request("/download/100000000"))
            slow = server.connect(receive_buffer=4096)
            slow.sendall(request("/download/100000000"))
            began = time.monotonic()
            while time.monotonic() - began < 3:  # three times every deadline
                self.assertTrue(slow.recv(20_000))
                time.sleep(0.02)
            server.await_counts(lambda counts: counts["closed"].get("write_timeout") == 1)
            with self.assertRaises(ConnectionResetError):
                while stalled.recv(65536):
                    pass
            self.assertTrue(slow.recv(20_000))
            stalled.close()
            slow.close()


class News(ClientTest):
    tool = "curl"

    def listen(self, server):
        peer = server.connect()
        peer.sendall(request("/events"))
        stream = peer.makefile("rb")
        while stream.readline().strip():
            pass
        return peer, stream

    def test_news_reach_all_listeners_on_every_loop(self):
        with Server("news_server", "--json", "--threads", "2", "--log-level", "warn") as server:
            listening = [self.listen(server) for _ in range(8)]
            for _, stream in listening:
                self.await_line(stream, b"retry: 1000\n")
            told = self.run_tool("-s", "-d", "It rains.\nA lot.", url(server, "/news"))
            self.assertEqual(told.stdout, b"8 listen\n")
            for _, stream in listening:
                self.await_line(stream, b"data: It rains.\n")
                self.await_line(stream, b"data: A lot.\n")
            for peer, stream in listening:
                stream.close()
                peer.close()

    def test_who_listens_stays_and_who_is_gone_is_noticed(self):
        with Server("news_server", "--json", "--heartbeat", "50ms", "--handle", "1s", "--idle", "1s", "--log-level", "warn") as server:
            stays, goes = self.listen(server), self.listen(server)
            goes[1].close()
            goes[0].close()
            server.await_counts(lambda counts: counts["live"] == 1)
            began = time.monotonic()
            while time.monotonic() - began < 2.5:  # past every deadline
                self.await_line(stays[1], b":\n")
            stays[1].close()
            stays[0].close()

    def await_line(self, stream, line):
        while (read := stream.readline()) != line:
            self.assertTrue(read, f"no {line} came")


if __name__ == "__main__":
    main()
