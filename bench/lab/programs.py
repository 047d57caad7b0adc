"""The programs that take part: servers, and the driver that loads them."""

import json
import os
import pathlib
import queue
import signal
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
READY = "listening on "


class Failed(Exception):
    """A program did not do what it should; says which and what it printed."""


class Programs:
    """Where the built programs are."""

    def __init__(self, build, stand_in=False):
        """stand_in: the raw peer plays Dwell's part, which shows the noise of a measurement."""
        build = pathlib.Path(build)
        self.peers = build / "bench"
        self.driver = build / "bench" / "driver"
        self.load_tool = build / "bench" / "load" / "dwell-load"
        self.raw = build / "bench" / "raw_epoll"
        self.bare_reap = build / "bench" / "bare_reap"
        self.echo_server = build / "examples" / "echo_server"
        self.http_server = build / "examples" / "http_server"
        self.instructions = build / "bench" / "instructions"
        self.micro = build / "bench" / "micro_bench"
        self.dwell_load = build / "bench" / "load" / "dwell-load"
        self.stand_in = stand_in
        self.subject = "raw again" if stand_in else "dwell"

    def need(self, *names):
        for name in names:
            path = self.raw if name == "echo_server" and self.stand_in else getattr(self, name)
            if not path.exists():
                raise Failed(f"{path} is missing: run ./dev build")

    def dwell(self, mode="long", **flags):
        """The command line of Dwell's echo server, one thread."""
        flags = {"mode": mode, **flags}
        if self.stand_in:
            if flags.get("close") == "peer-first":
                flags["close"] = "client"
            return self.raw_peer(**{k: v for k, v in flags.items() if k in ("mode", "size", "close")})
        return [self.echo_server, *_flags({"threads": 1, "log-level": "error", **flags})]

    def http(self, **flags):
        """The command line of Dwell's HTTP server, one thread."""
        return [self.http_server, *_flags({"threads": 1, "log-level": "error", **flags})]

    def peer(self, name, **flags):
        """The command line of one of bench/peers; None when it was left out of the build."""
        path = self.peers / name
        return [path, *_flags(flags)] if path.exists() else None

    def raw_peer(self, **flags):
        return [self.raw, *_flags(flags)]


def _flags(given):
    words = []
    for name, value in given.items():
        words += [f"--{name.replace('_', '-')}", str(value)]
    return words


class Server:
    """A server under measurement; started when this returns."""

    def __init__(self, network, argv, side_address=None):
        self.argv = [str(word) for word in argv]
        self.process = network.start(
            "server", [*self.argv, "--listen", f"{side_address or network.address}:0"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
        self.lines = []
        self.errors = []
        self._incoming = queue.Queue()
        self._readers = [threading.Thread(target=self._read, args=pair, daemon=True)
                         for pair in ((self.process.stdout, self.lines), (self.process.stderr, self.errors))]
        for reader in self._readers:
            reader.start()
        self.address = self._wait_ready()

    def _read(self, stream, into):
        for line in stream:
            into.append(line.rstrip("\n"))
            self._incoming.put(line)

    def _wait_ready(self):
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and self.process.poll() is None:
            for line in self.lines:
                if line.startswith(READY):
                    return line[len(READY):].strip()
            try:
                self._incoming.get(timeout=0.05)
            except queue.Empty:
                pass
        self.process.kill()
        raise Failed(f"{' '.join(self.argv)}: not ready within 10 s: {' '.join(self.errors)}")

    @property
    def pid(self):
        return self.process.pid

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def memory(self):
        """Bytes: resident, and the part that only this process has and has written to."""
        found = {}
        for name in ("status", "smaps_rollup"):
            with open(f"/proc/{self.pid}/{name}") as lines:
                for line in lines:
                    words = line.split()
                    if len(words) >= 3 and words[-1] == "kB":
                        found[words[0].rstrip(":")] = int(words[1]) * 1024
        return {"resident": found["VmRSS"], "private_dirty": found["Private_Dirty"]}

    def stop(self, patience=15):
        """SIGTERM; returns the lines printed after the ready line."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(patience)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise Failed(f"{self.argv[0]}: still running {patience} s after SIGTERM") from None
        for reader in self._readers:  # for the last lines
            reader.join(patience)
        return [line for line in self.lines if not line.startswith(READY)]


def start_driver(network, programs, argv, server=None, quiet=False):
    command = [programs.driver, *argv, "--json"]
    if server:
        command += ["--server-pid", server.pid]
    return network.start("client", [str(word) for word in command], stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE if quiet or not sys.stderr.isatty() else None)


def result_of(process):
    output, errors = process.communicate()
    if process.returncode != 0 and not output:
        raise Failed((errors or "the driver failed").strip())
    return json.loads(output)


def drive(network, programs, argv, server=None):
    """Runs the driver to its end and returns its result."""
    return result_of(start_driver(network, programs, argv, server))
