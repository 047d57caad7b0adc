"""overload: twice as many clients as there are places, and what it does to those that are served.

1,000 places; a crowd of clients that are mostly idle; and 50 that ask 1,000 times a second in all, whose latency counts. The same
crowd beside 4,000 places, where nobody is too many, is what it is compared with: both put the same load on this machine.
"""

import json
import subprocess
import sys
import time

from lab import crowd as crowd_script, pairs
from lab.network import Network
from lab.programs import Failed
from lab.report import ratios, say

WHAT = "twice the connection limit for a while: p99 of those served, memory, what is lost, recovery"
PLACES, CROWD, SERVED, RATE = 1_000, 2_000, 50, 1_000
SECONDS = 60
LATENCY_GOAL = 2.0
RECOVERY_GOAL = 1.0  # s
MEMORY_GOAL = 1.05


def measure(programs, options, report):
    programs.need("echo_server", "dwell_load")
    rows, latency, memory, recoveries, lost = [], [], [], [], 0
    seconds = SECONDS if options.duration == "3s" else _seconds(options.duration)
    for number in range(min(options.rounds, 3)):
        say(f"  overload: round {number + 1}, {PLACES} places for {CROWD}, {seconds:g} s")
        over = _run(programs, report, PLACES, seconds)
        say(f"  overload: round {number + 1}, 4,000 places")
        room = _run(programs, report, 4_000, seconds)
        latency.append((over["p99_us"], room["p99_us"]))
        memory.append(over["memory"]["late"] / over["memory"]["early"])
        recoveries.append(over["recovery_s"])
        lost += over["crowd"].get("lost", 0) + over["failed"]
        rows.append([number + 1, f"{over['p99_us']:.0f}", f"{room['p99_us']:.0f}", over["crowd"]["answers"], over["crowd"].get("sent_away", 0),
                     over["crowd"].get("lost", 0), over["failed"], f"{memory[-1]:.3f}", f"{over['recovery_s'] * 1000:.0f}"])
    p99 = ratios(*zip(*latency))
    report.section(f"{CROWD} clients for {PLACES} places, {SERVED} others at {RATE}/s",
                   ["round", "p99, µs", "with room", "answers", "sent away", "lost", "served: failed", "memory, end to begin", "recovery, ms"], rows)
    report.goal("p99 of the served, twice the limit against room for all", p99.median, LATENCY_GOAL, "<=", exact=p99.text())
    report.goal("requests lost in the middle of an exchange", lost, 0, "<=", digits=0)
    report.goal("memory, after against at the beginning", max(memory), MEMORY_GOAL, "<=", digits=3)
    report.goal("until a newcomer is served when the crowd has gone", max(recoveries), RECOVERY_GOAL, "<=", unit=" s")


def _seconds(text):
    for unit, factor in (("ms", 0.001), ("min", 60), ("s", 1)):
        if text.endswith(unit):
            return float(text.removesuffix(unit)) * factor
    raise Failed(f"--duration {text}: use a unit, as 30s")


def _run(programs, report, places, seconds):
    with Network("lo") as network:
        network.go_first()
        server = pairs.start(network, programs.dwell("long", idle="60s", max_connections=places))
        crowd = network.start("client", [sys.executable, crowd_script.__file__, server.address, str(CROWD), str(seconds + 4)],
                              stdout=subprocess.PIPE)
        crowd.stdout.readline()
        time.sleep(2)  # until it has come
        early = server.memory()["private_dirty"]
        served = network.start("client", [programs.dwell_load, "run", "--target", f"echo://{server.address}", "--rate", str(RATE),
                                          "--connections", str(SERVED), "--duration", f"{seconds:g}s", "--quiet", "--json"],
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        result = json.loads(served.communicate()[0])
        late = server.memory()["private_dirty"]
        told = json.loads(crowd.communicate()[0])
        recovery = _recovery(network, server)
        server.stop()
    run = result["columns"][0]["at_rate"][0]
    return report.run(title="overload", name=str(places), p99_us=dict(run["latencies"]["request"]["percentiles"])[0.99],
                      failed=sum(run["errors"].values()), crowd=told,
                      memory={"early": early, "late": late}, recovery_s=recovery)


PROBE = """
import socket, sys, time
host, port = sys.argv[1].rsplit(":", 1)
began = time.monotonic()
while True:
    try:
        with socket.create_connection((host, int(port)), 1) as probe:
            probe.sendall(b"x")
            if probe.recv(1) == b"x":
                break
    except OSError:
        time.sleep(0.01)
print(time.monotonic() - began)
"""


def _recovery(network, server):
    """Seconds until somebody who comes now has been served."""
    probe = network.start("client", [sys.executable, "-c", PROBE, server.address], stdout=subprocess.PIPE)
    return float(probe.communicate(timeout=30)[0])
