"""What the system takes away from a server, or does to it: `processes_test.py FOLDER [TEST]`, docs/reliability.md."""

import http.client
import os
import pathlib
import resource
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest

from server_process import (LONG, PATIENCE, FaultTest, Injection, Server, cpu_seconds, descriptors, echoes, eventually, main,
                            memory, needs, read_exactly, read_to_end, reset, some_bytes)
import examples_test

SECONDS = 30 if LONG else 2


class Descriptors(FaultTest):
    def test_emfile_for_long_costs_no_cpu_and_ends_at_once(self):
        # Nobody has to leave for those that wait.
        with Server("echo_server", "--json", "--idle", "5min", "--log-level", "warn", "--when-full", "pause-accept") as server:
            pid = server.process.pid
            self.assertTrue(echoes(server))
            before = descriptors(pid)
            own = resource.prlimit(pid, resource.RLIMIT_NOFILE)
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (before + 40, own[1]))
            clients = [server.connect() for _ in range(200)]  # most wait in the accept queue
            server.await_counts(lambda now: now["accept_failed"] > 0)
            failed, cpu = server.counts()["accept_failed"], cpu_seconds(pid)
            time.sleep(SECONDS)
            self.assertLess(cpu_seconds(pid) - cpu, 0.05 * SECONDS)
            self.assertLess(server.counts()["accept_failed"] - failed, 50 * SECONDS)
            self.assertTrue(echoes(server, peer=clients[0]))  # who is in is served
            resource.prlimit(pid, resource.RLIMIT_NOFILE, own)
            self.assertTrue(eventually(lambda: server.counts()["live"] >= 200, 1), "recovers within a second")
            for peer in clients:
                self.assertTrue(echoes(server, peer=peer))
                peer.close()
            self.settles(server, before)
            self.assertLess(len(server.log), 10 * (SECONDS + 5))


class Injected(FaultTest):
    """Errors of system calls that cannot be had otherwise, by strace."""

    def test_accept_that_fails_for_lack_of_memory_is_put_off(self):
        with Server("echo_server", "--json", "--log-level", "warn") as server:
            self.assertTrue(echoes(server))
            before = descriptors(server.process.pid)
            for error in ("ENFILE", "ENOMEM", "ENOBUFS"):
                failed = server.counts()["accept_failed"]
                with self.subTest(error), Injection(server, "accept4", f"error={error}"):
                    began = time.monotonic()
                    waiting = server.connect()
                    time.sleep(0.5)
                    count, span = server.counts()["accept_failed"] - failed, time.monotonic() - began
                    self.assertGreater(count, 0)
                    self.assertLess(count, 50 * span + 2)
                waiting.settimeout(2)
                self.assertTrue(echoes(server, peer=waiting))
                waiting.close()
            self.settles(server, before)

    def test_epoll_that_is_full_costs_one_connection(self):
        with Server("echo_server", "--json") as server:
            with server.connect() as friend:
                self.assertTrue(echoes(server, peer=friend))
                before = descriptors(server.process.pid)
                with Injection(server, "epoll_ctl", "error=ENOSPC:when=1"):
                    refused = server.connect()
                    with self.assertRaises(ConnectionResetError):
                        while refused.recv(1):
                            pass
                    refused.close()
                    self.assertTrue(echoes(server))
                    self.assertTrue(echoes(server, peer=friend))
                self.assertTrue(eventually(lambda: descriptors(server.process.pid) <= before))
                self.assertEqual(server.counts()["closed"]["overload"], 1)

    def test_interrupted_calls_lose_nothing(self):
        data = some_bytes(300_000)
        calls = "accept4,recvfrom,sendto,sendmsg,epoll_wait,epoll_pwait"
        with Server("echo_server", "--json") as server, Injection(server, calls, "error=EINTR:when=2+3"):
            for _ in range(5):
                self.assertTrue(echoes(server, data))
            server.await_counts(lambda now: now["live"] == 0)
            self.assertEqual(server.counts()["closed"]["peer_closed"], 5)

    def test_send_without_buffers_is_tried_again(self):
        data = some_bytes(300_000)
        with Server("echo_server", "--json") as server:
            for error in ("ENOBUFS", "ENOMEM", "EAGAIN"):
                with self.subTest(error), Injection(server, "sendto,sendmsg", f"error={error}:when=1+2"):
                    self.assertTrue(echoes(server, data))

    def test_errors_of_one_connection_end_that_one_by_name(self):
        for call, error, reason in [("recvfrom", "ECONNRESET", "peer_reset"), ("recvfrom", "ETIMEDOUT", "peer_vanished"),
                                    ("recvfrom", "EHOSTUNREACH", "peer_vanished"), ("sendto", "EPIPE", "peer_reset")]:
            with self.subTest(error), Server("echo_server", "--json", "--log-level", "info") as server:
                friend = server.connect()
                self.assertTrue(echoes(server, peer=friend))
                before = descriptors(server.process.pid)
                victim = server.connect()
                server.await_counts(lambda now: now["live"] == 2)
                with Injection(server, call, f"error={error}:when=1"):
                    victim.sendall(b"hello")
                    counts = server.await_counts(lambda now: now["live"] == 1)
                self.assertEqual(counts["closed"][reason], 1)
                server.await_log(f"{reason} ({error})")
                self.assertTrue(echoes(server, peer=friend))
                self.assertLessEqual(descriptors(server.process.pid), before)
                victim.close()
                friend.close()


class Clients(FaultTest):
    def test_who_resets_in_the_accept_queue_is_no_error(self):
        with Server("echo_server", "--json", "--log-level", "warn") as server:
            self.assertTrue(echoes(server))
            before = descriptors(server.process.pid)
            server.process.send_signal(signal.SIGSTOP)
            for index in range(60):
                peer = server.connect()
                if index % 2:
                    peer.sendall(b"hello")
                reset(peer)
            waits = server.connect()
            server.process.send_signal(signal.SIGCONT)
            self.assertTrue(echoes(server, peer=waits))
            waits.close()
            counts = self.settles(server, before)
            self.assertEqual(counts["accept_failed"], 0)
            self.assertEqual(server.log, [])

    def test_resets_in_the_middle_of_answers_leave_nothing(self):
        request = b"GET /download/4000000 HTTP/1.1\r\nHost: a\r\n\r\n"
        with Server("http_server", "--log-level", "info") as server:
            pid = server.process.pid

            def leave_in_the_middle():
                peer = server.connect()
                peer.sendall(request)
                read_exactly(peer, 2_000)
                reset(peer)

            for _ in range(50):
                leave_in_the_middle()
            before, resident, lines, began = descriptors(pid), memory(pid), len(server.log), time.monotonic()
            for _ in range(400):
                leave_in_the_middle()
            self.assertTrue(eventually(lambda: descriptors(pid) <= before))
            self.assertLess(memory(pid) - resident, 4 << 20)
            self.assertLess(len(server.log) - lines, 12 * (time.monotonic() - began + 2))

    def test_silence_garbage_and_the_wrong_protocol_end_in_time(self):
        hello = bytes.fromhex("16030100c8010000c40303") + bytes(200)
        with Server("http_server", "--read", "1s", "--idle", "1s") as plain, \
                Server("http_server", "--tls-self-signed", "--handshake", "1s") as secured:
            for server, said in [(plain, b""), (plain, hello), (plain, bytes(range(256)) * 40), (plain, b"GET / HT"),
                                 (secured, b""), (secured, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"), (secured, hello[:7])]:
                with self.subTest(said[:10]), server.connect() as peer:
                    began = time.monotonic()
                    peer.settimeout(5)
                    try:
                        peer.sendall(said)
                        read_to_end(peer)
                    except ConnectionResetError:
                        pass
                    self.assertLess(time.monotonic() - began, 3)


class Signals(FaultTest):
    def test_a_stopped_process_reaps_nobody_who_spoke(self):
        stop = 30 if LONG else 3
        with Server("echo_server", "--json", "--idle", "2s", "--log-level", "info") as server:
            spoke, silent = server.connect(), server.connect()
            for peer in (spoke, silent):
                self.assertTrue(echoes(server, peer=peer))
            server.process.send_signal(signal.SIGSTOP)
            time.sleep(stop)
            spoke.sendall(b"still there?")
            server.process.send_signal(signal.SIGCONT)
            began = time.monotonic()
            self.assertEqual(read_exactly(spoke, 12), b"still there?")
            self.assertEqual(silent.recv(1), b"")  # it was idle for so long
            silent.close()
            counts = server.await_counts(lambda now: now["live"] <= 1)
            self.assertEqual(counts["closed"]["idle_timeout"], 1)
            self.assertEqual(spoke.recv(1), b"")
            self.assertGreater(time.monotonic() - began, 1.5)  # its two seconds begin with its bytes
            spoke.close()

    def test_the_tick_wraps_on_a_real_clock(self):
        """The loop's milliseconds have 32 bits: in a time namespace they run out two seconds after the start."""
        needs("unshare")
        uptime = time.clock_gettime(time.CLOCK_MONOTONIC)
        offset = int((1 << 32) / 1000 - uptime) - 1
        prefix = ["unshare", "--time", "--monotonic", str(offset), "--boottime", str(offset), "--fork", "--kill-child"]
        if os.geteuid() != 0:
            prefix[1:1] = ["--user", "--map-root-user"]
        probe = subprocess.run([*prefix, "true"], capture_output=True, text=True)
        if probe.returncode != 0 or offset < 0:
            self.skipTest(f"needs a time namespace: {probe.stderr.strip()}")
        with tempfile.TemporaryDirectory() as folder:
            wrapped = pathlib.Path(folder) / "server"
            wrapped.write_text(f'#!/bin/sh\nexec {" ".join(prefix)} {examples_test.built("echo_server")} "$@"\n')
            wrapped.chmod(0o755)
            with Server(wrapped, "--idle", "2s") as server:
                busy, began = server.connect(), time.monotonic()
                quiet = server.connect()
                self.assertTrue(echoes(server, peer=quiet))
                closed = []
                watcher = threading.Thread(target=lambda: (quiet.recv(1), closed.append(time.monotonic() - began)))
                watcher.start()
                while time.monotonic() - began < 5:
                    self.assertTrue(echoes(server, peer=busy))
                    time.sleep(0.05)
                watcher.join()
                busy.close()
                quiet.close()
                inside = pathlib.Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text()
                os.kill(int(inside), signal.SIGTERM)  # unshare does not pass it on
                server.process.wait(PATIENCE)
            self.assertGreater(closed[0], 1.99)
            self.assertLess(closed[0], 3)


    def test_a_date_that_jumps_moves_no_deadline(self):
        os.environ.update(LD_PRELOAD=os.environ["DWELL_SHORT_IO"], DWELL_CLOCK_JUMPS="1", DWELL_SHORT_IO_IN="http_server")
        try:
            with Server("http_server", "--idle", "1s") as server:
                del os.environ["LD_PRELOAD"]
                quiet, began = server.connect(), time.monotonic()
                peer = http.client.HTTPConnection(server.where, timeout=PATIENCE)
                dates = set()
                while time.monotonic() - began < 0.9:
                    peer.request("GET", "/")
                    answer = peer.getresponse()
                    answer.read()
                    dates.add(answer.headers["Date"][:16])
                    time.sleep(0.1)
                self.assertEqual(quiet.recv(1), b"")
                self.assertGreater(time.monotonic() - began, 0.99)
                self.assertLess(time.monotonic() - began, 2)
                peer.close()
                quiet.close()
            self.assertTrue(dates)
        finally:
            for name in ("LD_PRELOAD", "DWELL_CLOCK_JUMPS", "DWELL_SHORT_IO_IN"):
                os.environ.pop(name, None)


class Logs(FaultTest):
    def serve(self, stderr, requests=300, served=lambda: None):
        """Serves while each end is a line, and ends when it is told to."""
        process = subprocess.Popen([examples_test.built("echo_server"), "--listen", "127.0.0.1:0", "--log-level",
                                    "debug", "--threads", "2"], stdout=subprocess.PIPE, stderr=stderr, text=True)
        try:
            host, port = process.stdout.readline().strip().removeprefix("listening on ").rsplit(":", 1)
            for _ in range(requests):
                with socket.create_connection((host, int(port)), 5) as peer:
                    peer.sendall(b"hello")
                    self.assertEqual(read_exactly(peer, 5), b"hello")
            served()
            process.send_signal(signal.SIGTERM)
            return process.wait(10)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
            process.stdout.close()

    def test_a_full_disk_costs_lines_only(self):
        with open("/dev/full", "w") as full:
            self.assertEqual(self.serve(full), 0)

    def test_a_stuck_reader_costs_lines_only(self):
        reading, writing = os.pipe()
        os.set_blocking(writing, False)
        try:
            while True:
                os.write(writing, bytes(4096))
        except BlockingIOError:
            os.set_blocking(writing, True)
        serving = threading.Event()

        def read_in_the_end():  # a process with a stuck log cannot end before it has been read
            serving.wait(PATIENCE)
            while os.read(reading, 1 << 16):
                pass

        reader = threading.Thread(target=read_in_the_end)
        reader.start()
        try:
            self.assertEqual(self.serve(writing, served=serving.set), 0)
        finally:
            os.close(writing)
            serving.set()
            reader.join()
            os.close(reading)

    def test_a_reader_that_has_gone_costs_lines_only(self):
        reading, writing = os.pipe()
        os.close(reading)
        try:
            self.assertEqual(self.serve(writing), 0)
        finally:
            os.close(writing)


if __name__ == "__main__":
    main()
