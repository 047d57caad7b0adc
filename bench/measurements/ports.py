"""ports: when a client's local ports run out, by who closes first; foreseen, and as it happens.

A client with 2,000 local ports makes short connections for two minutes, over veth. Each ending has two
fresh namespaces of its own, all at the same time. TIME_WAIT is also read from /proc/net/sockstat of both ends.
"""

import json
import subprocess
import threading
import time

from lab.network import Network
from lab.programs import Failed
from lab.report import say, table

WHAT = "when local ports run out, by who closes first: foreseen against what happened"
PORTS = 2_000
RATE = 60  # × 60 s of TIME_WAIT is more than there are ports
SECONDS = 120
ENDINGS = {"client": [], "server": ["--requests-per-connection", 1],
           "server-abort-after-fin": ["--requests-per-connection", 1, "--close", "abort-after-fin"]}


def measure(programs, options, report):
    programs.need("dwell_load")
    say(f"  ports: {SECONDS} s, all endings at the same time")
    runs = {}
    threads = [threading.Thread(target=_run, args=(programs, ending, runs)) for ending in ENDINGS]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for ending in ENDINGS:
        if isinstance(runs[ending], Exception):
            raise runs[ending]
        report.run(ending=ending, **runs[ending])
    print(f"{RATE} short connections a second, {PORTS} local ports, {SECONDS} s")
    print(table(["who closes first", "answered", "failed", "ports run\nout after s", "foreseen\nto be s", "most ports\nin use",
                 "most TIME_WAIT\nclient", "server", "sockstat:\nclient", "server"],
                [_row(ending, runs[ending]) for ending in ENDINGS]), end="\n\n")
    _judge(report, runs)


def _run(programs, ending, runs):
    try:
        with Network("veth") as network:
            network.client.shell(f"echo 10000 {10000 + PORTS - 1} > /proc/sys/net/ipv4/ip_local_port_range")
            runs[ending] = _measure_one(programs, network, ending)
    except Exception as error:  # told by the thread that waits for us
        runs[ending] = error


def _measure_one(programs, network, ending):
    server = network.start("server", [programs.dwell_load, "serve", "--listen", f"{network.address}:0",
                                      *map(str, ENDINGS[ending])], stdout=subprocess.PIPE)
    where = json.loads(server.stdout.readline())
    client = network.start("client", [programs.dwell_load, "run", "--target", f"echo://{where['listening']}", "--mode", "short",
                                      "--close", ending, "--rate", str(RATE), "--duration", f"{SECONDS}s", "--server-pid",
                                      str(where["pid"]), "--quiet", "--json", "-"], stdout=subprocess.PIPE)
    most = {"client": 0, "server": 0}

    def watch():
        while client.poll() is None:
            for side, namespace in (("client", network.client), ("server", network.server)):
                most[side] = max(most[side], _time_waits(namespace.pid))
            time.sleep(0.5)

    watcher = threading.Thread(target=watch)
    watcher.start()
    text = client.stdout.read()
    watcher.join()
    if not text:
        raise Failed(f"dwell-load run --close {ending} has said nothing")
    return {"result": json.loads(text)["columns"][0]["at_rate"][0], "sockstat": most}


def _time_waits(pid):
    with open(f"/proc/{pid}/net/sockstat") as lines:
        for line in lines:
            words = line.split()
            if words[0] == "TCP:":
                return int(words[words.index("tw") + 1])
    return 0


def _most(result, side):
    return max((second[side] or {"states": {}})["states"].get("TIME-WAIT", 0) for second in result["seconds"])


def _row(ending, run):
    result, ports = run["result"], run["result"]["ports"]
    moments = [f"{ports[name]:.1f}" if ports[name] else "–" for name in ("exhausted_at_s", "predicted_exhaustion_s")]
    return [ending, result["answered"], sum(result["errors"].values()), *moments, ports["peak"], _most(result, "client"),
            _most(result, "server"), run["sockstat"]["client"], run["sockstat"]["server"]]


def _judge(report, runs):
    happened = runs["client"]["result"]["ports"]["exhausted_at_s"] or 0
    foreseen = runs["client"]["result"]["ports"]["predicted_exhaustion_s"] or 0
    report.goal("client first: the ports run out", happened, 1, ">=", 1, " s")
    if happened:
        report.goal("client first: the foreseen moment is off by", abs(foreseen / happened - 1) * 100, 10, "<=", 1, " %")
    for ending in ("server", "server-abort-after-fin"):
        result = runs[ending]["result"]
        said = sum(result["ports"][name] is not None for name in ("exhausted_at_s", "predicted_exhaustion_s"))
        report.goal(f"{ending}: ports run out, or are foreseen to", said, 0, "<=", 0)
    # The two looks are half a second apart at most: as many connections are closed meanwhile.
    for ending, run in runs.items():
        for side in ("client", "server"):
            report.goal(f"{ending}: TIME_WAITs of the {side}, apart from sockstat",
                        abs(_most(run["result"], side) - run["sockstat"][side]), RATE, "<=", 0)
