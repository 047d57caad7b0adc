"""load_tool: what dwell-load costs and says, against the clients that people know.

Cost: requests per second of the client's CPU time, closed loop, against a hand-written epoll client
(bench/driver) and wrk on the same server. Of the tool the threads that put the load count; the one that
looks at sockets and CPU once a second does what the others do not do, and is left out.
Truth: latency at a fixed rate below half of what the server can do, against h2load's.
"""

import contextlib
import json
import os
import re
import resource
import shutil
import statistics
import subprocess
import tempfile

from lab.network import Network
from lab.programs import Failed, Server, drive
from lab.report import Spread, ratios, say, table

WHAT = "dwell-load's CPU against an epoll client in C and wrk, its latencies against h2load's"

CONNECTIONS = 100
# h2load's connections each have a timer of the same 20 ms. Started together they send all at once, and what it
# then tells is how long a queue of its own making takes; started 21 ms apart they send one every ms.
EACH = 50  # requests a second and connection
STAGGERED = 20
RATE = EACH * STAGGERED  # far below half of what an idle core serves
CASES = {  # name: (server's command line, the tool's flags, the other client, its arguments)
    "echo, long": (lambda programs: programs.dwell("long"), "echo", ["--mode", "long"], "driver", ["long"]),
    "echo, short, client closes": (lambda programs: programs.dwell("long"), "echo", ["--mode", "short"],
                                   "driver", ["short", "--who-closes", "client"]),
    "echo, short, server closes": (lambda programs: programs.dwell("short", size=64), "echo",
                                   ["--mode", "short", "--close", "server"],
                                   "driver", ["short", "--who-closes", "server"]),
    "HTTP, keep-alive": (lambda programs: programs.http(idle="60s"), "http", ["--mode", "long"], "wrk", []),
}


def measure(programs, options, report):
    programs.need("driver", "load_tool", "echo_server", "http_server")
    rows = []
    for title, (command, protocol, flags, other, arguments) in CASES.items():
        if other == "wrk" and not shutil.which("wrk"):
            raise Failed("wrk is missing: apt install wrk")
        results = {"dwell-load": [], other: []}
        for number in range(options.rounds):
            order = list(results) if number % 2 == 0 else list(reversed(results))
            for name in order:
                say(f"  {title}: round {number + 1} of {options.rounds}, {name}")
                with _serving(command(programs)) as (network, server):
                    if name == "dwell-load":
                        done = _ours(network, programs, server, protocol, flags, options.duration)
                    else:
                        done = _OTHERS[name](network, programs, server, arguments, options.duration)
                results[name].append(report.run(case=title, name=name, **done))
        each = {name: [run["cpu_us_each"] for run in runs] for name, runs in results.items()}
        ratio = ratios(each[other], each["dwell-load"])
        rows.append([title, other, f"{Spread(each['dwell-load']).median:.2f}",
                     f"{Spread(each[other]).median:.2f}", ratio.text()])
        report.goal(f"{title}: requests per CPU second against {other}", ratio.median, 1.0, ">=", exact=ratio.text())
    print("The client's CPU for each request, closed loop")
    print(table(["", "against", "dwell-load µs", "other µs", "requests per CPU second"], rows), end="\n\n")
    _latencies(programs, options, report)


@contextlib.contextmanager
def _serving(command):
    with Network("lo") as network:
        server = Server(network, command)
        yield network, server
        server.stop()


def _timed(network, argv, accepted=(0,)):
    """Runs a client; its output, and the CPU time of all its threads in microseconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    process = network.start("client", [str(word) for word in argv], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    output, errors = process.communicate()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if process.returncode not in accepted:
        raise Failed(f"{argv[0]}: {errors.strip() or output.strip()}")
    return output, (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1e6


def _tool(network, programs, server, protocol, flags, duration, connections=CONNECTIONS):
    path = "/" if protocol == "http" else ""
    output, _ = _timed(network, [
        programs.load_tool, "run", "--target", f"{protocol}://{server.address}{path}", "--connections", connections,
        "--duration", duration, "--json", "--quiet", *flags], accepted=(0, 3))
    result = json.loads(output)["columns"][0]["at_rate"][0]
    if result["errors"]:
        raise Failed(f"dwell-load: {result['errors']}")
    return result


def _ours(network, programs, server, protocol, flags, duration):
    result = _tool(network, programs, server, protocol, ["--closed", "--warmup", "0s", *flags], duration)
    cpu = result["client_busy"] * result["measured_s"] * 1e6  # there is one such thread
    return {"cpu_us_each": cpu / result["answered"], "rate": result["answered"] / result["measured_s"],
            "client": {"busy": result["client_busy"]}}


def _driver(network, programs, server, arguments, duration):
    result = drive(network, programs, [arguments[0], server.address, "-n", CONNECTIONS, "--duration", duration,
                                       "--warmup", "0s", *arguments[1:]])
    if result["failed"]:
        raise Failed(f"driver: {result['errors']}")
    return {"cpu_us_each": result["client"]["cpu_us_each"], "rate": result["rate"], "client": result["client"]}


def _wrk(network, _programs, server, _arguments, duration):
    seconds = max(1, round(_seconds(duration)))
    output, cpu = _timed(network, ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", f"http://{server.address}/"])
    errors = re.search(r"Socket errors: .*|Non-2xx or 3xx responses: .*", output)
    if errors:
        raise Failed(f"wrk: {errors[0]}")
    requests = int(re.search(r"(\d+) requests in", output)[1])
    return {"cpu_us_each": cpu / requests, "rate": requests / seconds, "client": {"busy": cpu / 1e6 / seconds}}


_OTHERS = {"driver": _driver, "wrk": _wrk}


def _latencies(programs, options, report):
    """h2load times a request from when it sends it, so that is what is compared: the naive figure."""
    if not shutil.which("h2load"):
        raise Failed("h2load is missing: apt install nghttp2-client")
    rounds = []
    for number in range(options.rounds):
        say(f"  latency at {RATE}/s: round {number + 1} of {options.rounds}")
        with _serving(programs.http(idle="60s")) as (network, server):
            pair = [lambda: _our_latency(network, programs, server, options.duration),
                    lambda: _h2load_latency(network, server, options.duration)]
            first, second = (0, 1) if number % 2 == 0 else (1, 0)
            done = {first: pair[first](), second: pair[second]()}
        rounds.append(report.run(case="latency", ours=done[0], h2load=done[1]))
    p50 = ratios([each["ours"]["p50"] for each in rounds], [each["h2load"]["p50"] for each in rounds])
    p99 = ratios([each["ours"]["p99"] for each in rounds], [each["h2load"]["p99"] for each in rounds])
    apart = statistics.median(each["ours"]["p99"] - each["h2load"]["p99"] for each in rounds)
    print(table([f"latency at {RATE}/s, µs", "p50", "p99"],
                [[name, *(f"{statistics.median(each[who][of] for each in rounds):.0f}" for of in ("p50", "p99"))]
                 for name, who in (("dwell-load", "ours"), ("h2load", "h2load"))] +
                [["dwell-load, from the intended time",
                  *(f"{statistics.median(each['ours'][f'intended_{of}'] for each in rounds):.0f}"
                    for of in ("p50", "p99"))]]), end="\n\n")
    report.goal("p50 against h2load, apart", abs(p50.median - 1), 0.10, "<=", exact=p50.text())
    near = 0.0 if abs(apart) <= 200 else abs(p99.median - 1)
    report.goal("p99 against h2load, apart (or 0.2 ms)", near, 0.25, "<=",
                exact=f"{p99.text()}, {apart:+.0f} µs")


def _our_latency(network, programs, server, duration):
    # Even, as h2load's requests are.
    result = _tool(network, programs, server, "http", ["--rate", RATE, "--even", "--warmup", "500ms"], duration,
                   STAGGERED)
    of = {name: dict(map(tuple, result["latencies"][name]["percentiles"])) for name in ("naive", "request")}
    return {"p50": of["naive"][0.5], "p99": of["naive"][0.99],
            "intended_p50": of["request"][0.5], "intended_p99": of["request"][0.99]}


def _h2load_latency(network, server, duration):
    with tempfile.TemporaryDirectory() as folder:
        log = os.path.join(folder, "log")
        count = max(100, round(_seconds(duration) * EACH)) * STAGGERED
        _timed(network, ["h2load", "--h1", "-c", STAGGERED, "-t1", "-n", count, "-r1", "--rate-period=21ms",
                         f"--rps={EACH}", f"--log-file={log}", f"http://{server.address}/"])
        with open(log) as lines:  # start, status, microseconds
            times = sorted(int(line.split("\t")[2]) for line in lines)
    if len(times) < 100:
        raise Failed(f"h2load: {len(times)} requests in its log")
    return {"p50": times[len(times) // 2], "p99": times[len(times) * 99 // 100]}


def _seconds(text):
    value, unit = re.fullmatch(r"([\d.]+)(ms|s)", text).groups()
    return float(value) / (1000 if unit == "ms" else 1)
