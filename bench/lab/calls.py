"""System calls of a server while it serves a known number of exchanges."""

import os
import shutil
import signal
import subprocess
import tempfile
import time

from lab.programs import Failed, drive


def count(network, programs, server, argv):
    """{call: times per exchange} over one run of the driver. perf counts without slowing the server;
    strace, the fallback without root, slows it and can hide wasted calls."""
    with tempfile.NamedTemporaryFile("r") as output:
        if os.geteuid() == 0 and shutil.which("perf") and _perf_works():
            tool = ["perf", "stat", "-x,", "-o", output.name, "-e", "syscalls:sys_enter_*",
                    "-p", str(server.pid)]
            parse = _parse_perf
        elif shutil.which("strace"):
            tool = ["strace", "-c", "-f", "-o", output.name, "-p", str(server.pid)]
            parse = _parse_strace
        else:
            raise Failed("counting system calls needs perf or strace (apt install linux-perf strace)")
        counter = subprocess.Popen(tool, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL, start_new_session=True)
        try:
            _wait_attached(counter, server)
            result = drive(network, programs, argv)
        finally:
            counter.send_signal(signal.SIGINT)
            counter.wait()
        calls = parse(output.read())
    done = result["exchanges"]
    if not done or not calls:
        raise Failed(f"{tool[0]} counted nothing")
    return {"tool": tool[0], "exchanges": done,
            "each": {name: times / done for name, times in sorted(calls.items())}}


def _perf_works():
    return subprocess.run(["perf", "stat", "-e", "syscalls:sys_enter_recvfrom", "true"],
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0


def _wait_attached(counter, server):
    """strace shows as TracerPid; perf opens one event per system call and then sleeps."""
    time.sleep(0.5)
    if counter.poll() is not None:
        raise Failed("the system call counter did not start")


def _parse_perf(text):
    calls = {}
    for line in text.splitlines():
        fields = line.split(",")
        if len(fields) > 2 and fields[2].startswith("syscalls:sys_enter_") and fields[0].isdigit():
            if int(fields[0]):
                calls[fields[2].removeprefix("syscalls:sys_enter_")] = int(fields[0])
    return calls


def _parse_strace(text):
    calls = {}
    for line in text.splitlines():
        words = line.split()
        # % time, seconds, usecs/call, calls, [errors], syscall
        if len(words) >= 5 and words[0][0].isdigit() and words[-1] != "total":
            calls[words[-1]] = int(words[3])
    return calls


def detail(calls):
    """The calls made, the most frequent first."""
    return "  ".join(f"{name} {times:.2f}" for name, times in
                     sorted(calls["each"].items(), key=lambda item: -item[1]) if times >= 0.005)


def received(calls):
    return sum(calls["each"].get(name, 0) for name in ("recvfrom", "recvmsg", "read", "readv"))


def sent(calls):
    return sum(calls["each"].get(name, 0) for name in ("sendto", "sendmsg", "write", "writev"))


def total(calls):
    return sum(calls["each"].values())
