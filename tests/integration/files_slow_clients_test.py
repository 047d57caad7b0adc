"""Large files and many slow downloads: `files_slow_clients_test.py FOLDER [TEST]`."""

import os
import socket
import subprocess
import threading
import time

from examples_test import PATIENCE, main, read_exactly
from files_clients_test import TLS, Site
from http_clients_test import HIGH_WATERMARK, POOL, SANITIZED, request, resident

GIGABYTE = 1 << 30


class Large(Site):
    tool = "curl"

    def download(self, flags, scheme, size):
        os.truncate(self.folder / "big.bin", size)
        with self.serve(*flags) as server:
            self.run_tool("-sS", "-k", "-o", "/dev/null", self.url(server, "small.txt", scheme))
            before = most = resident(server)
            curl = subprocess.Popen([self.tool, "-sS", "-k", "-o", "/dev/null", "-w", "%{size_download} %{http_code}",
                                     self.url(server, "big.bin", scheme)], stdout=subprocess.PIPE)
            while curl.poll() is None:
                most = max(most, resident(server))
                time.sleep(0.02)
            self.assertEqual(curl.stdout.read(), b"%d 200" % size)
            curl.stdout.close()
            if not SANITIZED:
                self.assertLess(most - before, HIGH_WATERMARK + POOL)
            print(f"{scheme}: resident memory {before // 1024} KiB before, {most // 1024} KiB at most")

    def test_four_gigabytes_with_memory_flat(self):
        self.download((), "http", 4 * GIGABYTE + 1)  # 32 bits would not do

    def test_four_gigabytes_over_tls_with_memory_flat(self):
        self.download(TLS, "https", (1 if SANITIZED else 4) * GIGABYTE + 1)


class Many(Site):
    def p99(self, server, count=2000):
        times = []
        with server.connect() as peer:
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for _ in range(count):
                began = time.perf_counter()
                peer.sendall(request())
                peer.recv(4096)
                times.append(time.perf_counter() - began)
        return sorted(times)[count * 99 // 100]

    def test_two_hundred_slow_downloads_do_not_hold_others_up(self):
        """Each takes 20 KB every 0.2 s: 20 MB/s in all."""
        os.truncate(self.folder / "big.bin", 100_000_000)
        with self.serve() as server:
            alone = min(self.p99(server) for _ in range(3))
            slow = [server.connect(receive_buffer=4096) for _ in range(200)]
            for peer in slow:
                peer.sendall(request("/files/big.bin"))
            ended = threading.Event()

            def download():
                while not ended.is_set():
                    for peer in slow:
                        read_exactly(peer, 20_000)
                    ended.wait(0.2)

            reader = threading.Thread(target=download)
            reader.start()
            try:
                beside = min(self.p99(server) for _ in range(3))
                counts = server.counts()
            finally:
                ended.set()
                reader.join(PATIENCE)
                for peer in slow:
                    peer.close()
        print(f"p99 alone {alone * 1e6:.0f} us, beside 200 slow downloads {beside * 1e6:.0f} us")
        self.assertEqual(counts["live"], 200)
        self.assertLess(beside, 20 * alone)  # the reader is a thread of this very process


if __name__ == "__main__":
    main()
