"""reaping: 15,000 connections reach their idle deadline; against a bare loop of the same calls."""

import json

from lab.network import Network
from lab.programs import Failed, Server, drive
from lab.report import Spread, ratios, say, table

WHAT = "15,000 idle connections reaped: early, late, rate, stall of a working one"
CONNECTIONS = 15_000
IDLE = "10s"
CASES = {"over 0.5 s": "500ms", "at once": "0s"}


def measure(programs, options, report):
    programs.need("driver", "bare_reap", "echo_server")
    results = {case: [] for case in CASES}
    bare = []
    for number in range(options.rounds):
        say(f"  reaping: round {number + 1} of {options.rounds}, bare loop")
        bare.append(report.run(name="bare loop", **_bare(programs)))
        for case, spread in CASES.items():
            say(f"  reaping: round {number + 1} of {options.rounds}, dwell, due {case}")
            results[case].append(report.run(name="dwell", due=case, **_dwell(programs, spread)))
    _print(results, bare)
    _judge(report, results, bare)


def _dwell(programs, spread):
    with Network("veth") as network:
        server = Server(network, programs.dwell("long", idle=IDLE, max_connections=CONNECTIONS + 100))
        result = drive(network, programs,
                       ["idle", server.address, "-n", CONNECTIONS, "--spread", spread,
                        "--expect", IDLE, "--ping"], server)
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

    rows = []
    for case in CASES:
        rows.append([f"dwell, due {case}", min(column(case, "closed_by_server").values),
                     sum(column(case, "early").values), column(case, "late_ms", "p50").text(1),
                     column(case, "late_ms", "p99").text(1), column(case, "late_ms", "max").text(1),
                     column(case, "reap_rate").text(0),
                     column(case, "server", "cpu_us_per_close").text(1),
                     column(case, "ping", "worst_ms").text(1), column(case, "ping", "floor_ms").text(1)])
    rows.append(["bare loop", CONNECTIONS, "–", "–", "–", "–",
                 Spread([run["seen"]["reap_rate"] for run in bare]).text(0),
                 Spread([run["cpu_us_per_close"] for run in bare]).text(1), "–", "–"])
    print(f"{CONNECTIONS} connections, idle deadline {IDLE}")
    print(table(["", "closed", "early", "late p50 ms", "p99 ms", "max ms", "closes/s", "CPU µs/close",
                 "worst ping ms", "floor ms"], rows), end="\n\n")


def _judge(report, results, bare):
    everything = [run for runs in results.values() for run in runs]
    report.goal("reaped", min(run["closed_by_server"] for run in everything), CONNECTIONS, ">=", 0)
    report.goal("closed early", sum(run["early"] for run in everything), 0, "<=", 0)
    late = Spread([run["late_ms"]["p99"] for run in results["over 0.5 s"]])
    report.goal("p99 late, due over 0.5 s", late.median, 100, "<=", 1, " ms", exact=f"{late.text(1)} ms")
    rate = ratios([run["reap_rate"] for run in results["at once"]],
                  [run["seen"]["reap_rate"] for run in bare])
    report.goal("reap rate against the bare loop", rate.median, 0.8, ">=", exact=rate.text())
    for case in CASES:
        stall = Spread([run["ping"]["stall_ms"] for run in results[case]])
        report.goal(f"stall of a ping over the floor, due {case}", stall.median, 10, "<=", 1, " ms",
                    exact=f"{stall.text(1)} ms")
