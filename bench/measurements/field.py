"""field: Dwell among the servers people use, all in one run, round by round.

Echo over long connections, one exchange per connection bound by the server, HTTP kept alive and closed,
memory of idle connections. Everything is a ratio to a server that the same run measured beside it.
"""

import statistics

from lab import calls, pairs, servers, wrk
from lab.network import Network
from lab.report import ratios, say
from measurements import growth, memory, reaping

WHAT = "every server of the field: echo long and short, HTTP, idle memory, reaping; writes bench/RESULTS.md"
ECHO_COUNTS = [1, 100, 1000, 10_000]
QUICK_COUNTS = [100]
CONNECTIONS = 100
# Rate against raw epoll, by connections; a single one pays for two more calls per wake-up.
ECHO_GOALS = {1: 0.93, 100: 0.97, 1000: 0.97}
USER_TIME = 0.25  # µs per echo
SHORT_CALLS = {"client": 6.1, "server": 4.1}
# CPU per exchange, against nginx and, where there is a goal, the raw loop.
HTTP_GOALS = {"kept alive": {"nginx": 0.85}, "close": {"nginx": 0.93, "raw epoll": 1.03}}
IDLE_BYTES = {"Dwell": 200, "Dwell, coroutines": 512}


def measure(programs, options, report):
    programs.need("driver", "raw", "echo_server", "http_server")
    for connections in QUICK_COUNTS if options.quick else ECHO_COUNTS:
        _echo(programs, options, report, connections)
    if not options.quick:
        _deadlines(programs, options, report)
        growth.measure(programs, options, report)
    for who in ("server", "client"):
        _short(programs, options, report, who)
    _http(programs, options, report)
    _memory(programs, options, report)
    if not options.quick:
        reaping.measure(programs, options, report, "graceful")


def _echo(programs, options, report, connections):
    given = servers.installed(servers.echo(programs, mode="long"), report)

    def run(argv):
        return pairs.load(lambda: Network("lo"), programs, argv,
                          ["long", "-n", connections, "--duration", options.duration])

    section = f"Echo, {connections:,} long connections, 64 B"
    results = pairs.interleave(report, section, given, run, options.rounds)
    counted = _count(programs, given, False, ["long", "-n", 100, "--count", 30_000]) \
        if connections == CONNECTIONS else {}
    _tell(report, section, results, "raw epoll", "request", counted)
    _against(report, f"echo N={connections}: rate", results, "raw epoll", ("rate",), ECHO_GOALS.get(connections), ">=")
    if connections in (100, 1000):
        user = statistics.median(pairs.column(results["Dwell"], "server", "user_us_each"))
        report.goal(f"echo N={connections}: user CPU", user, USER_TIME, "<=", unit=" µs")
    if counted:
        report.goal("echo: recv per request", calls.received(counted["Dwell"]), 1.01, "<=", digits=3)
        report.goal("echo: send per request", calls.sent(counted["Dwell"]), 1.01, "<=", digits=3)
    if connections in (100, 1000):
        _ahead(report, f"echo N={connections}", results)


def _deadlines(programs, options, report):
    """What watching every connection costs: with all deadlines, and with none."""
    off = {phase: "off" for phase in ("idle", "read", "write")}
    given = {"Dwell, deadlines off": programs.dwell("long", **off), "Dwell": programs.dwell("long")}

    def run(argv):
        return pairs.load(lambda: Network("lo"), programs, argv,
                          ["long", "-n", 1000, "--duration", options.duration])

    section = "Deadlines on against off, 1,000 long connections, 64 B"
    results = pairs.interleave(report, section, given, run, options.rounds)
    _tell(report, section, results, "Dwell, deadlines off", "request", {})
    rate = ratios(pairs.column(results["Dwell"], "rate"), pairs.column(results["Dwell, deadlines off"], "rate"))
    report.goal("rate with deadlines against none", rate.median, 0.99, ">=", exact=rate.text())


def _short(programs, options, report, who):
    flags = {"mode": "long"} if who == "client" else {"mode": "short", "size": 64, "close": "graceful"}
    given = servers.installed(servers.short_echo(programs, **flags), report)

    def run(argv):
        return pairs.load(lambda: Network("lo", steer=True), programs, argv,
                          ["short", "-n", CONNECTIONS, "--who-closes", who, "--duration", options.duration])

    section = f"Echo, one exchange per connection, the {who} closes, bound by the server"
    results = pairs.interleave(report, section, given, run, options.rounds)
    counted = _count(programs, given, True,
                     ["short", "-n", CONNECTIONS, "--who-closes", who, "--ack-with-data", "--count", 20_000])
    _tell(report, section, results, "raw epoll", "connection", counted)
    _against(report, f"short, the {who} closes: rate", results, "raw epoll", ("rate",), 1.0, ">=")
    report.goal(f"short, the {who} closes: system calls", calls.total(counted["Dwell"]), SHORT_CALLS[who], "<=")
    _ahead(report, f"short, the {who} closes", results)


def _http(programs, options, report):
    def keep_alive(server):
        return pairs.load(lambda: Network("lo"), programs, server,
                          lambda network, running: wrk.run(network, running, CONNECTIONS, options.duration))

    def close(server, steer=False):
        return pairs.load(lambda: Network("lo", steer=steer), programs, server,
                          ["short", "--get", "/", "-n", CONNECTIONS, "--duration", options.duration])

    def bound(server):
        return close(server, steer=True)

    once = ["short", "--ack-with-data", "--count", 20_000]
    sections = [
        (f"HTTP, {CONNECTIONS} connections kept alive", "kept alive", keep_alive, "request", ["long", "--count", 30_000]),
        ("HTTP, `Connection: close`", "close", close, "connection", once)]
    if not options.quick:
        sections.append(("HTTP, `Connection: close`, bound by the server", None, bound, "connection", None))
    for section, what, run, unit, argv in sections:
        mode = "long" if what == "kept alive" else "short"
        given = servers.installed(servers.http(programs, mode), report)
        results = pairs.interleave(report, section, given, run, options.rounds)
        counted = _count(programs, given, argv is once, [*argv, "-n", CONNECTIONS, "--get", "/"]) if argv else {}
        _tell(report, section, results, "nginx", unit, counted)
        for peer, goal in HTTP_GOALS.get(what, {}).items():
            _against(report, f"HTTP, {what}: CPU", results, peer, ("server", "cpu_us_each"), goal, "<=")


def _memory(programs, options, report):
    echo = {} if options.quick else servers.installed(servers.echo(programs, mode="long"), report)
    echo["Dwell"] = programs.dwell("long", idle="10min")
    echo["Dwell, coroutines"] = programs.dwell("long", idle="10min", handler="coroutine")
    rows = []
    for name, argv in echo.items():
        say(f"  idle memory: {name}")
        before, after = memory.hold(programs, argv)
        each = (after["private_dirty"] - before["private_dirty"]) / memory.CONNECTIONS
        rows.append([name, f"{each:,.0f} B", f"{before['resident'] / 2**20:.1f} MB"])
        if name in IDLE_BYTES:
            report.goal(f"idle connection, {name}", each, IDLE_BYTES[name], "<=", digits=0, unit=" B")
            report.goal(f"resident with none, {name}", before["resident"] / 2**20, 12, "<=", digits=1, unit=" MB")
    rows.sort(key=lambda row: float(row[1].split()[0].replace(",", "")))
    report.section(f"User memory of an idle connection ({memory.CONNECTIONS:,} open)",
                   ["server", "each", "resident with none"], rows)


def _count(programs, given, steer, argv):
    """{server: calls}: system calls of one exchange."""
    counted = {}
    for name, server in given.items():
        say(f"  system calls: {name}")
        with Network("lo", steer=steer) as network:
            counted[name] = pairs.count_calls(network, programs, server, argv)
    return counted


def _tell(report, section, results, yardstick, unit, counted):
    base = results[yardstick]
    rows = []
    for name, rounds in results.items():
        cpu = [each["server"]["cpu_us_each"] for each in rounds]
        user = statistics.median(each["server"]["user_us_each"] for each in rounds)
        rate = ratios(pairs.column(rounds, "rate"), pairs.column(base, "rate"))
        cpu_ratio = ratios(cpu, pairs.column(base, "server", "cpu_us_each"))
        row = [name, f"{statistics.median(pairs.column(rounds, 'rate')):,.0f}", rate.text(), cpu_ratio.text(),
               f"{user:.2f}", f"{max(0.0, statistics.median(cpu) - user):.2f}",
               f"{statistics.median(pairs.column(rounds, 'latency_us', 'p99')):,.0f}"]
        if counted:
            one = counted[name]
            row += [f"{calls.received(one):.2f}", f"{calls.sent(one):.2f}", f"{calls.total(one):.2f}"]
        rows.append(row)
    rows.sort(key=lambda row: -float(row[2].split()[0]))
    headers = ["server", f"{unit}s/s", f"rate to {yardstick}", f"CPU to {yardstick}", "user µs", "system µs", "p99 µs"]
    if counted:
        headers += ["recv", "send", "all calls"]
    busy = max(pairs.column([each for rounds in results.values() for each in rounds], "client", "busy"))
    note = f"The client was up to {busy:.0%} busy." if busy > pairs.SATURATED else ""
    report.section(section, headers, rows, note)


def _against(report, what, results, peer, path, goal, relation):
    if goal is None or peer not in results:
        return
    ratio = ratios(pairs.column(results["Dwell"], *path), pairs.column(results[peer], *path))
    report.goal(f"{what} against {peer}", ratio.median, goal, relation, exact=ratio.text())


def _ahead(report, what, results):
    """Of every framework: what is written by hand for this job is the yardstick."""
    for name in results:
        if name in servers.YARDSTICKS or name.startswith("Dwell"):
            continue
        rate = ratios(pairs.column(results["Dwell"], "rate"), pairs.column(results[name], "rate"))
        report.goal(f"{what}: rate against {name}", rate.median, 1.0, ">=", exact=rate.text())
