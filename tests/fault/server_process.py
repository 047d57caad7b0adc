"""A server as a process of its own, for tests that take something away from it. Shared by the *_test.py here."""

import os
import pathlib
import re
import resource
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "integration"), str(HERE.parent / "kernel")]

import examples_test  # noqa: E402
from examples_test import PATIENCE, Server, read_exactly, read_to_end, some_bytes  # noqa: E402,F401

LONG = os.environ.get("DWELL_LONG_FAULTS") == "1"
TICKS = os.sysconf("SC_CLK_TCK")


def main():
    examples_test.PROGRAMS = pathlib.Path(sys.argv[1]).resolve()
    program = unittest.main(module="__main__", argv=[sys.argv[0], *sys.argv[2:]], exit=False)
    if not program.result.wasSuccessful():
        sys.exit(1)
    sys.exit(examples_test.SKIPPED if program.result.testsRun == len(program.result.skipped) else 0)


def needs(tool):
    if shutil.which(tool) is None:
        raise unittest.SkipTest(f"{tool} is not installed")


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def memory(pid):
    """Resident, in bytes."""
    return int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize()


def reset(peer):
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()


def eventually(condition, patience=PATIENCE):
    end = time.monotonic() + patience
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def echoes(server, text=b"hello", peer=None):
    """One exchange with an echo server."""
    own = peer is None
    peer = peer or server.connect()
    peer.sendall(text)
    came = read_exactly(peer, len(text))
    if own:
        peer.close()
    return came == text


class Injection:
    """strace, which makes system calls of a running server fail. Skips where nothing can be traced."""

    def __init__(self, server, calls, how):
        needs("strace")
        self.tracer = subprocess.Popen(
            ["strace", "-f", "-o", "/dev/null", "-p", str(server.process.pid), "-e", f"trace={calls}",
             "-e", f"inject={calls}:{how}"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        tasks = pathlib.Path(f"/proc/{server.process.pid}/task")
        self.said = ""

        def attached():
            if self.tracer.poll() is not None:
                raise unittest.SkipTest(f"strace cannot trace here: {self.tracer.stderr.read()[:100]}")
            return all(re.search(rf"TracerPid:\t{self.tracer.pid}$", (task / "status").read_text(), re.M)
                       for task in tasks.iterdir())

        assert eventually(attached)
        time.sleep(0.05)  # it lets each thread go on once it has seen it

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.tracer.send_signal(signal.SIGINT)
        self.tracer.wait(PATIENCE)
        self.tracer.stderr.close()


class FaultTest(unittest.TestCase):
    def settles(self, server, descriptors_before):
        """Everybody has gone: gauges and descriptors are back."""
        counts = server.await_counts(lambda now: now["live"] == 0)
        self.assertEqual(counts["opened"], sum(counts["closed"].values()))
        self.assertTrue(eventually(lambda: descriptors(server.process.pid) <= descriptors_before, 5),
                        f"{descriptors(server.process.pid)} descriptors, {descriptors_before} before")
        return counts
