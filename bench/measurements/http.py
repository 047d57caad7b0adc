"""http: `GET /` that answers OK, Dwell's http_server against nginx with one worker.

Keep-alive under wrk; a connection per request under the driver, which reads to the end that the server
makes: once as loopback is, where what a server is charged for is exactly what its own system calls do,
and once with the receive work steered to the server's core as in `short`, where the rate is the server's.
"""

import os
import shutil
import subprocess
import sys
import time

from lab import calls, flood as flood_script, pairs, wrk
from lab.network import Network
from lab.nginx import Nginx
from lab.programs import Failed, result_of, start_driver
from lab.report import Spread, ratios, say, table

WHAT = "HTTP: CPU per request and per connection against nginx; memory of an idle connection"
CONNECTIONS = 100
IDLE_CONNECTIONS = 15_000
IDLE_BYTES = 320
# Server CPU against nginx: (goal, floor).
KEEP_ALIVE = (0.85, 0.95)
CLOSE = (0.93, 1.00)


def measure(programs, options, report):
    programs.need("driver", "http_server")
    _keep_alive(programs, options, report)
    _close(programs, options, report)
    _system_calls(programs, report)
    _pipelining(programs, options, report)
    _memory(programs, report)
    report.note("nginx runs as one process with its access log off, the same body, the same header fields but for Server.")


def _servers(programs):
    ours = Nginx if programs.stand_in else programs.http(idle="60s")
    return {"nginx": Nginx, "nginx again" if programs.stand_in else "dwell": ours}


def _keep_alive(programs, options, report):
    def run(server):
        return pairs.load(lambda: Network("lo"), programs, server,
                          lambda network, running: wrk.run(network, running, CONNECTIONS, options.duration))

    results = pairs.interleave(report, "http keep-alive", _servers(programs), run, options.rounds)
    _judge(report, f"Keep-alive, {CONNECTIONS} connections, wrk", results, "request", "keep-alive", *KEEP_ALIVE)


def _close(programs, options, report):
    def all_rounds(title, steer):
        def run(server):
            return pairs.load(lambda: Network("lo", steer=steer), programs, server,
                              ["short", "--get", "/", "-n", CONNECTIONS, "--duration", options.duration])

        return pairs.interleave(report, title, _servers(programs), run, options.rounds)

    results = all_rounds("http close", steer=False)
    _judge(report, "`Connection: close`, the driver", results, "connection", "close", *CLOSE)
    results = all_rounds("http close, bound by the server", steer=True)
    pairs.print_loads("The same, bound by the server: the rate counts, CPU is charged to whoever is interrupted",
                      results, "connection")


def _judge(report, title, results, unit, label, goal, floor):
    pairs.print_loads(title, results, unit)
    theirs, ours = results.values()
    cpu = ratios(pairs.column(ours, "server", "cpu_us_each"), pairs.column(theirs, "server", "cpu_us_each"))
    for part, of in (("user", lambda server: server["user_us_each"]),
                     ("system", lambda server: server["cpu_us_each"] - server["user_us_each"])):
        ratio = ratios([of(each["server"]) for each in ours], [of(each["server"]) for each in theirs])
        print(f"  {part} time against nginx: {ratio.text()}")
    print()
    report.goal(f"{label}: server CPU per {unit} against nginx", cpu.median, goal, "<=", exact=cpu.text())
    report.goal(f"{label}: the same, floor", cpu.median, floor, "<=", exact=cpu.text())


def _system_calls(programs, report):
    rows = []
    for label, steer, arguments in (("keep-alive", False, ["long", "-n", CONNECTIONS, "--count", 50_000]),
                                    ("close", True, ["short", "-n", CONNECTIONS, "--ack-with-data",
                                                     "--count", 30_000])):
        for name, server in _servers(programs).items():
            with Network("lo", steer=steer) as network:
                counted = pairs.count_calls(network, programs, server, [*arguments, "--get", "/"])
            report.run(case=label, server=name, calls=counted)
            rows.append([label, name, f"{calls.total(counted):.2f}", calls.detail(counted)])
    print(f"System calls per request ({counted['tool']})")
    print(table(["", "server", "all", "each"], rows), end="\n\n")


def _pipelining(programs, options, report):
    """A client that asks 1,000 times a second, alone and beside one that sends 10,000 requests at once, again and again."""
    rows, ours = [], None
    for name, server in _servers(programs).items():
        rounds = []
        for number in range(options.rounds):
            say(f"  http pipelining: round {number + 1} of {options.rounds}, {name}")
            with Network("lo") as network:
                running = pairs.start(network, server)
                if os.geteuid() == 0:  # before whatever else this machine does
                    os.setpriority(os.PRIO_PROCESS, running.pid, -20)
                alone = _ask_now_and_then(network, programs, running)
                flood = network.start("client", [sys.executable, flood_script.__file__, running.address],
                                      stdout=subprocess.PIPE)
                flood.stdout.readline()
                beside = _ask_now_and_then(network, programs, running)
                if flood.poll() is not None:
                    raise Failed("the flood ended early")
                flood.kill()
                flood.communicate()
                running.stop()
            rounds.append(report.run(title="http pipelining", name=name, alone=alone, beside=beside))
        before, during = ([each[when]["latency_us"]["p99"] for each in rounds] for when in ("alone", "beside"))
        ours = ratios(during, before)
        rows.append([name, f"{Spread(before).median:.0f}", f"{Spread(during).median:.0f}", ours.text()])
    print("A client beside 10,000 pipelined requests at a time: its p99, µs")
    print(table(["server", "alone", "beside", "ratio, paired"], rows), end="\n\n")
    report.goal("p99 beside 10,000 pipelined requests, against alone", ours.median, 2, "<=", exact=ours.text())


def _ask_now_and_then(network, programs, running):
    # First in line on its core: what counts is how long the server makes it wait.
    argv = [programs.driver, "long", running.address, "--get", "/", "-n", 1, "--rate", 1000, "--duration", "1s", "--json"]
    first = ["chrt", "-f", "1"] if os.geteuid() == 0 and shutil.which("chrt") else []
    return result_of(network.start("client", [*first, *map(str, argv)], stdout=subprocess.PIPE, stderr=subprocess.PIPE))


def _memory(programs, report):
    rows = []
    for name, server in _servers(programs).items():
        say(f"  http: {IDLE_CONNECTIONS} idle connections, {name}")
        before, after = _hold(programs, server)
        each = {part: (after[part] - before[part]) / IDLE_CONNECTIONS for part in after}
        report.run(server=name, before=before, after=after, bytes_each=each)
        rows.append([name, f"{before['resident'] / 2**20:.1f} MB", f"{each['private_dirty']:.0f} B",
                     f"{each['resident']:.0f} B"])
    print(f"{IDLE_CONNECTIONS} keep-alive connections that had one GET answered and wait")
    print(table(["server", "RSS with none", "private each", "RSS each"], rows), end="\n\n")
    report.goal("per idle keep-alive connection", each["private_dirty"], IDLE_BYTES, "<=", digits=0, unit=" B")
    report.note("nginx makes the table of its connections when it starts: that part is in its RSS with none.")


def _hold(programs, server):
    with Network("veth") as network:
        running = pairs.start(network, server)
        time.sleep(0.2)
        before, open_before = running.memory(), running.descriptors()
        client = start_driver(network, programs, ["idle", running.address, "--get", "/", "-n", IDLE_CONNECTIONS,
                                                  "--spread", "500ms", "--hold", "4s"])
        deadline = time.monotonic() + 30
        while running.descriptors() < open_before + IDLE_CONNECTIONS:
            if time.monotonic() > deadline or client.poll() is not None:
                raise Failed("the connections did not open: " + str(client.communicate()))
            time.sleep(0.05)
        time.sleep(2.5)  # the driver holds for four seconds once all have been answered
        after = running.memory()
        if running.descriptors() < open_before + IDLE_CONNECTIONS:
            raise Failed("connections were closed while their memory was read")
        result_of(client)
        running.stop()
        return before, after
