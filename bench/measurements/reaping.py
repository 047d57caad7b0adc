"""reaping: 15,000 connections reach their idle deadline; against a bare loop of the same calls."""

import json
import statistics

from lab.network import Network
from lab.programs import Failed, Server, drive
from lab.report import Spread, ratios, say, table

WHAT = "15,000 idle connections reaped: early, late, rate, stall of a working one"
CONNECTIONS = 15_000
IDLE = "10s"
# Due over half a second; or all at once, because the server was stopped while they fell due.
CASES = {"over 0.5 s": [], "at once": ["--at-once"]}


def measure(programs, options, report):
    programs.need("driver", "bare_reap", "echo_server")
    results = {case: [] for case in CASES}
    bare = []
    for number in range(options.rounds):
        say(f"  reaping: round {number + 1} of {options.rounds}, bare loop")
        bare.append(report.run(name="bare loop", **_bare(programs)))
        for case, flags in CASES.items():
            say(f"  reaping: round {number + 1} of {options.rounds}, dwell, due {case}")
            results[case].append(report.run(name="dwell", due=case, **_dwell(programs, flags)))
    _print(results, bare)
    _judge(report, results, bare)


def _dwell(programs, flags):
    with Network("veth") as network:
        server = Server(network, programs.dwell("long", idle=IDLE, max_connections=CONNECTIONS + 100))
        result = drive(network, programs,
                       ["idle", server.address, "-n", CONNECTIONS, "--spread", "500ms",
                        "--expect", IDLE, "--ping", *flags], server)
        result["time_wait"] = network.time_wait()
        result["printed"] = server.stop()
    if result["interrupted"]:
        raise KeyboardInterrupt
    return result


def _bare(programs):
    with Network("veth") as network:
        server = Server(network, [programs.bare_reap, "--connections", CONNECTIONS, "--after", 2])
        seen = drive(network, programs,
                     ["idle", server.address, "-n", CONNECTIONS, "--spread", "0s"])
        printed = server.stop()
    if seen["interrupted"]:
        raise KeyboardInterrupt
    if not printed:
        raise Failed("bare_reap printed nothing: " + " ".join(server.errors))
    return {**json.loads(printed[-1]), "seen": seen}


def _print(results, bare):
    def column(case, *path):
        values = []
        for value in results[case]:
            for key in path:
                value = value[key]
            values.append(value)
        return Spread(values)

    def median(case, *path):
        return f"{column(case, *path).median:.1f}"

    rows = []
    for case in CASES:
        rows.append([f"dwell, due {case}", min(column(case, "closed_by_server").values),
                     sum(column(case, "early").values), median(case, "late_ms", "p50"),
                     median(case, "late_ms", "p99"), median(case, "late_ms", "max"),
                     f"{column(case, 'reap_rate').median:.0f}",
                     median(case, "server", "cpu_us_per_close"),
                     median(case, "ping", "worst_ms"), median(case, "ping", "floor_ms")])
    rows.append(["bare loop", CONNECTIONS, "–", "–", "–", "–",
                 f"{statistics.median(run['seen']['reap_rate'] for run in bare):.0f}",
                 f"{statistics.median(run['cpu_us_per_close'] for run in bare):.1f}", "–", "–"])
    print(f"{CONNECTIONS} connections, idle deadline {IDLE}; medians of {len(bare)} rounds")
    print(table(["", "closed", "early", "late ms\np50", "\np99", "\nmax", "closes\n/s", "CPU µs\n/close",
                 "worst\nping ms", "floor\nms"], rows))
    print(f"  dwell at once : bare loop, paired: closes/s {_rate(results, bare).text()}, "
          f"CPU per close {_cpu(results, bare).text()}\n")


def _rate(results, bare):
    return ratios([run["reap_rate"] for run in results["at once"]],
                  [run["seen"]["reap_rate"] for run in bare])


def _cpu(results, bare):
    return ratios([run["server"]["cpu_us_per_close"] for run in results["at once"]],
                  [run["cpu_us_per_close"] for run in bare])


def _judge(report, results, bare):
    everything = [run for runs in results.values() for run in runs]
    report.goal("reaped", min(run["closed_by_server"] for run in everything), CONNECTIONS, ">=", 0)
    report.goal("closed early", sum(run["early"] for run in everything), 0, "<=", 0)
    late = Spread([run["late_ms"]["p99"] for run in results["over 0.5 s"]])
    report.goal("p99 late, due over 0.5 s", late.median, 100, "<=", 1, " ms", exact=f"{late.text(1)} ms")
    rate = _rate(results, bare)
    report.goal("reap rate against the bare loop", rate.median, 0.8, ">=", exact=rate.text())
    for case in CASES:
        stall = Spread([run["ping"]["stall_ms"] for run in results[case]])
        report.goal(f"stall of a ping over the floor, due {case}", stall.median, 10, "<=", 1, " ms",
                    exact=f"{stall.text(1)} ms")
