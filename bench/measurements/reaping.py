"""reaping: 15,000 connections reach their idle deadline; against a bare loop of the same calls."""

import json
import pathlib
import time

from lab.network import TIME_WAIT, Network
from lab.programs import Failed, Server, drive
from lab.report import Spread, ratios, say

WHAT = "15,000 idle connections reaped by each method: early, late, CPU, stall of a working one, TIME_WAIT"
CONNECTIONS = 15_000
IDLE = "10s"
# Due over half a second; or all at once, because the server was stopped while they fell due.
SPREAD, AT_ONCE = "over 0.5 s", "at once"
FLAGS = {SPREAD: [], AT_ONCE: ["--at-once"]}
# Each method that a raw protocol allows for idle connections, and the bare loop of its calls.
FORMS = {"graceful": "lingering", "abort-after-fin": "abort-after-fin", "abort": "abort"}
CASES = [(method, due) for method in FORMS for due in FLAGS]


def measure(programs, options, report, method=None):
    """method: only this one, as another measurement asks that wants the figures of it in its report."""
    programs.need("driver", "bare_reap", "echo_server")
    only = method or options.method
    cases = [case for case in CASES if only in (None, case[0])]
    results = {case: [] for case in cases}
    bare = {method: [] for method, _ in cases}
    for number in range(options.rounds):
        for method in bare:
            say(f"  reaping: round {number + 1} of {options.rounds}, bare loop, {method}")
            bare[method].append(report.run(name="bare loop", method=method, **_bare(programs, report, FORMS[method])))
        for method, due in cases:
            say(f"  reaping: round {number + 1} of {options.rounds}, dwell, {method}, due {due}")
            results[method, due].append(
                report.run(name="dwell", method=method, due=due, **_dwell(programs, report, method, FLAGS[due])))
    _tell(report, results, bare)
    _judge(report, results, bare)
    _note_buckets(report)


def _dwell(programs, report, method, flags):
    with Network("veth") as network:
        _go_first(network, report)
        # Or else a client's late ACK takes TIME_WAITs away before they are counted, see README.md.
        network.server.shell("echo 1 > /proc/sys/net/ipv4/tcp_rfc1337")
        server = Server(network, programs.dwell("long", idle=IDLE, close_idle=method,
                                                          max_connections=CONNECTIONS + 100))
        result = drive(network, programs,
                       ["idle", server.address, "-n", CONNECTIONS, "--spread", "500ms",
                        "--expect", IDLE, "--ping", *flags], server)
        result["time_wait"] = _settled(network)
        result["printed"] = server.stop()
    if result["interrupted"]:
        raise KeyboardInterrupt
    return result


def _bare(programs, report, form):
    with Network("veth") as network:
        _go_first(network, report)
        server = Server(network, [programs.bare_reap, "--connections", CONNECTIONS, "--after", 2,
                                  "--form", form])
        seen = drive(network, programs,
                     ["idle", server.address, "-n", CONNECTIONS, "--spread", "0s"])
        printed = server.stop()
    if seen["interrupted"]:
        raise KeyboardInterrupt
    if not printed:
        raise Failed("bare_reap printed nothing: " + " ".join(server.errors))
    return {**json.loads(printed[-1]), "seen": seen}


def _go_first(network, report):
    """Other work on this machine is no part of a stall."""
    if not network.go_first():
        report.note("real-time scheduling is not allowed here: other work on this machine shows in every figure")


def _settled(network, patience=5):
    """TIME_WAIT on (server, client), once nothing else is left but what the pings need."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        sides = network.server.sockets(), network.client.sockets()
        if all(set(side) <= {TIME_WAIT} for side in sides):
            break
        time.sleep(0.05)
    return network.time_wait()


def _column(runs, *path):
    values = []
    for value in runs:
        for key in path:
            value = value[key]
        values.append(value)
    return Spread(values)


def _tell(report, results, bare):
    rows = []
    for (method, due), runs in results.items():
        def median(*path):
            return f"{_column(runs, *path).median:.1f}"

        rows.append([f"Dwell, {method}, due {due}", min(_column(runs, "closed_by_server").values),
                     sum(_column(runs, "early").values), median("late_ms", "p50"),
                     median("late_ms", "p99"), median("late_ms", "max"),
                     f"{_column(runs, 'reap_rate').median:.0f}", median("server", "cpu_us_per_close"),
                     median("ping", "worst_ms"), median("ping", "floor_ms"),
                     f"{Spread([run['time_wait'][0] for run in runs]).median:.0f}",
                     f"{Spread([run['time_wait'][1] for run in runs]).median:.0f}"])
    for method, runs in bare.items():
        rows.append([f"bare loop, {method}", CONNECTIONS, *"––––",
                     f"{_column(runs, 'seen', 'reap_rate').median:.0f}",
                     f"{_column(runs, 'cpu_us_per_close').median:.1f}", *"––––"])
    pairs = [f"{method}, Dwell at once to the bare loop: closes/s {_rate(results, bare, method).text()}, "
             f"CPU per close {_cpu(results, bare, method).text()}." for method in bare]
    report.section(f"{CONNECTIONS:,} idle connections reaped, idle deadline {IDLE}",
                   ["", "closed", "early", "late p50 ms", "late p99 ms", "late max ms", "closes/s", "CPU µs/close",
                    "worst ping ms", "floor ms", "TIME_WAIT server", "TIME_WAIT client"], rows, " ".join(pairs))


def _rate(results, bare, method):
    return ratios([run["reap_rate"] for run in results[method, AT_ONCE]],
                  [run["seen"]["reap_rate"] for run in bare[method]])


def _cpu(results, bare, method):
    return ratios([run["server"]["cpu_us_per_close"] for run in results[method, AT_ONCE]],
                  [run["cpu_us_per_close"] for run in bare[method]])


def _judge(report, results, bare):
    everything = [run for runs in results.values() for run in runs]
    report.goal("reaped", min(run["closed_by_server"] for run in everything), CONNECTIONS, ">=", 0)
    report.goal("resets seen", sum(run["resets"] for (method, _), runs in results.items() if method != "abort"
                                   for run in runs), 0, "<=", 0)
    report.goal("closed early", sum(run["early"] for run in everything), 0, "<=", 0)
    for (method, due), runs in results.items():
        if due == SPREAD:
            late = _column(runs, "late_ms", "p99")
            report.goal(f"p99 late, {method}", late.median, 100, "<=", 1, " ms", exact=f"{late.text(1)} ms")
    for method in bare:
        rate = _rate(results, bare, method)
        report.goal(f"reap rate against the bare loop, {method}", rate.median, 0.8, ">=", exact=rate.text())
    for (method, due), runs in results.items():
        stall = _column(runs, "ping", "stall_ms")
        report.goal(f"stall of a ping over the floor, {method}, due {due}", stall.median, 5, "<=", 1,
                    " ms", exact=f"{stall.text(1)} ms")
    _judge_placement(report, results)


def _judge_placement(report, results):
    for (method, due), runs in results.items():
        on_server = [run["time_wait"][0] for run in runs]
        what = f"TIME_WAIT on the server, {method}, due {due}"
        if method == "graceful":
            report.goal(what, min(on_server), CONNECTIONS, ">=", 0)
        elif method == "abort":
            report.goal(what, max(on_server), 0, "<=", 0)
        else:  # a client may answer our FIN before close() does
            share = 100 * sum(on_server) / (CONNECTIONS * len(on_server))
            report.goal(what, share, 0.1, "<=", 3, " %",
                        exact=f"{share:.3f} % ({min(on_server)}–{max(on_server)} of {CONNECTIONS})")


def _note_buckets(report):
    buckets = int(pathlib.Path("/proc/sys/net/ipv4/tcp_max_tw_buckets").read_text())
    if buckets < CONNECTIONS:
        report.note(f"net.ipv4.tcp_max_tw_buckets is {buckets} here: the kernel would drop TIME_WAITs beyond "
                    "that; the private networks have room for 1,000,000")
