"""Two servers measured in turn, a fresh process and a fresh network for every run."""

import os
import time

from lab import calls
from lab.programs import Server, drive
from lab.report import Spread, ratios, say, table

SATURATED = 0.95


def interleave(report, title, servers, run, rounds):
    """{name: [result per round]}. The order alternates, so that a drift hits both alike."""
    results = {name: [] for name in servers}
    for number in range(rounds):
        order = list(servers) if number % 2 == 0 else list(reversed(servers))
        for name in order:
            say(f"  {title}: round {number + 1} of {rounds}, {name}")
            results[name].append(report.run(title=title, name=name, **run(servers[name])))
    return results


def load(make_network, programs, what, client):
    """One run against a fresh server. what: a command line, or a class like Server. client: the driver's
    arguments but for the address, or a function of network and server that gives such results."""
    with make_network() as network:
        network.go_first()
        server = start(network, what)
        idle = _idle_seconds(network.server_core)
        began = time.monotonic()
        if callable(client):
            result = client(network, server)
        else:
            result = drive(network, programs, [client[0], server.address, *client[1:]], server)
        wall = time.monotonic() - began
        # The core, not the process: receive work is charged to whoever happens to run there.
        result["server"]["core_busy"] = 1 - (_idle_seconds(network.server_core) - idle) / wall
        result["time_wait"] = network.time_wait()
        server.stop()
        return result


def start(network, what):
    return what(network) if callable(what) else Server(network, what)


def count_calls(network, programs, what, driver_argv):
    network.go_first()
    server = start(network, what)
    return calls.count(network, programs, server,
                       [driver_argv[0], server.address, *driver_argv[1:]])


def column(results, *path):
    values = []
    for value in results:
        for key in path:
            value = value[key]
        values.append(value)
    return values


def print_loads(title, results, unit):
    rows = []
    names = list(results)
    for name in names:
        each = results[name]
        rows.append([name, f"{Spread(column(each, 'rate')).median:.0f}",
                     f"{Spread(column(each, 'server', 'cpu_us_each')).median:.2f}",
                     f"{Spread(column(each, 'server', 'user_us_each')).median:.2f}",
                     f"{Spread(column(each, 'latency_us', 'p50')).median:.0f}",
                     f"{Spread(column(each, 'latency_us', 'p99')).median:.0f}",
                     f"{Spread(column(each, 'server', 'core_busy')).median:.0%}",
                     f"{Spread(column(each, 'client', 'busy')).median:.0%}"])
    print(title)
    print(table(["server", f"{unit}s/s", f"CPU µs/{unit}", "user µs", "p50 µs", "p99 µs",
                 "server core", "client"], rows))
    ours, theirs = results[names[1]], results[names[0]]
    rate = ratios(column(ours, "rate"), column(theirs, "rate"))
    cpu = ratios(column(ours, "server", "cpu_us_each"), column(theirs, "server", "cpu_us_each"))
    print(f"  {names[1]} : {names[0]}, paired, median and range: "
          f"rate {rate.text()}, CPU {cpu.text()}\n")


def _idle_seconds(core):
    with open("/proc/stat") as lines:
        for line in lines:
            words = line.split()
            if words[0] == f"cpu{core}":
                return (int(words[4]) + int(words[5])) / os.sysconf("SC_CLK_TCK")
    return 0.0
