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

# Who closes first: flags of both servers, and the most system calls one connection may take. A
# server in long mode serves the client that leaves after one exchange.
CASES = {
    "client": ({"mode": "long"}, 6.1),
    "server": ({"mode": "short", "size": 64, "close": "graceful"}, 4.1),
}


def measure(programs, options, report):
    programs.need("driver", "raw", "echo_server")
    for case in CASES:
        _rate(programs, options, report, case)
    _system_calls(programs, report)
    report.note("lo in a private namespace, receive work steered to the server's core; "
                "the client needs a core of its own to keep the server busy.")


def _servers(programs, case):
    flags, _ = CASES[case]
    return {"raw epoll": programs.raw_peer(**flags), programs.subject: programs.dwell(**flags)}


def _rate(programs, options, report, case):
    def run(argv):
        return pairs.load(lambda: Network("lo", steer=True), programs, argv,
                          ["short", "-n", 100, "--who-closes", case, "--duration", options.duration])

    results = pairs.interleave(report, f"short, {case} closes", _servers(programs, case), run, options.rounds)
    pairs.print_loads(f"Short connections, 64 B, the {case} closes", results, "connection")
    rate = ratios(pairs.column(results[programs.subject], "rate"), pairs.column(results["raw epoll"], "rate"))
    report.goal(f"rate against raw, the {case} closes", rate.median, GOAL, ">=", exact=rate.text())
    busy = max(pairs.column(results[programs.subject], "client", "busy"))
    if busy > pairs.SATURATED:
        report.note(f"The client, when the {case} closes, was {busy:.0%} busy; the rate says little about the server.")


def _system_calls(programs, report):
    rows = []
    for case, (_, most) in CASES.items():
        for name, argv in _servers(programs, case).items():
            with Network("lo", steer=True) as network:
                counted = pairs.count_calls(
                    network, programs, argv,
                    ["short", "-n", 100, "--who-closes", case, "--ack-with-data", "--count", 30_000])
            report.run(case=case, server=name, calls=counted)
            rows.append([f"{case} closes", name, f"{calls.total(counted):.2f}", calls.detail(counted)])
        report.goal(f"system calls, the {case} closes", calls.total(counted), most, "<=")
    print(f"System calls per short connection ({counted['tool']})")
    print(table(["", "server", "all", "each"], rows), end="\n\n")
