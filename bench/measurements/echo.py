"""echo: long connections that echo 64 bytes, Dwell against the raw epoll loop."""

from lab import calls, pairs
from lab.network import Network
from lab.report import ratios, table

WHAT = "long connections, rate and CPU per request against raw epoll"
GOAL = 0.97


def measure(programs, options, report):
    programs.need("driver", "raw", "echo_server")
    counts = [1, 100, 1000] if options.all else [100, 1000]
    for connections in counts:
        _one(programs, options, report, connections)
    _system_calls(programs, report)


def _servers(programs):
    return {"raw epoll": programs.raw_peer(mode="long"), programs.subject: programs.dwell("long")}


def _one(programs, options, report, connections):
    def run(argv):
        return pairs.load(lambda: Network("lo"), programs, argv,
                          ["long", "-n", connections, "--duration", options.duration])

    results = pairs.interleave(report, f"echo N={connections}", _servers(programs), run, options.rounds)
    pairs.print_loads(f"Echo, {connections} long connections, 64 B", results, "request")
    rate = ratios(pairs.column(results[programs.subject], "rate"), pairs.column(results["raw epoll"], "rate"))
    goal = 0.93 if connections == 1 else GOAL
    report.goal(f"rate against raw, N={connections}", rate.median, goal, ">=", exact=rate.text())


def _system_calls(programs, report):
    rows = []
    for name, argv in _servers(programs).items():
        with Network("lo") as network:
            counted = pairs.count_calls(network, programs, argv,
                                        ["long", "-n", 100, "--count", 50_000])
        report.run(server=name, calls=counted)
        rows.append([name, f"{calls.received(counted):.3f}", f"{calls.sent(counted):.3f}",
                     f"{counted['each'].get('epoll_wait', 0) + counted['each'].get('epoll_pwait', 0):.3f}",
                     f"{calls.total(counted):.3f}"])
    print(f"System calls per request ({counted['tool']}, N=100)")
    print(table(["server", "recv", "send", "epoll_wait", "all"], rows), end="\n\n")
    report.goal("recv per request", calls.received(counted), 1.01, "<=", digits=3)
    report.goal("send per request", calls.sent(counted), 1.01, "<=", digits=3)
