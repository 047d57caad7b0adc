"""System calls of a server while it serves a known number of exchanges."""

import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

from lab.programs import Failed, drive


# Named one by one, the others as one sum: each event takes the kernel a moment, and there are 350.
NAMED = ("accept4", "close", "connect", "epoll_ctl", "epoll_pwait", "epoll_wait", "getsockopt", "io_uring_enter", "ioctl", "read",
         "readv", "recvfrom", "recvmsg", "sendmsg", "sendto", "setsockopt", "shutdown", "write", "writev")
ALL = "raw_syscalls:sys_enter"
PREFIX = "syscalls:sys_enter_"


def count(network, programs, server, argv):
    """{call: times per exchange} over one run of the driver. perf counts without slowing the server;
    strace, the fallback without root, slows it and can hide wasted calls."""
    with tempfile.NamedTemporaryFile("r") as output:
        if os.geteuid() == 0 and shutil.which("perf") and _perf_works():
            tool = ["perf", "stat", "-x,", "-o", output.name, "-p", str(server.pid),
                    "-e", ",".join([ALL, *(PREFIX + name for name in NAMED)])]
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


def _wait_attached(counter, server, patience=20):
    """strace shows as TracerPid; perf has opened its events, and sleeps."""
    deadline, before, unchanged = time.monotonic() + patience, 0, 0
    while counter.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
        events = _events(counter.pid)
        unchanged = unchanged + 1 if events and events == before and _sleeps(counter.pid) else 0
        before = events
        if unchanged >= 4 or _is_traced(server.pid):
            return
    raise Failed("the system call counter did not start")


def _events(pid):
    folder = pathlib.Path(f"/proc/{pid}/fd")
    return sum("perf_event" in os.readlink(each) for each in folder.iterdir() if each.is_symlink())


def _sleeps(pid):
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "S"


def _is_traced(pid):
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return any(line.startswith("TracerPid:") and line.split()[1] != "0" for line in lines)


def _parse_perf(text):
    seen = {}
    for line in text.splitlines():
        fields = line.split(",")
        if len(fields) > 2 and fields[0].isdigit():
            seen[fields[2].removeprefix(PREFIX)] = int(fields[0])
    calls = {name: seen[name] for name in NAMED if seen.get(name)}
    others = seen.get(ALL, 0) - sum(calls.values())
    return {**calls, "others": others} if others > 0 else calls


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
