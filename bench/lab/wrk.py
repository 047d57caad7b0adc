"""wrk, the load generator that people measure HTTP servers with, as a client of one thread."""

import os
import re
import resource
import shutil
import subprocess
import time

from lab.programs import Failed

_TO_MICROSECONDS = {"us": 1, "ms": 1e3, "s": 1e6}


def run(network, server, connections, duration, path="/", scheme="http"):
    """Keep-alive, closed loop. The result looks as the driver's does."""
    if not shutil.which("wrk"):
        raise Failed("wrk is missing: apt install wrk")
    if duration.endswith("ms"):
        duration = "1s"  # it knows whole seconds only
    used, children = cpu(server.pid), resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    process = network.start("client", ["wrk", "-t1", f"-c{connections}", f"-d{duration}", "--latency",
                                       f"{scheme}://{server.address}{path}"],
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    output, _ = process.communicate()
    wall = time.monotonic() - began
    total, user = (after - before for after, before in zip(cpu(server.pid), used))
    own = resource.getrusage(resource.RUSAGE_CHILDREN)
    requests = re.search(r"(\d+) requests in", output)
    errors = re.search(r"Socket errors: .*|Non-2xx or 3xx responses: .*", output)
    if process.returncode or not requests or int(requests[1]) == 0 or errors:
        raise Failed(f"wrk: {errors[0] if errors else output.strip()}")
    exchanges = int(requests[1])
    return {
        "command": "wrk", "connections": connections, "exchanges": exchanges, "interrupted": False,
        "rate": float(re.search(r"Requests/sec: +([\d.]+)", output)[1]),
        "latency_us": {f"p{percent}": _latency(output, percent) for percent in (50, 99)},
        "server": {"cpu_us_each": total / exchanges, "user_us_each": user / exchanges},
        "client": {"busy": (own.ru_utime + own.ru_stime - children.ru_utime - children.ru_stime) / wall},
    }


def _latency(output, percent):
    value, unit = re.search(rf"^ +{percent}% +([\d.]+)(us|ms|s)$", output, re.MULTILINE).groups()
    return float(value) * _TO_MICROSECONDS[unit]


def cpu(pid):
    """Microseconds a process has run: all, exactly; in user mode, by the kernel's ticks."""
    with open(f"/proc/{pid}/stat") as stat:
        ticks = int(stat.read().rpartition(")")[2].split()[11])
    clock = (~pid << 3) | 2  # its CPU clock: clock_getcpuclockid(3)
    return time.clock_gettime_ns(clock) / 1e3, ticks * 1e6 / os.sysconf("SC_CLK_TCK")
