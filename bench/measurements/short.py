"""short: one 64-byte exchange per connection, Dwell against the raw two-phase epoll loop.

Bound by the server: the receive work of the loopback device runs on the server's core (rps_cpus in
the private namespace). Without that the client's send would do the server's TCP work, and every
server would look alike.
"""

from lab import calls, pairs
from lab.network import Network
from lab.report import ratios, table

WHAT = "short connections, rate and CPU per connection against raw two-phase epoll"
GOAL = 1.00

# Who ends the connection: flags for Dwell, for the raw peer, for the driver; and the most system
# calls one connection may take.
CASES = {
    "client closes": ({"close": "peer-first"}, {"close": "client"}, "client", 6.1),
    "server closes": ({"close": "graceful"}, {"close": "graceful"}, "server", 4.1),
}
RATED = "server closes"


def measure(programs, options, report):
    programs.need("driver", "raw", "echo_server")
    for case in CASES:
        _rate(programs, options, report, case)
    _system_calls(programs, report)
    report.note("lo in a private namespace, receive work steered to the server's core; "
                "the client needs a core of its own to keep the server busy.")


def _servers(programs, case):
    dwell, raw, _, _ = CASES[case]
    return {"raw epoll": programs.raw_peer(mode="short", size=64, **raw),
            programs.subject: programs.dwell("short", size=64, **dwell)}


def _rate(programs, options, report, case):
    who = CASES[case][2]

    def run(argv):
        return pairs.load(lambda: Network("lo", steer=True), programs, argv,
                          ["short", "-n", 100, "--who-closes", who, "--duration", options.duration])

    results = pairs.interleave(report, f"short, {case}", _servers(programs, case), run, options.rounds)
    pairs.print_loads(f"Short connections, 64 B, {case}", results, "connection")
    rate = ratios(pairs.column(results[programs.subject], "rate"), pairs.column(results["raw epoll"], "rate"))
    report.goal(f"rate against raw, {case}", rate.median, GOAL, ">=", exact=rate.text())
    busy = max(pairs.column(results[programs.subject], "client", "busy"))
    if busy > pairs.SATURATED:
        report.note(f"{case}: the client was {busy:.0%} busy; the rate says little about the server.")


def _system_calls(programs, report):
    rows = []
    for case, (_, _, who, most) in CASES.items():
        for name, argv in _servers(programs, case).items():
            with Network("lo", steer=True) as network:
                counted = pairs.count_calls(
                    network, programs, argv,
                    ["short", "-n", 100, "--who-closes", who, "--ack-with-data", "--count", 30_000])
            report.run(case=case, server=name, calls=counted)
            detail = "  ".join(f"{call} {times:.2f}" for call, times in
                               sorted(counted["each"].items(), key=lambda item: -item[1])
                               if times >= 0.005)
            rows.append([case, name, f"{calls.total(counted):.2f}", detail])
        report.goal(f"system calls, {case}", calls.total(counted), most, "<=")
    print(f"System calls per short connection ({counted['tool']})")
    print(table(["", "server", "all", "each"], rows), end="\n\n")
